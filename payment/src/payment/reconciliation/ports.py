"""What a reconciliation needs of the world, as Protocols."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from payment.domain.evidence import OutcomeUnknown, Page, Reply
from payment.domain.payment import Payment
from payment.domain.refund import Refund
from payment.reconciliation.comparison import ListedIntent, ListedRefund


class ProcessorListing(Protocol):
    """What the processor has done in a time, everybody's: for reconciliation. Times are whole
    seconds of the processor's clock, `until` is not within; `after` is the id that the page before
    ended with, empty for the first.
    """

    async def intents(
        self, since: datetime, until: datetime, after: str
    ) -> Page[ListedIntent] | OutcomeUnknown: ...

    async def refunds_made(
        self, since: datetime, until: datetime, after: str
    ) -> Page[ListedRefund] | OutcomeUnknown: ...

    async def discard(self, intent_id: str) -> Reply:
        """Cancel an intent that no payment is bound to."""


class InternalRecords(Protocol):
    """The payments and refunds as a whole: for reconciliation."""

    async def now(self) -> datetime: ...

    async def bound_to(self, intent_ids: Sequence[str]) -> Sequence[Payment]: ...

    async def refunds_of(self, refund_ids: Sequence[UUID]) -> Sequence[Refund]: ...

    async def refunds_created(
        self, since: datetime, until: datetime, after: UUID | None, limit: int
    ) -> Sequence[Refund]:
        """In the order of their ids, behind `after`."""

    async def make_due(self, each: Payment | Refund) -> None:
        """Have recovery look at it now, unless it has moved since it was read."""

    async def commits_hang(self, longer_than: timedelta) -> bool:
        """Whether something that may have written is still not committed."""

    async def open(self, since: datetime) -> bool:
        """Open the database after an adoption, which was compared from `since` on; False where it
        is open, or has to be compared from an earlier time.
        """
