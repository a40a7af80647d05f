"""Events in PostgreSQL. They are written by the statements of what they tell."""

from collections.abc import Sequence
from uuid import UUID

from chassis.database import Pool
from payment.domain.events import EventType, PaymentEvent
from payment.domain.payment import State
from payment.repository import cursor as cursors
from payment.repository.postgresql.rows import Row

# `place`, not `xid`: ORDER BY would take the output's name, sort texts, and pass by the index.
EVENTS = """
SELECT payment_id, refund_id, sequence, event_time, type, state, note, xid::text AS place
  FROM payment_events
"""

OF_PAYMENT = f"{EVENTS} WHERE payment_id = $1 AND sequence > $2 ORDER BY sequence LIMIT $3"

# A transaction that is still open may commit below what can already be seen, so nobody reads on
# from there: the bound is the oldest of them, in any database of the cluster.
SETTLED = "xid < pg_snapshot_xmin(pg_current_snapshot())"
AFTER = "(xid, payment_id, sequence) > ($1::text::xid8, $2, $3)"

STREAM = f"{EVENTS} WHERE {AFTER} AND {SETTLED} ORDER BY xid, payment_id, sequence LIMIT $4"

# The same order: a payment's events have growing places.
STREAM_OF_PAYMENT = f"""
{EVENTS} WHERE payment_id = $5 AND sequence > $6 AND {AFTER} AND {SETTLED}
ORDER BY sequence LIMIT $4
"""


class PostgresEvents:
    """An EventRepository on the pool of the service's own database."""

    def __init__(self, pool: Pool, generation: int) -> None:
        self._pool = pool
        self._era = generation

    async def of_payment(self, payment_id: UUID, limit: int, after: int) -> Sequence[PaymentEvent]:
        found = await self._pool.fetch(OF_PAYMENT, payment_id, after, limit)
        return [self._event(row) for row in found]

    async def stream(
        self, payment_id: UUID | None, limit: int, cursor: str
    ) -> Sequence[PaymentEvent]:
        xid, last_payment_id, sequence = cursors.read(cursor, self._era)
        place = (str(xid), last_payment_id, sequence)
        if payment_id is None:
            found = await self._pool.fetch(STREAM, *place, limit)
        else:
            passed = sequence if payment_id == last_payment_id else 0
            found = await self._pool.fetch(STREAM_OF_PAYMENT, *place, limit, payment_id, passed)
        return [self._event(row) for row in found]

    def _event(self, row: Row) -> PaymentEvent:
        place = cursors.Place(int(row["place"]), row["payment_id"], row["sequence"])
        return PaymentEvent(
            payment_id=row["payment_id"],
            sequence=row["sequence"],
            type=EventType(row["type"]),
            state=State(row["state"]),
            refund_id=row["refund_id"],
            note=row["note"],
            event_time=row["event_time"],
            cursor=cursors.written(place, self._era),
        )
