"""Compares a time of the processor's books with ours, both ways, while the service runs.

It moves no money and rewrites nothing. What is only behind is made due, for recovery to step; what no
payment was ever bound to, and no card was tried with, is canceled; the rest is reported. It goes by
slices of time and by pages, so that its memory does not grow with the payments.

The lists only say where to look. What looks different is asked for afresh, between two readings of
our own rows, before anything is said of it: a payment that moves meanwhile is no difference.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from chassis.aip.resources import Snapshot
from chassis.values import InvalidValue, RequestId
from payment.domain.evidence import Intent, IntentStatus, ProcessorRefund
from payment.domain.payment import Payment
from payment.domain.refund import Refund
from payment.reconciliation.comparison import (
    COMMIT_WITHIN,
    ORPHAN_AGE,
    Difference,
    Kind,
    ListedIntent,
    ListedRefund,
    agrees,
    amount_in_sums,
    differences,
    is_money,
    is_unconfirmed,
    matching,
    money,
    moves,
    refund_differences,
    refund_moves,
    stray,
    waits,
)
from payment.reconciliation.sources import ReconciliationSources

SLICE = timedelta(hours=1)
"""What is compared at once: the ids of an hour's intents are held."""
OVERLAP = timedelta(minutes=10)
"""How much further than its rows a slice of the processor's list reaches: an intent is made up to a
minute before its row, on another clock.
"""
LOOKS = 3
"""How often a payment that keeps moving is looked at, before it is left to the next comparison."""
MAX_DIFFERENCES = 10_000
"""Beyond it the comparison stops: it is another account's, or another database."""
MAX_NAMES = 100
"""How many other installations are counted by name."""


class TooManyDifferences(Exception):
    """What is compared is not two sides of the same."""


@dataclass(slots=True)
class Total:
    """What one side says of one currency: `charged` and `refunded` in minor units."""

    payments: int = 0
    charged: int = 0
    refunds: int = 0
    refunded: int = 0


@dataclass(slots=True)
class Report:
    """What came of it.

    Attributes:
        cut_short: there are more differences than are told, and what is behind was not compared.
        under_way: payments and refunds that are not at their end; `set_due`: those of them that
            recovery was told to look at now.
        orphans: canceled, too young for it, or left because it could not be done.
        refunded_strays: charges without a payment, of which all was given back.
        foreign: intents of others, by the installation they name.
        opened: the database was closed by an adoption, and is open now.
    """

    since: datetime
    until: datetime
    ours: dict[str, Total] = field(default_factory=dict)
    theirs: dict[str, Total] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)
    cut_short: bool = False
    under_way: int = 0
    set_due: int = 0
    orphans: Counter[str] = field(default_factory=Counter)
    refunded_strays: int = 0
    foreign: Counter[str] = field(default_factory=Counter)
    opened: bool = False

    def count_payment(self, currency_code: str, ours: int, theirs: int) -> None:
        """What was charged on each side; 0 where nothing was."""
        for sums, charged in ((self.ours, ours), (self.theirs, theirs)):
            if charged:
                total = sums.setdefault(currency_code, Total())
                total.payments += 1
                total.charged += charged

    def count_refund(self, currency_code: str, ours: int, theirs: int) -> None:
        """The same of what was given back."""
        for sums, refunded in ((self.ours, ours), (self.theirs, theirs)):
            if refunded:
                total = sums.setdefault(currency_code, Total())
                total.refunds += 1
                total.refunded += refunded


async def reconcile(
    sides: ReconciliationSources,
    installation: str,
    since: datetime,
    until: datetime | None = None,
    *,
    report_only: bool = False,
    differences_are_known: bool = False,
) -> Report:
    """Compare what was made from `since` until `until`, or now, of what is the installation's.
    Raises CouldNotCompare.

    A database that an adoption has closed is opened where both sides agree, or where a person
    knows of the differences.
    """
    start = since.replace(microsecond=0)
    end = (until or await sides.records.now()).replace(microsecond=0)
    report = Report(start, end)
    comparison = Comparison(sides, installation, report, report_only)
    try:
        for begin, finish in slices(start, end):
            await comparison.compare(begin, finish)
    except TooManyDifferences:
        report.cut_short = True
        return report
    if until is None and not report_only and (differences_are_known or not report.differences):
        report.opened = await sides.records.open(since)
    return report


@dataclass(slots=True)
class Comparison:
    """One comparison, as it goes on. `strays`: charges without a payment, by their request_id."""

    sides: ReconciliationSources
    installation: str
    report: Report
    report_only: bool
    examined: set[UUID] = field(default_factory=set)
    strays: dict[str, str] = field(default_factory=dict)

    async def compare(self, since: datetime, until: datetime) -> None:
        """One slice, both ways."""
        wide = since - OVERLAP, until + OVERLAP
        known: set[str] = set()
        async for intents in self.sides.intents(*wide):
            known.update(each.id for each in intents)
            await self._take_intents([one for one in intents if since <= one.create_time < until])
        async for rows in self.sides.rows(since, until):
            for row in rows:
                if row.intent_id not in known:
                    await self._not_listed(row)
        known.clear()
        async for made in self.sides.refunds_made(*wide):
            known.update(str(each.refund.refund_id) for each in made if each.refund)
            await self._take_refunds([one for one in made if since <= one.create_time < until])
        async for refunds in self.sides.refund_rows(since, until):
            for refund in refunds:
                if amount_in_sums(refund) and str(refund.id) not in known:
                    await self._refund_not_listed(refund)

    # ------------------------------------------------------------ payments

    async def _take_intents(self, listed: Sequence[ListedIntent]) -> None:
        bound = await self.sides.records.bound_to([each.id for each in listed])
        rows = {row.intent_id: row for row in bound}
        for each in listed:
            row = rows.get(each.id)
            if row is not None:
                await self._compare(row, each)
            elif each.installation == self.installation:
                await self._stray(each)
            else:
                name, foreign = each.installation, self.report.foreign
                foreign[name if name in foreign or len(foreign) < MAX_NAMES else "others"] += 1

    async def _compare(self, row: Payment, listed: ListedIntent) -> None:
        intent = listed.intent
        if intent is None:
            self._tell_unreadable(str(row.name), listed.id)
            return
        if waits(row, listed):
            self.report.under_way += 1
        elif not agrees(row, listed):
            row, found = await self._examine(row)
            intent = found or intent
        self.report.count_payment(row.request.amount.currency_code, row.amount_captured, 0)
        self.report.count_payment(intent.amount.currency_code, 0, intent.amount_received)

    async def _not_listed(self, row: Payment) -> None:
        """A row whose intent is in no list of that time: its own answer decides."""
        row, intent = await self._examine(row)
        if intent is None:
            self.report.count_payment(row.request.amount.currency_code, row.amount_captured, 0)

    async def _examine(self, row: Payment) -> tuple[Payment, Intent | None]:
        """Ask both sides afresh for one payment and its refunds, and tell what differs."""
        for _ in range(LOOKS):
            intent = await self.sides.intent(row.intent_id)
            theirs = await self.sides.their_refunds(row.intent_id) if intent else []
            ours = await self.sides.our_refunds(row.id)
            seen = await self.sides.payments.get(row.id)
            still = seen.resource.version == row.version
            if still:
                break
            row = seen.resource
        if row.id not in self.examined:
            self.examined.add(row.id)
            if not still:
                self.report.under_way += 1
            elif intent is None:
                kind, words = Kind.UNKNOWN_TO_PROCESSOR, "the processor knows of no such intent"
                amount = row.request.amount
                self._tell(Difference(kind, words, str(row.name), row.intent_id, ours=amount))
            elif theirs is None:
                self._tell_unreadable(str(row.name), row.intent_id)
            else:
                await self._judge(seen, intent, ours, theirs)
        return row, intent

    async def _judge(
        self,
        seen: Snapshot[Payment],
        intent: Intent,
        ours: Sequence[Refund],
        theirs: Sequence[ProcessorRefund],
    ) -> None:
        payment = seen.resource
        self._tell(*differences(payment, intent), *refund_differences(payment, ours, theirs))
        await self._tell_charged_twice(payment, intent)
        if not payment.is_settled:
            await self._set_due(payment, is_behind=moves(payment, intent, seen.now))
        for refund in ours:
            if refund_moves(refund, theirs):
                await self._set_due(refund, is_behind=bool(matching(refund, theirs)))

    async def _set_due(self, each: Payment | Refund, *, is_behind: bool) -> None:
        self.report.under_way += 1
        if is_behind and not self.report_only:
            self.report.set_due += 1
            await self.sides.records.make_due(each)

    async def _tell_charged_twice(self, payment: Payment, intent: Intent) -> None:
        """A payment that ended without money was charged: is its reference's living one, too?"""
        ended, reference = payment.state.ended_without_money, payment.request.reference
        if ended and reference is not None and intent.amount_received:
            found = await self.sides.payments.find_conflicts(payment.request.request_id, reference)
            other = found.same_reference
            if other is not None and other.amount_captured:
                words = f"{other.name} was charged for the same reference"
                received = money(intent.amount_received, intent.amount.currency_code)
                kind, name = Kind.CHARGED_TWICE, str(payment.name)
                self._tell(Difference(kind, words, name, intent.id, theirs=received))

    async def _stray(self, listed: ListedIntent) -> None:
        """An intent of ours that no payment is bound to."""
        if listed.intent is None:
            self._tell_unreadable("", listed.id)
            return
        intent = await self.sides.intent(listed.id)
        rows = await self.sides.records.bound_to([listed.id])
        if intent is None or rows:  # its row came meanwhile
            return
        difference = stray(listed, intent, await self._holder(listed))
        if intent.amount_received or intent.status is IntentStatus.REQUIRES_CAPTURE:
            self.strays.setdefault(listed.request_id, listed.id)
            self.report.count_payment(intent.amount.currency_code, 0, intent.amount_received)
        if difference is not None:
            self._tell(difference)
        elif is_unconfirmed(intent):
            self.report.orphans[await self._cancel_orphan(listed)] += 1
        elif intent.amount_received:
            self.report.refunded_strays += 1

    async def _cancel_orphan(self, listed: ListedIntent) -> str:
        if await self.sides.records.now() - listed.create_time < ORPHAN_AGE:
            return "young"
        if self.report_only or await self.sides.records.commits_hang(COMMIT_WITHIN):
            return "left"
        if await self.sides.records.bound_to(
            [listed.id]
        ):  # by what hung when its row was looked for
            return "left"
        reply = await self.sides.listing.discard(listed.id)
        gone = isinstance(reply, Intent) and reply.status is IntentStatus.CANCELED
        return "canceled" if gone else "left"

    async def _holder(self, listed: ListedIntent) -> str:
        """What else was charged for the request_id of a stray intent; empty where nothing was."""
        try:
            record = await self.sides.payments.find_request(RequestId(listed.request_id))
        except InvalidValue:
            return ""
        seen = await self.sides.payments.get(record.payment_id) if record else None
        if seen is not None and not seen.resource.state.ended_without_money:
            return str(seen.resource.name)
        return self.strays.get(listed.request_id, "")

    # ------------------------------------------------------------ refunds

    async def _take_refunds(self, listed: Sequence[ListedRefund]) -> None:
        bound = await self.sides.records.bound_to([each.intent_id for each in listed])
        rows = {row.intent_id: row for row in bound}
        ids = [each.refund.refund_id for each in listed if each.refund and each.refund.refund_id]
        ours = {refund.id: refund for refund in await self.sides.records.refunds_of(ids)}
        for each in listed:
            payment, word = rows.get(each.intent_id), each.refund
            if payment is None:  # another's, or of a charge without a payment, which is told of
                continue
            if word is None:
                self._tell_unreadable(str(payment.name), each.intent_id, each.id)
                continue
            mine = ours.get(word.refund_id) if word.refund_id else None
            amount = amount_in_sums(mine) if mine else 0
            theirs = word.amount if is_money(word) else 0
            self.report.count_refund(each.currency_code, amount, theirs)
            if mine is None or amount != theirs or refund_moves(mine, [word]):
                await self._examine(payment)

    async def _refund_not_listed(self, refund: Refund) -> None:
        """A refund of ours that is in no list of that time: it may have been made much later."""
        await self._examine((await self.sides.payments.get(refund.payment_id)).resource)
        if not matching(refund, await self.sides.their_refunds(refund.intent_id) or []):
            self.report.count_refund(refund.currency_code, amount_in_sums(refund), 0)

    # ------------------------------------------------------------ what is told

    def _tell_unreadable(self, payment: str, intent_id: str, refund: str = "") -> None:
        words = "what the processor says of it cannot be read"
        self._tell(Difference(Kind.UNREADABLE, words, payment, intent_id, refund=refund))

    def _tell(self, *found: Difference) -> None:
        room = MAX_DIFFERENCES - len(self.report.differences)
        self.report.differences += found[:room]
        if len(found) > room:
            raise TooManyDifferences


def slices(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The time in pieces, the oldest first."""
    while since < until:
        yield since, min(since + SLICE, until)
        since += SLICE
