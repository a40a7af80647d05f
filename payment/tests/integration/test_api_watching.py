"""Watching events over gRPC: a client with a cursor misses nothing and gets nothing twice, and a slow one
delays nobody.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from grpc import StatusCode
from oncepay.payment.v1 import payment_pb2 as pb
from oncepay.payment.v1 import payment_service_pb2 as service_pb
from support.running_service import (
    ALL_PAYMENTS,
    RunningService,
    code_and_reason,
    running_service,
)

from payment.domain.events import PaymentEvent
from payment.repository.cursor import StreamPosition, write_cursor
from payment.repository.postgresql.events import PostgresEvents


@pytest.fixture
async def service(
    payment_database: Any, free_port: Callable[[], int], tmp_path: Path
) -> AsyncIterator[RunningService]:
    """The running service, with two database connections for all callers."""
    address = f"127.0.0.1:{free_port()}"
    async with running_service(
        payment_database, address, tmp_path, database_pool_size=2
    ) as running:
        yield running


async def read(watching: Any, received: list[pb.PaymentEvent], count: int) -> None:
    """Read so many events more."""
    received.extend([(await watching.read()).payment_event for _ in range(count)])


async def all_events(service: RunningService) -> Sequence[pb.PaymentEvent]:
    """The events of all payments, listed page by page."""
    events: list[pb.PaymentEvent] = []
    request = service_pb.ListPaymentEventsRequest(parent=ALL_PAYMENTS, page_size=100)
    while True:
        page = await service.stub.ListPaymentEvents(request)
        events += page.payment_events
        if not page.next_page_token:
            return events
        request.page_token = page.next_page_token


async def test_a_client_whose_connection_breaks_again_and_again_misses_no_event(
    service: RunningService,
) -> None:
    payments = 24
    paying = asyncio.gather(*(service.pay() for _ in range(payments)))
    received: list[pb.PaymentEvent] = []
    lengths = [1, 2, 5, 3, 7]
    while len(received) < 2 * payments:
        watching = service.watch(cursor=received[-1].cursor if received else "")
        count = min(lengths[len(received) % 5], 2 * payments - len(received))
        await read(watching, received, count)
        watching.cancel()
    await paying
    assert received == await all_events(service)


async def test_a_cursor_is_valid_in_the_services_that_are_started_later(
    payment_database: Any, free_port: Callable[[], int], tmp_path: Path
) -> None:
    received: list[pb.PaymentEvent] = []
    for _ in range(2):
        address = f"127.0.0.1:{free_port()}"
        async with running_service(payment_database, address, tmp_path) as service:
            await service.pay()
            await read(service.watch(cursor=received[-1].cursor if received else ""), received, 1)
            await service.pay()
    async with running_service(payment_database, address, tmp_path) as service:
        await read(service.watch(cursor=received[-1].cursor), received, 6)
        assert received == await all_events(service)


async def test_watchers_that_wait_hold_no_database_connection(service: RunningService) -> None:
    watchers = [service.watch() for _ in range(40)]
    payment = await service.pay()
    for watching in watchers:
        received: list[pb.PaymentEvent] = []
        await read(watching, received, 2)
        types = [event.type for event in received]
        assert types == ["payment.created", "payment.succeeded"]
    assert (await service.get(payment)).state == pb.Payment.SUCCEEDED
    for watching in watchers:
        watching.cancel()


EVENTS = 3_000
EVENT_BYTES = 10_000
INSERT_EVENTS = f"""
INSERT INTO payment_events (payment_id, sequence, xid, type, state, note)
SELECT gen_random_uuid(), 1, pg_current_xact_id(), 'payment.created', 'CONFIRMING',
       repeat('x', {EVENT_BYTES})
  FROM generate_series(1, {EVENTS})
"""  # noqa: S608


@pytest.fixture
async def page_sizes(service: RunningService, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """30 MB of events in the database; and how many events were read at a time."""
    await service.query(INSERT_EVENTS)
    sizes: list[int] = []
    stream = PostgresEvents.stream

    async def counted(self: PostgresEvents, *arguments: Any) -> Sequence[PaymentEvent]:
        page = await stream(self, *arguments)
        sizes.append(len(page))
        return page

    monkeypatch.setattr(PostgresEvents, "stream", counted)
    return sizes


async def test_a_slow_client_has_no_more_read_for_it_than_a_page_and_delays_nobody(
    service: RunningService, page_sizes: list[int]
) -> None:
    """What was sent fills its flow-control window; the service holds one page for it."""
    slow = [service.watch() for _ in range(3)]
    received: list[list[pb.PaymentEvent]] = [[] for _ in slow]
    for watching, events in zip(slow, received, strict=True):
        await read(watching, events, 1)
    before = -1
    while sum(page_sizes) != before:  # until nothing more is read for them
        before = sum(page_sizes)
        await asyncio.sleep(1)
    assert sum(page_sizes) < 3 * EVENTS / 2
    await asyncio.gather(*(service.pay() for _ in range(10)))
    assert sum(page_sizes) == before, "nothing more is read, whatever happens meanwhile"
    await read(slow[0], received[0], EVENTS + 19)
    assert len({(event.payment, event.sequence) for event in received[0]}) == EVENTS + 20
    listed = [event.cursor for event in await all_events(service)]
    assert [event.cursor for event in received[0]] == listed
    for watching in slow:
        watching.cancel()


async def test_a_cursor_of_another_generation_is_refused(service: RunningService) -> None:
    cursor = write_cursor(StreamPosition(1, UUID(int=1), 1), generation=2)
    code, _ = await code_and_reason(service.watch(cursor=cursor).read())
    assert code is StatusCode.INVALID_ARGUMENT
