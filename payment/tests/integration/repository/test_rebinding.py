"""What `rebind` does to the order of events, on PostgreSQL."""

from itertools import pairwise

import asyncpg
import pytest
from support.repositories import Repositories

from chassis.database import Connection
from payment.domain.payment import State
from payment.rebinding import LOWER_EVENTS, RECONCILE_SINCE

# As in a cluster that has run for long: the transaction ids of a new one begin far below.
RAISE_TRANSACTION_IDS = """
SET session_replication_role = replica;
UPDATE payment_events SET xid = (xid::text::bigint + 1000000000)::text::xid8;
UPDATE payments SET event_xid = (event_xid::text::bigint + 1000000000)::text::xid8;
SET session_replication_role = origin
"""
EVENTS = """
SELECT payment_id, sequence, xid::text::bigint AS xid FROM payment_events
 ORDER BY payment_events.xid, payment_id, sequence
"""
PAYMENTS_WITH_ANOTHER_XID_THAN_THEIR_LAST_EVENT = """
SELECT count(*) FROM payments JOIN payment_events ON payment_id = id AND sequence = version
 WHERE event_xid <> xid
"""
HOUR_IN_SECONDS = 3600
TransactionIds = dict[tuple[object, int], int]
"""The transaction ids of events by payment and sequence, in the order of the stream."""


async def transaction_ids(superuser: Connection) -> TransactionIds:
    rows = await superuser.fetch(EVENTS)
    return {(row["payment_id"], row["sequence"]): row["xid"] for row in rows}


@pytest.fixture
async def restored(postgres: Repositories, superuser: Connection) -> TransactionIds:
    """Events of a cluster whose transaction ids were far beyond this one's."""
    payments = [await postgres.create() for _ in range(4)]
    for payment in reversed(payments):
        await postgres.move(payment, State.AUTHORIZED, State.CAPTURING, State.SUCCEEDED)
    await superuser.execute(RAISE_TRANSACTION_IDS)
    return await transaction_ids(superuser)


async def lower_events(superuser: Connection, statements: str = LOWER_EVENTS) -> TransactionIds:
    async with superuser.transaction():
        await superuser.execute(statements)
    return await transaction_ids(superuser)


async def test_restored_events_keep_their_order_and_new_ones_come_after_them(
    postgres: Repositories, superuser: Connection, restored: TransactionIds
) -> None:
    lowered = await lower_events(superuser)

    assert list(lowered) == list(restored)
    assert len(set(lowered.values())) == len(restored), "there are enough ids"
    assert await superuser.fetchval(PAYMENTS_WITH_ANOTHER_XID_THAN_THEIR_LAST_EVENT) == 0
    new = await postgres.create()
    stream = await postgres.events.stream(None, 100, "")
    assert [(each.payment_id, each.sequence) for each in stream] == [*restored, (new.id, 1)]


async def test_with_too_few_ids_events_share_one_and_none_overtakes_another(
    superuser: Connection, restored: TransactionIds
) -> None:
    with_three_ids = LOWER_EVENTS.replace("pg_current_xact_id()::text::numeric - 1", "3::numeric")
    assert with_three_ids != LOWER_EVENTS

    lowered = await lower_events(superuser, with_three_ids)

    assert set(lowered.values()) <= {0, 1, 2, 3}
    assert len(set(lowered.values())) > 1
    assert all(lowered[earlier] <= lowered[later] for earlier, later in pairwise(restored))
    assert await superuser.fetchval(PAYMENTS_WITH_ANOTHER_XID_THAN_THEIR_LAST_EVENT) == 0


async def test_events_that_are_below_already_are_left_as_they_are(
    postgres: Repositories, superuser: Connection
) -> None:
    await postgres.create_in(State.SUCCEEDED)
    before = await transaction_ids(superuser)

    assert await lower_events(superuser) == before


async def test_after_it_events_cannot_be_changed(
    superuser: Connection, restored: TransactionIds
) -> None:
    await lower_events(superuser)
    for statement in (
        "UPDATE payment_events SET note = 'changed'",
        "UPDATE payments SET event_xid = '3'",
    ):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await superuser.execute(statement)


async def test_a_database_is_reconciled_from_an_hour_before_its_last_change(
    postgres: Repositories, superuser: Connection
) -> None:
    created = await superuser.fetchval("SELECT create_time FROM installation")
    since = await superuser.fetchval(RECONCILE_SINCE)
    assert (created - since).total_seconds() == HOUR_IN_SECONDS, "without any payment"

    await postgres.create()
    last = await postgres.create_in(State.SUCCEEDED)
    since = await superuser.fetchval(RECONCILE_SINCE)
    assert (last.update_time - since).total_seconds() == HOUR_IN_SECONDS
