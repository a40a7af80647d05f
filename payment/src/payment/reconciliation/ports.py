"""The interfaces to both sides, as Protocols: the processor's listing and the internal records."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from payment.domain.evidence import OutcomeUnknown, Page, Reply
from payment.domain.payment import Payment
from payment.domain.refund import Refund
from payment.reconciliation.comparison import ListedIntent, ListedRefund


class ProcessorListing(Protocol):
    """Lists what was created in the processor's account, by any installation or program.

    Times are whole seconds of the processor's clock, from `since` and before `until`. `after` is the
    last id of the page before, empty for the first page.
    """

    async def intents(
        self, since: datetime, until: datetime, after: str
    ) -> Page[ListedIntent] | OutcomeUnknown: ...

    async def refunds_made(
        self, since: datetime, until: datetime, after: str
    ) -> Page[ListedRefund] | OutcomeUnknown: ...

    async def discard(self, intent_id: str) -> Reply:
        """Cancel an intent that no payment has."""


class InternalRecords(Protocol):
    """The payments and refunds that Payment has recorded."""

    async def now(self) -> datetime:
        """The database's time."""

    async def payments_of(self, intent_ids: Sequence[str]) -> Sequence[Payment]:
        """The payments that have one of these intents, deleted ones too."""

    async def refunds_of(self, refund_ids: Sequence[UUID]) -> Sequence[Refund]:
        """The refunds with these ids."""

    async def refunds_created(
        self, since: datetime, until: datetime, after: UUID | None, limit: int
    ) -> Sequence[Refund]:
        """A page of the refunds created from `since` and before `until`, by id, after `after`."""

    async def make_due(self, record: Payment | Refund) -> None:
        """Have recovery step a payment or refund next, unless it has changed since it was read."""

    async def has_open_write(self, longer_than: timedelta) -> bool:
        """Whether a transaction that has written has been open for longer than this."""

    async def open_database(self, since: datetime) -> bool:
        """Open a database that `rebind` closed, reconciled from `since` until now.

        Returns False where it is open already, or has to be reconciled from an earlier time.
        """
