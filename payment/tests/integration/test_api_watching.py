"""Watching events over gRPC: whoever comes back with a cursor has missed nothing and reads nothing
twice, and whoever reads slowly holds up nobody.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from grpc import StatusCode
from oncepay.payment.v1 import payment_pb2 as pb
from oncepay.payment.v1 import payment_service_pb2 as service_pb
from support.running_service import RunningService, refused, running_service

from payment.domain.events import PaymentEvent
from payment.repository import cursor
from payment.repository.postgresql.events import PostgresEvents

EVERYTHING = "payments/-"


@pytest.fixture
async def service(
    payment_database: Any, free_port: Callable[[], int], tmp_path: Path
) -> AsyncIterator[RunningService]:
    """With two connections for all callers."""
    address = f"127.0.0.1:{free_port()}"
    async with running_service(
        payment_database, address, tmp_path, database_pool_size=2
    ) as service:
        yield service


def watching(service: RunningService, after: str = "") -> Any:
    return service.stub.WatchPaymentEvents(
        service_pb.WatchPaymentEventsRequest(parent=EVERYTHING, cursor=after), timeout=60
    )


async def read(stream: Any, into: list[pb.PaymentEvent], count: int) -> None:
    """Reads so many events on."""
    into.extend([(await stream.read()).payment_event for _ in range(count)])


async def all_events(service: RunningService) -> Sequence[pb.PaymentEvent]:
    """The events in the order of the stream, as the pages of the list have them."""
    found: list[pb.PaymentEvent] = []
    token = ""
    while True:
        page = await service.stub.ListPaymentEvents(
            service_pb.ListPaymentEventsRequest(parent=EVERYTHING, page_size=1000, page_token=token)
        )
        found += page.payment_events
        token = page.next_page_token
        if not token:
            return found


async def test_a_watcher_whose_connection_breaks_again_and_again_misses_nothing_while_others_write(
    service: RunningService,
) -> None:
    payments = 24
    paying = asyncio.gather(*(service.pay() for _ in range(payments)))
    seen: list[pb.PaymentEvent] = []
    lengths = [1, 2, 5, 3, 7]
    while len(seen) < 2 * payments:
        stream = watching(service, seen[-1].cursor if seen else "")
        await read(stream, seen, min(lengths[len(seen) % 5], 2 * payments - len(seen)))
        stream.cancel()
    await paying
    assert seen == await all_events(service)


async def test_a_cursor_is_good_for_the_service_that_comes_after(
    payment_database: Any, free_port: Callable[[], int], tmp_path: Path
) -> None:
    seen: list[pb.PaymentEvent] = []
    for _ in range(3):
        address = f"127.0.0.1:{free_port()}"
        async with running_service(payment_database, address, tmp_path) as service:
            await service.pay()
            await read(watching(service, seen[-1].cursor if seen else ""), seen, 1)
            await service.pay()
    async with running_service(payment_database, address, tmp_path) as service:
        await read(watching(service, seen[-1].cursor), seen, 9)
        assert seen == await all_events(service)


async def test_watchers_wait_without_a_connection_so_that_many_do_not_exhaust_the_pool(
    service: RunningService,
) -> None:
    watchers = [watching(service) for _ in range(40)]
    payment = await service.pay()
    for each in watchers:
        told: list[pb.PaymentEvent] = []
        await read(each, told, 2)
        assert [event.type for event in told] == ["payment.created", "payment.succeeded"]
    assert (await service.get(payment)).state == pb.Payment.SUCCEEDED
    for each in watchers:
        each.cancel()


EVENTS = 20_000


@pytest.fixture
async def pages(service: RunningService, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """20 MB of events; and how many were read of them at a time."""
    connection = await asyncpg.connect(service.database.superuser_url)
    await connection.execute(
        """
        INSERT INTO payment_events (payment_id, sequence, xid, type, state, note)
        SELECT gen_random_uuid(), 1, pg_current_xact_id(), 'payment.created', 'CONFIRMING',
               repeat('x', 1000)
          FROM generate_series(1, $1::integer)
        """,
        EVENTS,
    )
    await connection.close()
    read_of: list[int] = []
    stream = PostgresEvents.stream

    async def counted(self: PostgresEvents, *asked: Any) -> Sequence[PaymentEvent]:
        found = await stream(self, *asked)
        read_of.append(len(found))
        return found

    monkeypatch.setattr(PostgresEvents, "stream", counted)
    return read_of


async def test_a_slow_reader_is_not_read_ahead_for_and_holds_no_connection(
    service: RunningService, pages: list[int]
) -> None:
    """What has left for it fills its window; what is held here for it is one page."""
    slow = [watching(service) for _ in range(3)]
    seen: list[list[pb.PaymentEvent]] = [[] for _ in slow]
    for each, into in zip(slow, seen, strict=True):
        await read(each, into, 1)
    before = -1
    while sum(pages) != before:  # until nothing more is read for them
        before = sum(pages)
        await asyncio.sleep(1)
    assert sum(pages) < 3 * EVENTS / 4
    await asyncio.gather(*(service.pay() for _ in range(10)))
    assert sum(pages) == before, "it stays so, whatever happens meanwhile"
    await read(slow[0], seen[0], EVENTS + 19)
    assert len({(event.payment, event.sequence) for event in seen[0]}) == EVENTS + 20
    assert [event.cursor for event in seen[0]] == [
        event.cursor for event in await all_events(service)
    ]
    for each in slow:
        each.cancel()


async def test_a_cursor_of_another_installation_is_refused_and_not_read_as_a_place(
    service: RunningService,
) -> None:
    stream = watching(
        service, cursor.write_cursor(cursor.StreamPosition(1, UUID(int=1), 1), generation=2)
    )
    assert (await refused(stream.read()))[0] is StatusCode.INVALID_ARGUMENT
