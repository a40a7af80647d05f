"""The port `InternalRecords` in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from chassis.database import Pool
from chassis.sql import Statement
from payment.domain.payment import Payment
from payment.domain.refund import Refund
from payment.repository.postgresql import rows
from payment.repository.postgresql.refunds import REFUNDS

MAX_CLOCK_SKEW = timedelta(hours=1)
"""How far a replica's clock, which makes the ids, may be from the database's."""

NOW = Statement("SELECT now()")
PAYMENTS_OF = Statement("SELECT * FROM payments WHERE intent_id = ANY(:intent_ids)")
REFUNDS_OF = Statement(f"{REFUNDS} WHERE refunds.id = ANY(:refund_ids)")

# By the primary key: an id begins with its time (UUIDv7), so that no index on the time is needed.
REFUNDS_CREATED = Statement(f"""
{REFUNDS} WHERE refunds.id > :after_id AND refunds.id < :before_id
   AND refunds.create_time >= :since AND refunds.create_time < :until
ORDER BY refunds.id LIMIT :limit
""")

MAKE_PAYMENT_DUE = Statement(
    "UPDATE payments SET due_time = now() WHERE id = :id AND version = :version"
)
MAKE_REFUND_DUE = Statement(
    "UPDATE refunds SET due_time = now() WHERE id = :id AND version = :version"
)

# A transaction that has written keeps its id until its commit is over, also while the commit waits for
# a standby.
HAS_OPEN_WRITE = Statement("""
SELECT EXISTS (
    SELECT FROM pg_stat_activity
     WHERE datname = current_database() AND backend_xid IS NOT NULL
       AND xact_start < now() - :longer_than::interval
)
""")

OPEN_DATABASE = Statement("""
UPDATE installation SET reconcile_since = NULL WHERE reconcile_since >= :since RETURNING generation
""")


class PostgresInternalRecords:
    """The records in the service's own database."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def now(self) -> datetime:
        now: datetime = await NOW.fetchval(self._pool)
        return now

    async def payments_of(self, intent_ids: Sequence[str]) -> Sequence[Payment]:
        found = await PAYMENTS_OF.fetch(self._pool, intent_ids=list(intent_ids))
        return [rows.payment(row) for row in found]

    async def refunds_of(self, refund_ids: Sequence[UUID]) -> Sequence[Refund]:
        found = await REFUNDS_OF.fetch(self._pool, refund_ids=list(refund_ids))
        return [rows.refund(row) for row in found]

    async def refunds_created(
        self, since: datetime, until: datetime, after: UUID | None, limit: int
    ) -> Sequence[Refund]:
        found = await REFUNDS_CREATED.fetch(
            self._pool,
            since=since,
            until=until,
            after_id=after or first_id(since - MAX_CLOCK_SKEW),
            before_id=first_id(until + MAX_CLOCK_SKEW),
            limit=limit,
        )
        return [rows.refund(row) for row in found]

    async def make_due(self, record: Payment | Refund) -> None:
        statement = MAKE_PAYMENT_DUE if isinstance(record, Payment) else MAKE_REFUND_DUE
        await statement.execute(self._pool, id=record.id, version=record.version)

    async def has_open_write(self, longer_than: timedelta) -> bool:
        found: bool = await HAS_OPEN_WRITE.fetchval(self._pool, longer_than=longer_than)
        return found

    async def open_database(self, since: datetime) -> bool:
        return await OPEN_DATABASE.fetchval(self._pool, since=since) is not None


def first_id(time: datetime) -> UUID:
    """The smallest UUIDv7 of this time."""
    return UUID(int=int(time.timestamp() * 1000) << 80)
