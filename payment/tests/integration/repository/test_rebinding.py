"""What an adoption does to the places of events, on PostgreSQL."""

from itertools import pairwise

import asyncpg
import pytest
from stores import Stores

from chassis.database import Connection
from payment.domain.payment import State
from payment.rebinding import LOWER_PLACES, RECONCILE_SINCE

LIVED_LONG = """
SET session_replication_role = replica;
UPDATE payment_events SET xid = (xid::text::bigint + 1000000000)::text::xid8;
UPDATE payments SET event_xid = (event_xid::text::bigint + 1000000000)::text::xid8;
SET session_replication_role = origin
"""
PLACES = """
SELECT payment_id, sequence, xid::text::bigint AS place FROM payment_events
 ORDER BY payment_events.xid, payment_id, sequence
"""
LAST = """
SELECT count(*) FROM payments JOIN payment_events ON payment_id = id AND sequence = version
 WHERE event_xid <> xid
"""
Places = dict[tuple[object, int], int]


async def places(superuser: Connection) -> Places:
    rows = await superuser.fetch(PLACES)
    return {(row["payment_id"], row["sequence"]): row["place"] for row in rows}


@pytest.fixture
async def old(postgres: Stores, superuser: Connection) -> Places:
    """Events from a cluster whose transaction ids were far beyond this one's."""
    build_payment = [await postgres.build_payment() for _ in range(4)]
    for payment in reversed(build_payment):
        await postgres.move(payment, State.AUTHORIZED, State.CAPTURING, State.SUCCEEDED)
    await superuser.execute(LIVED_LONG)
    return await places(superuser)


async def lower(superuser: Connection, statements: str = LOWER_PLACES) -> Places:
    async with superuser.transaction():
        await superuser.execute(statements)
    return await places(superuser)


async def test_old_events_keep_their_order_and_new_ones_come_behind_them(
    postgres: Stores, superuser: Connection, old: Places
) -> None:
    lowered = await lower(superuser)

    assert list(lowered) == list(old)
    assert len(set(lowered.values())) == len(old), "there is room for each"
    assert await superuser.fetchval(LAST) == 0
    fresh = await postgres.build_payment()
    stream = await postgres.events.stream(None, 100, "")
    assert [(each.payment_id, each.sequence) for each in stream] == [*old, (fresh.id, 1)]


async def test_where_there_is_room_for_few_some_share_a_place_and_none_changes_sides(
    superuser: Connection, old: Places
) -> None:
    few = LOWER_PLACES.replace("pg_current_xact_id()::text::numeric - 1", "3::numeric")
    assert few != LOWER_PLACES

    lowered = await lower(superuser, few)

    assert set(lowered.values()) <= {0, 1, 2, 3}
    assert len(set(lowered.values())) > 1
    assert all(lowered[one] <= lowered[other] for one, other in pairwise(old))
    assert await superuser.fetchval(LAST) == 0


async def test_events_that_fit_are_left_where_they_are(
    postgres: Stores, superuser: Connection
) -> None:
    await postgres.payment_in(State.SUCCEEDED)
    before = await places(superuser)

    assert await lower(superuser) == before


async def test_events_cannot_be_changed_afterwards(superuser: Connection, old: Places) -> None:
    await lower(superuser)
    for statement in (
        "UPDATE payment_events SET note = 'changed'",
        "UPDATE payments SET event_xid = '3'",
    ):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await superuser.execute(statement)


async def test_it_is_compared_from_an_hour_before_the_last_thing_that_is_known(
    postgres: Stores, superuser: Connection
) -> None:
    made = await superuser.fetchval("SELECT create_time FROM installation")
    assert (made - await superuser.fetchval(RECONCILE_SINCE)).total_seconds() == 3600
    await postgres.build_payment()
    last = await postgres.payment_in(State.SUCCEEDED)
    assert (last.update_time - await superuser.fetchval(RECONCILE_SINCE)).total_seconds() == 3600
