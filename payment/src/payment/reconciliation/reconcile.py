"""One reconciliation: compares what was created in a time, on both sides, while the service runs.

It moves no money and changes no payment. What is behind the processor is made due, for recovery to
step; unconfirmed orphans are canceled; the rest is reported. Both sides are read in slices of time and
in pages, so that the memory does not grow with the payments.

The processor's listing only shows where to look. What differs there is read again from both sides
before it is reported, since a payment may have moved on meanwhile.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

from payment.domain.payment import Payment
from payment.domain.refund import Refund
from payment.reconciliation.comparison import (
    Difference,
    Kind,
    ListedIntent,
    ListedRefund,
    PaymentRecords,
    differences,
    in_progress,
    is_unfinished,
    is_up_to_date,
    matches_listing,
    money,
    paid_amount,
    refunded_amount,
    same_refund,
    unreadable,
)
from payment.reconciliation.orphans import Orphans
from payment.reconciliation.report import Report, TooManyDifferences
from payment.reconciliation.sources import ReconciliationSources

SLICE = timedelta(hours=1)
"""The time that is compared at once: the ids of its intents are kept in memory."""
OVERLAP = timedelta(minutes=10)
"""How much wider a slice of the listing is than one of the internal records: an intent is created up to
a minute before its payment, by another clock.
"""

Listed = TypeVar("Listed", ListedIntent, ListedRefund)


async def reconcile(
    sources: ReconciliationSources,
    installation: str,
    since: datetime,
    until: datetime | None = None,
    *,
    report_only: bool = False,
    accept_differences: bool = False,
) -> Report:
    """Compares what was created from `since` and before `until` (None: now).

    A database that `rebind` closed is opened if there is no difference, or they are accepted.

    Args:
        installation: whose intents are compared; those of others are only counted.
        report_only: change nothing: make nothing due, cancel no orphan, open no database.

    Raises:
        SourceUnavailable: a side did not answer.
    """
    start = since.replace(microsecond=0)
    end = (until or await sources.records.now()).replace(microsecond=0)
    report = Report(start, end)
    reconciliation = Reconciliation(
        sources, installation, report, report_only, Orphans(sources, report, report_only)
    )
    try:
        for begin, finish in slices(start, end):
            await reconciliation.compare_payments(begin, finish)
            await reconciliation.compare_refunds(begin, finish)
    except TooManyDifferences:
        report.truncated = True
        return report
    if until is None and not report_only and (accept_differences or not report.differences):
        report.database_opened = await sources.records.open_database(since)
    return report


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Compares one slice of time after the other. `examined`: the payments that were reported."""

    sources: ReconciliationSources
    installation: str
    report: Report
    report_only: bool
    orphans: Orphans
    examined: set[UUID] = field(default_factory=set)

    # ------------------------------------------------------------ payments

    async def compare_payments(self, since: datetime, until: datetime) -> None:
        """Compare the intents of the listing with their payments, and the payments not in it."""
        listed_ids: set[str] = set()
        async for page in self.sources.listed_intents(since - OVERLAP, until + OVERLAP):
            listed_ids.update(each.id for each in page)
            await self._compare_intents(created_between(page, since, until))
        async for payment in self.sources.payments_created(since, until):
            if payment.intent_id not in listed_ids:
                records = await self._examine(payment)
                if records.intent is None:
                    self._add_payment(records.payment)

    async def _compare_intents(self, page: Sequence[ListedIntent]) -> None:
        payments = await self.sources.payments_of([each.id for each in page])
        for listed in page:
            if payment := payments.get(listed.id):
                await self._compare_payment(payment, listed)
            elif listed.installation == self.installation:
                await self.orphans.review(listed)
            else:
                self.report.count_other_installation(listed.installation)

    async def _compare_payment(self, payment: Payment, listed: ListedIntent) -> None:
        intent = listed.intent
        if intent is None:
            self.report.add(unreadable(str(payment.name), listed.id))
            return
        if is_up_to_date(payment, listed):
            self.report.in_progress += 1
        elif not matches_listing(payment, listed):
            records = await self._examine(payment)
            payment, intent = records.payment, records.intent or intent
        self._add_payment(payment)
        self.report.add_payment(intent.amount.currency_code, processor=intent.amount_received)

    def _add_payment(self, payment: Payment) -> None:
        currency_code = payment.request.amount.currency_code
        self.report.add_payment(currency_code, internal=payment.amount_captured)

    # ------------------------------------------------------------ refunds

    async def compare_refunds(self, since: datetime, until: datetime) -> None:
        """Compare the refunds of the listing with the internal ones, and those not in it. They are
        listed for themselves, so that one is found whose payment is of an earlier time.
        """
        listed_ids: set[UUID | None] = set()
        async for page in self.sources.listed_refunds(since - OVERLAP, until + OVERLAP):
            listed_ids.update(each.refund.refund_id for each in page if each.refund)
            await self._compare_refunds(created_between(page, since, until))
        async for refund in self.sources.refunds_created(since, until):
            if refunded_amount(refund) and refund.id not in listed_ids:
                await self._compare_unlisted_refund(refund)

    async def _compare_refunds(self, page: Sequence[ListedRefund]) -> None:
        payments = await self.sources.payments_of([each.intent_id for each in page])
        ids = [each.refund.refund_id for each in page if each.refund and each.refund.refund_id]
        refunds = {each.id: each for each in await self.sources.records.refunds_of(ids)}
        for listed in page:
            payment, processor_refund = payments.get(listed.intent_id), listed.refund
            if payment is None:  # an orphan's, which is reported, or another installation's
                continue
            if processor_refund is None:
                self.report.add(unreadable(str(payment.name), listed.intent_id, listed.id))
                continue
            refund = refunds.get(processor_refund.refund_id) if processor_refund.refund_id else None
            internal, paid = refunded_amount(refund) if refund else 0, paid_amount(processor_refund)
            self.report.add_refund(listed.currency_code, internal=internal, processor=paid)
            if refund is None or internal != paid or is_unfinished(refund, [processor_refund]):
                await self._examine(payment)

    async def _compare_unlisted_refund(self, refund: Refund) -> None:
        """A refund that is not in the listing of its time: it may have been made much later."""
        records = await self._examine(await self.sources.payment(refund.payment_id))
        if not same_refund(refund, records.processor_refunds or []):
            self.report.add_refund(refund.currency_code, internal=refunded_amount(refund))

    # ------------------------------------------------------------ one payment, with its refunds

    async def _examine(self, payment: Payment) -> PaymentRecords:
        """Read both sides' records of a payment, and report them once."""
        records = await self.sources.payment_records(payment)
        if payment.id not in self.examined:
            self.examined.add(payment.id)
            await self._report(records)
        return records

    async def _report(self, records: PaymentRecords) -> None:
        if records.changed:  # the next reconciliation compares it
            self.report.in_progress += 1
            return
        self.report.add(*differences(records))
        if duplicate := await self._charged_twice(records):
            self.report.add(duplicate)
        for record, is_behind in in_progress(records):
            self.report.in_progress += 1
            if is_behind and not self.report_only:
                self.report.made_due += 1
                await self.sources.records.make_due(record)

    async def _charged_twice(self, records: PaymentRecords) -> Difference | None:
        """The difference where a payment that ended without money was charged, and another payment
        of the same reference, too.
        """
        payment, intent = records.payment, records.intent
        if intent is None or not (payment.state.ended_without_money and intent.amount_received):
            return None
        other = await self.sources.same_reference(payment)
        if other is None or not other.amount_captured:
            return None
        return Difference(
            Kind.CHARGED_TWICE,
            f"{other.name} was charged for the same reference",
            str(payment.name),
            intent.id,
            processor_amount=money(intent.amount_received, intent.amount.currency_code),
        )


def created_between(page: Sequence[Listed], since: datetime, until: datetime) -> list[Listed]:
    """What of a page was created from `since` and before `until`: the overlap left out."""
    return [each for each in page if since <= each.create_time < until]


def slices(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The time in slices, the oldest first."""
    while since < until:
        yield since, min(since + SLICE, until)
        since += SLICE
