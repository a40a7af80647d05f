"""The stream of events while others write: none is missed, none comes twice, on PostgreSQL."""

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


class GaveUpError(Exception):
    """A writer changed its mind, and rolls back."""


def writing(stores: Repositories, connection: Any) -> Repositories:
    """The stores, in an open transaction."""
    return Repositories(
        PostgresPayments(connection),
        PostgresRefunds(connection),
        stores.events,
    )


async def read_on(stores: Repositories, into: list[PaymentEvent]) -> int:
    """Read what can be read behind what was read before."""
    found = await stores.events.stream(None, 50, into[-1].cursor if into else "")
    into += found
    return len(found)


async def test_an_event_waits_for_those_that_may_still_come_before_it(
    postgres: Repositories, database: Database
) -> None:
    read: list[PaymentEvent] = []
    async with in_transaction(database.pool) as connection:
        slow = await writing(postgres, connection).build_payment()
        fast = await postgres.build_payment()
        assert await read_on(postgres, read) == 0
        assert await postgres.events.stream(fast.id, 50, "") == []
        assert len(await postgres.told_of(fast)) == 1, "by itself it can be seen"
    await read_on(postgres, read)
    assert [each.payment_id for each in read] == [slow.id, fast.id]


async def test_without_the_bound_an_event_is_missed(
    postgres: Repositories, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shows what the bound is for, and that the test above would notice if it were not there."""
    monkeypatch.setattr(events, "STREAM", STREAM_WITHOUT_BOUND)
    read: list[PaymentEvent] = []
    async with in_transaction(database.pool) as connection:
        slow = await writing(postgres, connection).build_payment()
        fast = await postgres.build_payment()
        assert await read_on(postgres, read) == 1
    await read_on(postgres, read)
    assert [each.payment_id for each in read] == [fast.id]
    assert len(await postgres.told_of(slow)) == 1, "it is there, and the reader has passed it"


async def test_what_is_rolled_back_is_never_told(
    postgres: Repositories, database: Database
) -> None:
    with suppress(GaveUpError):
        async with in_transaction(database.pool) as connection:
            given_up = await writing(postgres, connection).build_payment()
            raise GaveUpError
    with pytest.raises(PaymentNotFound):
        await postgres.payments.get(given_up.id)
    await postgres.build_payment()
    read: list[PaymentEvent] = []
    assert await read_on(postgres, read) == 1
    assert read[0].payment_id != given_up.id


async def test_the_events_of_a_payment_keep_their_order_in_the_stream(
    postgres: Repositories, database: Database
) -> None:
    """A transaction that is older may write the later version: two refunds do not exclude each
    other. Its event still comes behind.
    """
    payment = await postgres.payment_in(State.SUCCEEDED)
    async with in_transaction(database.pool) as connection:
        await connection.execute("SELECT pg_current_xact_id()")  # it is numbered from here on
        await postgres.refund(payment)
        await writing(postgres, connection).refund(payment)
    read: list[PaymentEvent] = []
    await read_on(postgres, read)
    assert [each.sequence for each in read] == [1, 2, 3, 4]
    assert await postgres.events.stream(payment.id, 50, read[2].cursor) == read[3:]


async def test_under_many_writers_none_is_missed_and_none_comes_twice(
    postgres: Repositories, database: Database
) -> None:
    chance = random.Random(7)  # noqa: S311 - not a secret
    shared = [await postgres.payment_in(State.SUCCEEDED) for _ in range(4)]

    async def write(_writer: int) -> None:
        """Refunds of shared payments and payments of its own, held open for a while; every tenth
        is rolled back.
        """
        for _ in range(12):
            with suppress(GaveUpError):
                async with in_transaction(database.pool) as connection:
                    own = writing(postgres, connection)
                    if chance.random() < 0.5:
                        payment = chance.choice(shared)
                        refund = unsaved_refund(payment, 1)
                        await own.refunds.insert(refund, request_record(payment, refund))
                    else:
                        await own.payment_in(State.FAILED)
                    await asyncio.sleep(chance.random() * 0.02)
                    if chance.random() < 0.1:
                        raise GaveUpError

    read: list[PaymentEvent] = []
    writers = [asyncio.create_task(write(number)) for number in range(12)]
    reads_under_way = 0
    while not all(each.done() for each in writers):
        reads_under_way += await read_on(postgres, read) > 0
        await asyncio.sleep(0.005)
    await asyncio.gather(*writers)
    while await read_on(postgres, read):
        pass
    assert reads_under_way > 3, "it was read while it was written"
    counted = Counter((each.payment_id, each.sequence) for each in read)
    committed = await database.pool.fetch("SELECT payment_id, sequence FROM payment_events")
    assert counted == Counter(map(tuple, committed))
    for payment in shared:
        told = [each.sequence for each in read if each.payment_id == payment.id]
        assert told == [*range(1, len(told) + 1)]


async def test_a_reader_or_an_idle_claim_does_not_hold_the_stream_up(
    postgres: Repositories, database: Database
) -> None:
    payment = await postgres.build_payment()
    async with in_transaction(database.pool) as connection:
        own = writing(postgres, connection)
        assert await own.seen(payment)
        assert await own.payments.claim_due(10) == []
        read: list[PaymentEvent] = []
        assert await read_on(postgres, read) == 1
