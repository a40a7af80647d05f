"""The stream of events in PostgreSQL while others write: no event is missed, and none comes twice."""

import asyncio
import random
from collections import Counter
from contextlib import suppress
from typing import Any

import pytest
from support.repositories import Repositories, in_transaction, request_record, unsaved_refund

from chassis.database import Database
from chassis.sql import Statement
from payment.domain.errors import PaymentNotFound
from payment.domain.events import PaymentEvent
from payment.domain.payment import State
from payment.repository.postgresql import events
from payment.repository.postgresql.payments import PostgresPayments
from payment.repository.postgresql.refunds import PostgresRefunds

STREAM_WITHOUT_BOUND = Statement(
    f"{events.EVENTS} WHERE {events.AFTER} ORDER BY xid, payment_id, sequence LIMIT :limit"
)


class RolledBackError(Exception):
    """Rolls a transaction back."""


def repositories_in(repositories: Repositories, connection: Any) -> Repositories:
    """The repositories in an open transaction."""
    return Repositories(
        PostgresPayments(connection),
        PostgresRefunds(connection),
        repositories.events,
    )


async def read_more(repositories: Repositories, received: list[PaymentEvent]) -> int:
    """Read what the stream has after what was received. Returns how many events came."""
    found = await repositories.events.stream(None, 50, received[-1].cursor if received else "")
    received += found
    return len(found)


async def test_an_event_is_not_streamed_while_an_older_transaction_may_still_write_before_it(
    postgres: Repositories, database: Database
) -> None:
    read: list[PaymentEvent] = []
    async with in_transaction(database.pool) as connection:
        slow = await repositories_in(postgres, connection).create()
        fast = await postgres.create()
        assert await read_more(postgres, read) == 0
        assert await postgres.events.stream(fast.id, 50, "") == []
        assert len(await postgres.events_of(fast)) == 1, (
            "it is committed, and listed with its payment"
        )
    await read_more(postgres, read)
    assert [each.payment_id for each in read] == [slow.id, fast.id]


async def test_without_the_bound_a_reader_misses_an_event(
    postgres: Repositories, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shows what the bound is for, and that the test above would notice if it were not there."""
    monkeypatch.setattr(events, "STREAM", STREAM_WITHOUT_BOUND)
    read: list[PaymentEvent] = []
    async with in_transaction(database.pool) as connection:
        slow = await repositories_in(postgres, connection).create()
        fast = await postgres.create()
        assert await read_more(postgres, read) == 1
    await read_more(postgres, read)
    assert [each.payment_id for each in read] == [fast.id]
    assert len(await postgres.events_of(slow)) == 1, "it is committed, and the reader has passed it"


async def test_an_event_that_was_rolled_back_is_never_streamed(
    postgres: Repositories, database: Database
) -> None:
    with suppress(RolledBackError):
        async with in_transaction(database.pool) as connection:
            rolled_back = await repositories_in(postgres, connection).create()
            raise RolledBackError
    with pytest.raises(PaymentNotFound):
        await postgres.payments.get(rolled_back.id)
    await postgres.create()
    read: list[PaymentEvent] = []
    assert await read_more(postgres, read) == 1
    assert read[0].payment_id != rolled_back.id


async def test_the_events_of_a_payment_are_streamed_in_order_whichever_transaction_is_older(
    postgres: Repositories, database: Database
) -> None:
    """An older transaction may write the later version, since two refunds do not exclude each other. Its
    event still comes later.
    """
    payment = await postgres.create_in(State.SUCCEEDED)
    async with in_transaction(database.pool) as connection:
        await connection.execute("SELECT pg_current_xact_id()")  # it is numbered from here on
        await postgres.create_refund(payment)
        await repositories_in(postgres, connection).create_refund(payment)
    read: list[PaymentEvent] = []
    await read_more(postgres, read)
    assert [each.sequence for each in read] == [1, 2, 3, 4]
    assert await postgres.events.stream(payment.id, 50, read[2].cursor) == read[3:]


async def test_a_reader_beside_many_writers_misses_no_event_and_gets_none_twice(
    postgres: Repositories, database: Database
) -> None:
    randomness = random.Random(7)  # noqa: S311 - not a secret
    shared = [await postgres.create_in(State.SUCCEEDED) for _ in range(4)]

    reads_while_writing = 0

    async def write() -> None:
        """Write refunds of shared payments, and payments of its own, in transactions that stay open for
        a while; a tenth is rolled back. It ends when enough was written, and read meanwhile.
        """
        count = 0
        while count < 12 or reads_while_writing <= 3:
            count += 1
            with suppress(RolledBackError):
                async with in_transaction(database.pool) as connection:
                    open_transaction = repositories_in(postgres, connection)
                    if randomness.random() < 0.5:
                        payment = randomness.choice(shared)
                        refund = unsaved_refund(payment, 1)
                        record = request_record(payment, refund)
                        await open_transaction.refunds.insert(refund, record)
                    else:
                        await open_transaction.create_in(State.FAILED)
                    await asyncio.sleep(randomness.random() * 0.02)
                    if randomness.random() < 0.1:
                        raise RolledBackError

    read: list[PaymentEvent] = []
    writers = [asyncio.create_task(write()) for _ in range(12)]
    while not all(writer.done() for writer in writers):
        reads_while_writing += await read_more(postgres, read) > 0
        await asyncio.sleep(0.005)
    await asyncio.gather(*writers)
    while await read_more(postgres, read):
        pass
    counted = Counter((each.payment_id, each.sequence) for each in read)
    committed = await database.pool.fetch("SELECT payment_id, sequence FROM payment_events")
    assert counted == Counter(map(tuple, committed))
    for payment in shared:
        sequences = [each.sequence for each in read if each.payment_id == payment.id]
        assert sequences == [*range(1, len(sequences) + 1)]


async def test_a_transaction_that_only_reads_does_not_block_the_stream(
    postgres: Repositories, database: Database
) -> None:
    payment = await postgres.create()
    async with in_transaction(database.pool) as connection:
        in_the_transaction = repositories_in(postgres, connection)
        assert await in_the_transaction.snapshot(payment)
        assert await in_the_transaction.claim() == []
        read: list[PaymentEvent] = []
        assert await read_more(postgres, read) == 1
