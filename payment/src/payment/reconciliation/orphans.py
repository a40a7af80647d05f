"""Orphans: intents of this installation that no payment has.

CreatePayment creates an unconfirmed intent first, and its payment then. An attempt that loses a race, or
its caller, leaves the intent: it moves no money, and is canceled here. An orphan that a card was tried
with is a difference: its payment was lost, as by restoring an older backup.
"""

from dataclasses import dataclass, field
from datetime import timedelta

from chassis.values import InvalidValue, RequestId
from payment.domain.evidence import Intent, IntentStatus
from payment.reconciliation.comparison import Difference, Kind, ListedIntent, money, unreadable
from payment.reconciliation.report import OrphanOutcome, Report
from payment.reconciliation.sources import ReconciliationSources

MIN_AGE = timedelta(hours=24)
"""How old an unconfirmed orphan is canceled: by then the insert of its payment has long run into its
deadline.
"""
MAX_COMMIT_TIME = timedelta(hours=1)
"""How long a commit may take, while a standby does not answer. While one takes longer, the row that has
the intent may yet appear: no orphan is canceled.
"""
UNTRIED = {IntentStatus.REQUIRES_CONFIRMATION, IntentStatus.REQUIRES_PAYMENT_METHOD}


@dataclass(frozen=True, slots=True)
class Orphans:
    """Reports or cancels orphans.

    Attributes:
        report_only: cancel nothing.
        charged: the charged orphans so far, by their request_id.
    """

    sources: ReconciliationSources
    report: Report
    report_only: bool
    charged: dict[str, str] = field(default_factory=dict)

    async def review(self, listed: ListedIntent) -> None:
        """Report an intent without a payment, or cancel it."""
        if listed.intent is None:
            self.report.add(unreadable("", listed.id))
            return
        intent = await self.sources.intent(listed.id)
        if intent is None or await self.sources.payments_of([listed.id]):
            return  # it is gone, or its payment was recorded after the page was read
        difference = orphan_difference(listed, intent, await self._same_request(listed))
        if has_money(intent):
            self.charged.setdefault(listed.request_id, listed.id)
            currency_code, received = intent.amount.currency_code, intent.amount_received
            self.report.add_payment(currency_code, processor=received)
        if difference is not None:
            self.report.add(difference)
        elif is_unconfirmed(intent):
            self.report.unconfirmed_orphans[await self._cancel(listed)] += 1
        elif intent.amount_received:
            self.report.refunded_orphans += 1

    async def _same_request(self, listed: ListedIntent) -> str:
        """What else was charged for the orphan's request_id: a payment, or an orphan; or nothing."""
        try:
            record = await self.sources.payments.find_request(RequestId(listed.request_id))
        except InvalidValue:
            return ""
        if record is not None:
            payment = await self.sources.payment(record.payment_id)
            if not payment.state.ended_without_money:
                return str(payment.name)
        return self.charged.get(listed.request_id, "")

    async def _cancel(self, listed: ListedIntent) -> OrphanOutcome:
        records = self.sources.records
        if await records.now() - listed.create_time < MIN_AGE:
            return OrphanOutcome.TOO_RECENT
        if self.report_only or await records.has_open_write(MAX_COMMIT_TIME):
            return OrphanOutcome.NOT_CANCELED
        if await self.sources.payments_of([listed.id]):  # of a write that was open until now
            return OrphanOutcome.NOT_CANCELED
        reply = await self.sources.listing.discard(listed.id)
        is_canceled = isinstance(reply, Intent) and reply.status is IntentStatus.CANCELED
        return OrphanOutcome.CANCELED if is_canceled else OrphanOutcome.NOT_CANCELED


def orphan_difference(listed: ListedIntent, intent: Intent, same_request: str) -> Difference | None:
    """The difference that an orphan is; None where no card was tried, or all was refunded.

    `same_request`: what else was charged for its request_id; empty for nothing.
    """
    received = intent.amount_received
    if is_unconfirmed(intent) or intent.status is IntentStatus.CANCELED:
        return None
    if intent.status is IntentStatus.SUCCEEDED and listed.amount_refunded >= received:
        return None
    if not has_money(intent):
        kind = Kind.CONFIRMED_WITHOUT_PAYMENT
        message = f"a card was tried ({intent.status.value}), and no payment has this intent"
    else:
        is_captured = intent.status is IntentStatus.SUCCEEDED
        effect = "the card was charged" if is_captured else "the processor holds the money"
        kind, message = Kind.CHARGED_WITHOUT_PAYMENT, f"{effect}, and no payment has this intent"
        if same_request:
            kind, message = Kind.CHARGED_TWICE, f"{message}; {same_request} has its request_id"
    amount = money(received, intent.amount.currency_code) or intent.amount
    return Difference(kind, message, intent_id=intent.id, processor_amount=amount)


def is_unconfirmed(intent: Intent) -> bool:
    """Whether no card was tried with an intent, and only this installation can try one."""
    return intent.status in UNTRIED and intent.failure is None


def has_money(intent: Intent) -> bool:
    """Whether an intent has charged a card, or holds its money."""
    return intent.status in {IntentStatus.SUCCEEDED, IntentStatus.REQUIRES_CAPTURE}
