"""The port `InternalRecords` on the store in memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from payment.domain.payment import Payment
from payment.domain.refund import Refund
from payment.repository.memory import Store


@dataclass(slots=True)
class MemoryInternalRecords:
    """Nothing hangs here, unless it is said. `reconcile_since` as in the row of the installation."""

    store: Store
    hangs: bool = False
    reconcile_since: datetime | None = None

    async def now(self) -> datetime:
        return self.store.clock()

    async def bound_to(self, intent_ids: Sequence[str]) -> Sequence[Payment]:
        return [row for row in self.store.payments.values() if row.intent_id in intent_ids]

    async def refunds_of(self, refund_ids: Sequence[UUID]) -> Sequence[Refund]:
        return [row for row in self.store.refunds.values() if row.id in refund_ids]

    async def refunds_created(
        self, since: datetime, until: datetime, after: UUID | None, limit: int
    ) -> Sequence[Refund]:
        refunds = sorted(self.store.refunds.values(), key=lambda each: each.id)
        behind = (each for each in refunds if after is None or each.id > after)
        return [each for each in behind if since <= each.create_time < until][:limit]

    async def make_due(self, each: Payment | Refund) -> None:
        rows = self.store.payments if isinstance(each, Payment) else self.store.refunds
        if rows[each.id].version == each.version:
            self.store.schedule(each.id, timedelta(0))

    async def commits_hang(self, longer_than: timedelta) -> bool:  # noqa: ARG002 (of the port)
        return self.hangs

    async def open(self, since: datetime) -> bool:
        if self.reconcile_since is None or since > self.reconcile_since:
            return False
        self.reconcile_since = None
        return True
