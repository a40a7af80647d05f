"""The contract of the port `InternalRecords`, in memory and in PostgreSQL."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from support.repositories import SECOND, Repositories, in_transaction

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
StoresAndRecords = tuple[Repositories, InternalRecords]


@pytest.fixture(params=["memory", "postgresql"])
def both(request: pytest.FixtureRequest) -> StoresAndRecords:
    """Repositories to write with, and the internal records in them."""
    if request.param == "memory":
        store = Store(lambda: datetime.now(UTC))
        repositories = Repositories(
            MemoryPayments(store), MemoryRefunds(store), MemoryEvents(store)
        )
        return repositories, MemoryInternalRecords(store)
    database: Database = request.getfixturevalue("database")
    return request.getfixturevalue("postgres"), PostgresInternalRecords(database.pool)


async def test_payments_are_found_by_their_intents(both: StoresAndRecords) -> None:
    repositories, records = both
    one, other, _ = [await repositories.create() for _ in range(3)]

    found = await records.payments_of([one.intent_id, other.intent_id, "pi_unknown"])

    assert {each.id for each in found} == {one.id, other.id}
    assert await records.payments_of([]) == []


async def test_refunds_are_found_by_their_ids(both: StoresAndRecords) -> None:
    repositories, records = both
    payment = await repositories.create_in(State.SUCCEEDED)
    refund, _ = (
        await repositories.create_refund(payment, 300),
        await repositories.create_refund(payment, 400),
    )

    assert await records.refunds_of([refund.id, uuid7()]) == [refund]


async def test_the_refunds_of_a_time_come_in_pages(both: StoresAndRecords) -> None:
    repositories, records = both
    payment = await repositories.create_in(State.SUCCEEDED)
    refunds = [await repositories.create_refund(payment, 100) for _ in range(3)]
    now = await records.now()

    first_page = await records.refunds_created(now - HOUR, now + HOUR, None, 2)
    last_page = await records.refunds_created(now - HOUR, now + HOUR, first_page[-1].id, 2)

    assert [*first_page, *last_page] == sorted(refunds, key=lambda each: each.id)


async def test_the_refunds_of_a_time_begin_with_it_and_end_before_its_end(
    both: StoresAndRecords,
) -> None:
    repositories, records = both
    payment = await repositories.create_in(State.SUCCEEDED)
    refund = await repositories.create_refund(payment, 100)
    created = refund.create_time

    assert await records.refunds_created(created, created + HOUR, None, 9) == [refund]
    assert await records.refunds_created(created + SECOND, created + HOUR, None, 9) == []
    assert await records.refunds_created(created - HOUR, created, None, 9) == []


async def test_what_is_made_due_is_claimed_next(both: StoresAndRecords) -> None:
    repositories, records = both
    payment = await repositories.create_in(State.SUCCEEDED)
    refund = await repositories.create_refund(payment, 100)
    await repositories.refunds.reschedule(refund, None, 1)
    authorized = await repositories.create_in(State.AUTHORIZED)

    await records.make_due(refund)
    await records.make_due(authorized)

    assert await repositories.claim_refunds(9) == [refund.id]
    assert await repositories.claim(9) == [authorized.id]


async def test_what_has_changed_since_it_was_read_is_not_made_due(both: StoresAndRecords) -> None:
    repositories, records = both
    read = await repositories.create_in(State.AUTHORIZED)
    await repositories.move(read, State.CAPTURING)

    await records.make_due(read)

    assert await repositories.payments.claim_due(9) == []


async def test_a_transaction_that_has_written_and_is_not_committed_is_an_open_write(
    postgres: Repositories, database: Database
) -> None:
    records = PostgresInternalRecords(database.pool)
    assert not await records.has_open_write(timedelta(0))
    async with in_transaction(database.pool) as connection:
        payments, refunds = PostgresPayments(connection), PostgresRefunds(connection)
        await Repositories(payments, refunds, postgres.events).create()

        assert await records.has_open_write(timedelta(0))
        assert not await records.has_open_write(HOUR)


@pytest.fixture
async def reconcile_since(superuser: Connection) -> AsyncIterator[datetime]:
    """From when a closed database has to be reconciled; it is open again after the test."""
    yield datetime(2026, 11, 20, 8, tzinfo=UTC)
    await superuser.execute("UPDATE installation SET reconcile_since = NULL")


async def test_a_closed_database_is_opened_from_its_time_on_and_once(
    database: Database, superuser: Connection, reconcile_since: datetime
) -> None:
    open_database = PostgresInternalRecords(database.pool)
    assert not await open_database.open_database(reconcile_since), "it was not closed"

    async with database.pool.acquire() as connection:  # a new one would refuse a closed database
        await superuser.execute("UPDATE installation SET reconcile_since = $1", reconcile_since)
        records = PostgresInternalRecords(connection)  # type: ignore[arg-type]
        assert not await records.open_database(reconcile_since + SECOND)
        assert await records.open_database(reconcile_since)
        assert not await records.open_database(reconcile_since)
