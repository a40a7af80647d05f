"""The port `InternalRecords` in memory, for tests."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from payment.domain.payment import Payment
from payment.domain.refund import Refund
from payment.repository.memory import Store


@dataclass(slots=True)
class MemoryInternalRecords:
    """The records of a store in memory.

    Attributes:
        open_write: what `has_open_write` answers.
        reconcile_since: as in the row of the installation; None where the database is open.
    """

    store: Store
    open_write: bool = False
    reconcile_since: datetime | None = None

    async def now(self) -> datetime:
        return self.store.clock()

    async def payments_of(self, intent_ids: Sequence[str]) -> Sequence[Payment]:
        return [row for row in self.store.payments.values() if row.intent_id in intent_ids]

    async def refunds_of(self, refund_ids: Sequence[UUID]) -> Sequence[Refund]:
        return [row for row in self.store.refunds.values() if row.id in refund_ids]

    async def refunds_created(
        self, since: datetime, until: datetime, after: UUID | None, limit: int
    ) -> Sequence[Refund]:
        by_id = sorted(self.store.refunds.values(), key=lambda row: row.id)
        rows = (row for row in by_id if after is None or row.id > after)
        return [row for row in rows if since <= row.create_time < until][:limit]

    async def make_due(self, record: Payment | Refund) -> None:
        rows = self.store.payments if isinstance(record, Payment) else self.store.refunds
        if rows[record.id].version == record.version:
            self.store.schedule(record.id, timedelta(0))

    async def has_open_write(self, longer_than: timedelta) -> bool:  # noqa: ARG002 (of the port)
        return self.open_write

    async def open_database(self, since: datetime) -> bool:
        if self.reconcile_since is None or since > self.reconcile_since:
            return False
        self.reconcile_since = None
        return True
