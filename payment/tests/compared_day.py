"""A day in a small world, and the comparison of its two sides: for what is planted behind the service's
back. The processor is the sandbox's own decision.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from payment_examples import INSTALLATION, NOW
from small_world import SmallWorld

from chassis.values import RequestId
from payment.domain.creation import CreationAttempt
from payment.domain.payment import CaptureMethod, Payment
from payment.domain.refund import Refund, RefundRequest
from payment.domain.values import Money, PaymentMethod, PaymentName
from payment.reconciliation.comparison import Difference, ListedIntent
from payment.reconciliation.memory import MemoryInternalRecords
from payment.reconciliation.reconcile import Report, reconcile
from payment.reconciliation.sources import ReconciliationSources
from sandbox.actions import CreateRefund, Request
from sandbox.transition import transition
from verification.processor import listed_intent

SINCE = NOW - timedelta(hours=3)
DECLINED = {"payment_method": PaymentMethod("pm_card_visa_chargeDeclined")}
MANUAL = {"capture_method": CaptureMethod.MANUAL}


class Day(SmallWorld):
    """A small world, and the comparison of it."""

    def __init__(self) -> None:
        super().__init__()
        self.records = MemoryInternalRecords(self.store)
        self.listing: Any = self.processor.inner
        self.waited: list[float] = []

    async def compare(self, since: datetime = SINCE, **said: Any) -> Report:
        self.later(seconds=1)  # what was made in this second is in the time that is compared

        async def pause(seconds: float) -> None:
            self.waited.append(seconds)

        sides = ReconciliationSources(
            self.payments, self.refunds, self.records, self.processor, self.listing, pause
        )
        return await reconcile(sides, INSTALLATION, since, **said)

    async def refund_part(self, payment: Payment, amount: int) -> Refund:
        request = RefundRequest(
            RequestId(str(uuid4())), PaymentName(payment.id), Money(amount, "EUR")
        )
        return await self.create_refund(request)

    async def pay(self, **said: Any) -> Payment:
        return await super().pay(**{"reference": None, **said})

    def lose(self, payment: Payment) -> None:
        """What restoring an older backup does to a payment, and to its refunds."""
        del self.store.payments[payment.id]
        for refund in list(self.store.refunds.values()):
            if refund.payment_id == payment.id:
                del self.store.refunds[refund.id]

    def alter(self, row: Payment | Refund, **how: Any) -> None:
        """What no code of ours does to a row."""
        rows: dict[UUID, Any] = (
            self.store.payments if isinstance(row, Payment) else self.store.refunds
        )
        rows[row.id] = replace(rows[row.id], **how)

    async def attempt(self, **said: Any) -> ListedIntent:
        """An unconfirmed intent, of an attempt that became no payment."""
        payment = await self.pay(**said)
        attempt = CreationAttempt(uuid4(), payment.request, '"7"', self.now)
        await self.processor.create(attempt)
        return listed_intent(next(self.intents))

    def refund_in_the_dashboard(self, payment: Payment, amount: int) -> None:
        inner = self.processor.inner
        action = CreateRefund(payment.intent_id, amount)
        inner.view, _ = transition(inner.view, Request(action), int(self.now.timestamp()))

    def status(self, intent_id: str) -> str:
        intent = self.processor.inner.view.intent(intent_id)
        assert intent is not None
        return intent.status.value


def the_one(report: Report) -> Difference:
    (difference,) = report.differences
    return difference
