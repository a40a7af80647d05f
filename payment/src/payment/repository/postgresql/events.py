"""Events in PostgreSQL. The statements of payments and refunds write them."""

from collections.abc import Sequence
from uuid import UUID

from chassis.database import Pool
from chassis.sql import Statement
from payment.domain.events import EventType, PaymentEvent
from payment.domain.payment import State
from payment.repository.cursor import StreamPosition, read_cursor, write_cursor
from payment.repository.postgresql.rows import Row

# `place`, not `xid`: ORDER BY would take the output's name, sort texts, and pass by the index.
EVENTS = """
SELECT payment_id, refund_id, sequence, event_time, type, state, note, xid::text AS place
  FROM payment_events
"""

OF_PAYMENT = Statement(
    f"{EVENTS} WHERE payment_id = :payment_id AND sequence > :after ORDER BY sequence LIMIT :limit"
)

# A transaction that is still open may commit below what can already be seen, so nobody reads on
# from there: the bound is the oldest of them, in any database of the cluster.
SETTLED = "xid < pg_snapshot_xmin(pg_current_snapshot())"
AFTER = "(xid, payment_id, sequence) > (:after_xid::text::xid8, :after_payment_id, :after_sequence)"

STREAM = Statement(
    f"{EVENTS} WHERE {AFTER} AND {SETTLED} ORDER BY xid, payment_id, sequence LIMIT :limit"
)

# The same order: a payment's events have growing places.
STREAM_OF_PAYMENT = Statement(f"""
{EVENTS} WHERE payment_id = :payment_id AND sequence > :passed AND {AFTER} AND {SETTLED}
ORDER BY sequence LIMIT :limit
""")


class PostgresEvents:
    """An EventRepository on the pool of the service's own database."""

    def __init__(self, pool: Pool, generation: int) -> None:
        self._pool = pool
        self._generation = generation

    async def of_payment(self, payment_id: UUID, limit: int, after: int) -> Sequence[PaymentEvent]:
        found = await OF_PAYMENT.fetch(self._pool, payment_id=payment_id, after=after, limit=limit)
        return [self._event(row) for row in found]

    async def stream(
        self, payment_id: UUID | None, limit: int, cursor: str
    ) -> Sequence[PaymentEvent]:
        xid, last_payment_id, sequence = read_cursor(cursor, self._generation)
        position = {
            "after_xid": str(xid),
            "after_payment_id": last_payment_id,
            "after_sequence": sequence,
            "limit": limit,
        }
        if payment_id is None:
            found = await STREAM.fetch(self._pool, **position)
        else:
            passed = sequence if payment_id == last_payment_id else 0
            found = await STREAM_OF_PAYMENT.fetch(
                self._pool, payment_id=payment_id, passed=passed, **position
            )
        return [self._event(row) for row in found]

    def _event(self, row: Row) -> PaymentEvent:
        position = StreamPosition(int(row["place"]), row["payment_id"], row["sequence"])
        return PaymentEvent(
            payment_id=row["payment_id"],
            sequence=row["sequence"],
            type=EventType(row["type"]),
            state=State(row["state"]),
            refund_id=row["refund_id"],
            note=row["note"],
            event_time=row["event_time"],
            cursor=write_cursor(position, self._generation),
        )
