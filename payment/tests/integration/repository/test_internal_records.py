"""The port `InternalRecords` on both stores; and what PostgreSQL knows of commits that hang."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from stores import SECOND, Stores, in_transaction

from chassis.database import Connection, Database
from chassis.identifiers import uuid7
from payment.domain.payment import State
from payment.reconciliation.memory import MemoryInternalRecords
from payment.reconciliation.ports import InternalRecords
from payment.reconciliation.postgresql import PostgresInternalRecords
from payment.repository.memory import MemoryEvents, MemoryPayments, MemoryRefunds, Store
from payment.repository.postgresql.payments import PostgresPayments
from payment.repository.postgresql.refunds import PostgresRefunds

HOUR = timedelta(hours=1)
Pair = tuple[Stores, InternalRecords]


@pytest.fixture(params=["memory", "postgresql"])
def pair(request: pytest.FixtureRequest) -> Pair:
    """Each store in turn, and its books."""
    if request.param == "memory":
        store = Store(lambda: datetime.now(UTC))
        stores = Stores(MemoryPayments(store), MemoryRefunds(store), MemoryEvents(store))
        return stores, MemoryInternalRecords(store)
    database: Database = request.getfixturevalue("database")
    return request.getfixturevalue("postgres"), PostgresInternalRecords(database.pool)


async def test_payments_are_found_by_their_intents(pair: Pair) -> None:
    stores, books = pair
    one, other, _ = [await stores.build_payment() for _ in range(3)]

    found = await books.bound_to([one.intent_id, other.intent_id, "pi_nobodys"])

    assert {each.id for each in found} == {one.id, other.id}
    assert await books.bound_to([]) == []


async def test_refunds_are_found_by_their_ids(pair: Pair) -> None:
    stores, books = pair
    payment = await stores.payment_in(State.SUCCEEDED)
    refund, _ = await stores.refund(payment, 300), await stores.refund(payment, 400)

    assert await books.refunds_of([refund.id, uuid7()]) == [refund]


async def test_refunds_of_a_time_come_in_pages(pair: Pair) -> None:
    stores, books = pair
    payment = await stores.payment_in(State.SUCCEEDED)
    made = [await stores.refund(payment, 100) for _ in range(3)]
    now = await books.now()

    first = await books.refunds_created(now - HOUR, now + HOUR, None, 2)
    second = await books.refunds_created(now - HOUR, now + HOUR, first[-1].id, 2)

    assert [*first, *second] == sorted(made, key=lambda each: each.id)
    last = made[-1].create_time
    assert await books.refunds_created(last + SECOND, now + HOUR, None, 2) == []
    assert made[-1] not in await books.refunds_created(now - HOUR, last, None, 9)


async def test_what_is_made_due_is_claimed_at_once(pair: Pair) -> None:
    stores, books = pair
    payment = await stores.payment_in(State.SUCCEEDED)
    refund = await stores.refund(payment, 100)
    await stores.refunds.reschedule(refund, None, 1)
    other = await stores.payment_in(State.AUTHORIZED)

    await books.make_due(refund)
    await books.make_due(other)

    assert [due.snapshot.resource.id for due in await stores.refunds.claim_due(9)] == [refund.id]
    assert [each.snapshot.resource.id for each in await stores.payments.claim_due(9)] == [other.id]


async def test_what_has_moved_since_it_was_read_is_left_alone(pair: Pair) -> None:
    stores, books = pair
    read = await stores.payment_in(State.AUTHORIZED)
    await stores.move(read, State.CAPTURING)

    await books.make_due(read)

    assert await stores.payments.claim_due(9) == []


async def test_a_transaction_that_has_written_and_is_open_hangs(
    postgres: Stores, database: Database
) -> None:
    books = PostgresInternalRecords(database.pool)
    assert not await books.commits_hang(timedelta(0))
    async with in_transaction(database.pool) as connection:
        writing = Stores(
            PostgresPayments(connection),
            PostgresRefunds(connection),
            postgres.events,
        )
        await writing.build_payment()
        assert await books.commits_hang(timedelta(0))
        assert not await books.commits_hang(HOUR)


@pytest.fixture
async def closed(superuser: Connection) -> AsyncIterator[datetime]:
    """Since when the database has to be compared."""
    since = datetime(2026, 11, 20, 8, tzinfo=UTC)
    yield since
    await superuser.execute("UPDATE installation SET reconcile_since = NULL")


async def test_only_a_comparison_from_the_backup_on_opens_the_database(
    database: Database, superuser: Connection, closed: datetime
) -> None:
    books = PostgresInternalRecords(database.pool)
    assert not await books.open(closed), "it is open"
    async with database.pool.acquire() as connection:  # examined before it was closed
        await superuser.execute("UPDATE installation SET reconcile_since = $1", closed)
        there = PostgresInternalRecords(connection)  # type: ignore[arg-type]
        assert not await there.open(closed + SECOND)
        assert await there.open(closed)
        assert not await there.open(closed)
