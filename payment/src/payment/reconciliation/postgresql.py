"""The payments and refunds as a whole, for reconciliation."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from chassis.database import Pool
from payment.domain.payment import Payment
from payment.domain.refund import Refund
from payment.repository.postgresql import rows
from payment.repository.postgresql.refunds import REFUNDS

CLOCKS = timedelta(hours=1)
"""How far a replica's clock, which is in the ids, may be from the database's."""

BOUND_TO = "SELECT * FROM payments WHERE intent_id = ANY($1)"
REFUNDS_OF = f"{REFUNDS} WHERE refunds.id = ANY($1)"

# By the key: ids begin with the time (UUIDv7), so a time needs no index of its own.
REFUNDS_CREATED = f"""
{REFUNDS} WHERE refunds.id > $3 AND refunds.id < $4
   AND refunds.create_time >= $1 AND refunds.create_time < $2
ORDER BY refunds.id LIMIT $5
"""

MAKE_DUE = "UPDATE payments SET due_time = now() WHERE id = $1 AND version = $2"
MAKE_REFUND_DUE = "UPDATE refunds SET due_time = now() WHERE id = $1 AND version = $2"

# Whoever writes has a transaction id until its commit is over, and waits with it for a standby.
COMMITS_HANG = """
SELECT EXISTS (
    SELECT FROM pg_stat_activity
     WHERE datname = current_database() AND backend_xid IS NOT NULL AND xact_start < now() - $1::interval
)
"""

OPEN = "UPDATE installation SET reconcile_since = NULL WHERE reconcile_since >= $1 RETURNING generation"


class PostgresInternalRecords:
    """The port `InternalRecords` on the pool of the service's own database."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def now(self) -> datetime:
        now: datetime = await self._pool.fetchval("SELECT now()")
        return now

    async def bound_to(self, intent_ids: Sequence[str]) -> Sequence[Payment]:
        return [rows.payment(row) for row in await self._pool.fetch(BOUND_TO, list(intent_ids))]

    async def refunds_of(self, refund_ids: Sequence[UUID]) -> Sequence[Refund]:
        return [rows.refund(row) for row in await self._pool.fetch(REFUNDS_OF, list(refund_ids))]

    async def refunds_created(
        self, since: datetime, until: datetime, after: UUID | None, limit: int
    ) -> Sequence[Refund]:
        place = after or first_id(since - CLOCKS)
        end = first_id(until + CLOCKS)
        found = await self._pool.fetch(REFUNDS_CREATED, since, until, place, end, limit)
        return [rows.refund(row) for row in found]

    async def make_due(self, each: Payment | Refund) -> None:
        statement = MAKE_DUE if isinstance(each, Payment) else MAKE_REFUND_DUE
        await self._pool.execute(statement, each.id, each.version)

    async def commits_hang(self, longer_than: timedelta) -> bool:
        hang: bool = await self._pool.fetchval(COMMITS_HANG, longer_than)
        return hang

    async def open(self, since: datetime) -> bool:
        return await self._pool.fetchval(OPEN, since) is not None


def first_id(time: datetime) -> UUID:
    """The least id that can have been made at this time."""
    return UUID(int=int(time.timestamp() * 1000) << 80)
