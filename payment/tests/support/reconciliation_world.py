"""A world of use cases whose two sides are reconciled, and what tests do behind the service's back.

The processor is the sandbox's own decision, in memory.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from support.examples import INSTALLATION, NOW
from support.use_case_world import UseCaseWorld

from payment.domain.creation import CreationAttempt
from payment.domain.evidence import OutcomeUnknown, Page
from payment.domain.payment import CaptureMethod, Payment
from payment.domain.refund import Refund
from payment.domain.values import PaymentMethod
from payment.reconciliation.comparison import Difference, ListedIntent
from payment.reconciliation.memory import MemoryInternalRecords
from payment.reconciliation.ports import ProcessorListing
from payment.reconciliation.reconcile import reconcile
from payment.reconciliation.report import Report
from payment.reconciliation.sources import ReconciliationSources
from sandbox.actions import CreateRefund, Request
from sandbox.transition import transition
from sandbox.world import World
from verification.processor import SimulatedProcessor, listed_intent

SINCE = NOW - timedelta(hours=3)
DECLINED = {"payment_method": PaymentMethod("pm_card_visa_chargeDeclined")}
THREE_D_SECURE = {"payment_method": PaymentMethod("pm_card_authenticationRequired")}
MANUAL_CAPTURE = {"capture_method": CaptureMethod.MANUAL}


class ReconciliationWorld(UseCaseWorld):
    """A world of use cases, its internal records and its processor's listing.

    Attributes:
        pauses: how long the reconciliation waited, in seconds, each time.
    """

    def __init__(self) -> None:
        super().__init__()
        self.records = MemoryInternalRecords(self.store)
        self.listing: ProcessorListing = self.simulated
        self.pauses: list[float] = []

    async def reconcile(self, since: datetime = SINCE, **options: Any) -> Report:
        """Reconcile until now, unless `until` is given."""
        self.advance(seconds=1)  # so that the second of what was created last is over
        sources = ReconciliationSources(
            payments=self.payments,
            refunds=self.refunds,
            records=self.records,
            processor=self.processor,
            listing=self.listing,
            pause=self._pause,
        )
        return await reconcile(sources, INSTALLATION, since, **options)

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    # ------------------------------------------------------------ what the service does

    async def pay(self, **fields: Any) -> Payment:
        """Create a payment, without a reference unless it is given."""
        return await super().pay(**{"reference": None, **fields})

    async def create_orphan(self) -> ListedIntent:
        """An unconfirmed intent, as an attempt leaves it that became no payment."""
        payment = await self.pay()
        await self.processor.create(CreationAttempt(uuid4(), payment.request, '"7"', self.now))
        return listed_intent(next(self.intents))

    # ------------------------------------------------------------ what happens to the records

    def lose(self, payment: Payment) -> None:
        """Remove a payment and its refunds, as restoring an older backup does."""
        del self.store.payments[payment.id]
        for refund in list(self.store.refunds.values()):
            if refund.payment_id == payment.id:
                del self.store.refunds[refund.id]

    def overwrite(self, row: Payment | Refund, **fields: Any) -> None:
        """Change a recorded row as no code of the service does."""
        rows: dict[UUID, Any] = (
            self.store.payments if isinstance(row, Payment) else self.store.refunds
        )
        rows[row.id] = replace(rows[row.id], **fields)

    # ------------------------------------------------------------ what happens at the processor

    def refund_in_dashboard(self, payment: Payment, amount: int) -> None:
        action = CreateRefund(payment.intent_id, amount)
        account = self.simulated
        account.view, _ = transition(account.view, Request(action), int(self.now.timestamp()))

    def empty_the_account(self) -> None:
        """Remove everything at the processor, as the key of another account does."""
        self.simulated.view = World()

    async def create_intent_of_another_installation(self, payment: Payment) -> ListedIntent:
        """An unconfirmed intent in the same account, by an installation named `another`."""
        account = self.simulated
        other = SimulatedProcessor("another", lambda: int(self.now.timestamp()), account.view)
        await other.create(CreationAttempt(uuid4(), payment.request, '"7"', self.now))
        account.view = other.view
        return listed_intent(next(self.intents))

    def status_of(self, intent_id: str) -> str:
        intent = self.simulated.view.intent(intent_id)
        assert intent is not None
        return intent.status.value


class Listing:
    """A listing that changes the simulated processor's pages of intents before they are read."""

    def __init__(
        self,
        inner: ProcessorListing,
        change: Callable[[Page[ListedIntent]], Page[ListedIntent] | OutcomeUnknown],
    ) -> None:
        self._inner = inner
        self._change = change
        self.refunds_made = inner.refunds_made
        self.discard = inner.discard

    async def intents(
        self, since: datetime, until: datetime, after: str
    ) -> Page[ListedIntent] | OutcomeUnknown:
        page = await self._inner.intents(since, until, after)
        assert isinstance(page, Page)
        return self._change(page)


def the_only_difference(report: Report) -> Difference:
    (difference,) = report.differences
    return difference
