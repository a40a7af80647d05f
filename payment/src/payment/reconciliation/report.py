"""The report of a reconciliation: what is counted, as text for people and as JSON for programs.

The shape of the JSON is an API: docs/reconciliation.md describes it.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import Enum

from chassis.iso_4217 import format_amount
from payment.domain.values import Money
from payment.reconciliation.comparison import Difference, Kind

MAX_DIFFERENCES = 10_000
"""With more the reconciliation stops: the two sides are not of the same installation."""
MAX_INSTALLATIONS = 100
"""How many other installations are counted by name; the rest are counted as "others"."""

HEADINGS = {
    Kind.CHARGED_WITHOUT_PAYMENT: "Charged, but no payment recorded",
    Kind.CHARGED_TWICE: "Charged twice",
    Kind.CONFIRMED_WITHOUT_PAYMENT: "Card tried, but no payment recorded",
    Kind.UNKNOWN_TO_PROCESSOR: "Not found at the processor",
    Kind.STATES_DIFFER: "The states differ",
    Kind.AMOUNTS_DIFFER: "The amounts differ",
    Kind.HELD: "Held",
    Kind.REFUNDED_ELSEWHERE: "Refunded outside Oncepay",
    Kind.REFUND_UNKNOWN_TO_PROCESSOR: "Refund not found at the processor",
    Kind.REFUNDS_DIFFER: "The refunds differ",
    Kind.UNREADABLE: "Unreadable",
}
TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


class TooManyDifferences(Exception):
    """More than MAX_DIFFERENCES were found."""


class OrphanOutcome(Enum):
    """What was done with an unconfirmed orphan."""

    CANCELED = "canceled"
    TOO_RECENT = "too_recent"
    NOT_CANCELED = "not_canceled"


@dataclass(slots=True)
class Totals:
    """The sums of one side in one currency, in minor units; `payments`: how many were charged."""

    payments: int = 0
    charged: int = 0
    refunds: int = 0
    refunded: int = 0


@dataclass(slots=True)
class Report:
    """What a reconciliation found.

    Attributes:
        internal, processor: the totals of each side by currency.
        truncated: there were more differences than MAX_DIFFERENCES; the rest was not compared.
        in_progress: payments and refunds that are not at their end.
        made_due: those of them that are behind the processor, and that recovery steps next.
        unconfirmed_orphans: orphans that no card was tried with, by what was done with them.
        refunded_orphans: orphans that were charged, and refunded in full.
        other_installations: intents of others in the same account, by the installation they name.
        database_opened: the database was closed by `rebind`, and is open now.
    """

    since: datetime
    until: datetime
    internal: dict[str, Totals] = field(default_factory=dict)
    processor: dict[str, Totals] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)
    truncated: bool = False
    in_progress: int = 0
    made_due: int = 0
    unconfirmed_orphans: Counter[OrphanOutcome] = field(default_factory=Counter)
    refunded_orphans: int = 0
    other_installations: Counter[str] = field(default_factory=Counter)
    database_opened: bool = False

    @property
    def currency_codes(self) -> list[str]:
        return sorted(self.internal.keys() | self.processor.keys())

    def add(self, *differences: Difference) -> None:
        """Raises TooManyDifferences."""
        room = MAX_DIFFERENCES - len(self.differences)
        self.differences += differences[:room]
        if len(differences) > room:
            raise TooManyDifferences

    def add_payment(self, currency_code: str, *, internal: int = 0, processor: int = 0) -> None:
        """Add what a payment was charged to each side's totals; 0 for nothing."""
        for side, charged in ((self.internal, internal), (self.processor, processor)):
            if charged:
                totals = side.setdefault(currency_code, Totals())
                totals.payments += 1
                totals.charged += charged

    def add_refund(self, currency_code: str, *, internal: int = 0, processor: int = 0) -> None:
        """Add what was refunded to each side's totals; 0 for nothing."""
        for side, refunded in ((self.internal, internal), (self.processor, processor)):
            if refunded:
                totals = side.setdefault(currency_code, Totals())
                totals.refunds += 1
                totals.refunded += refunded

    def count_other_installation(self, name: str) -> None:
        """Count an intent of another installation, or of another program (an empty name)."""
        counted = self.other_installations
        is_named = name in counted or len(counted) < MAX_INSTALLATIONS
        counted[name if is_named else "others"] += 1


def as_text(report: Report) -> str:
    """The report for people."""
    count = len(report.differences)
    found = {0: "No differences.", 1: "1 difference:"}.get(count, f"{count} differences:")
    notes = list(_notes(report))
    lines = [
        f"Payments and refunds from {report.since:%Y-%m-%d %H:%M:%S} to "
        f"{report.until:%Y-%m-%d %H:%M:%S} UTC",
        "",
        *_table(report),
        "",
        found,
        *(f"- {sentence(each)}" for each in report.differences),
        *(["", *notes] if notes else []),
    ]
    return "\n".join(lines) + "\n"


def _table(report: Report) -> Iterator[str]:
    """The totals of each side, a row for each currency and side."""
    row = "{:<10}{:<14}{:>10}{:>22}{:>10}{:>22}"
    yield row.format("", "", "payments", "charged", "refunds", "refunded")
    for currency_code in report.currency_codes:
        for side, totals in (("internal", report.internal), ("processor", report.processor)):
            total = totals.get(currency_code, Totals())
            yield row.format(
                currency_code if side == "internal" else "",
                side,
                total.payments,
                format_amount(total.charged, currency_code),
                total.refunds,
                format_amount(total.refunded, currency_code),
            )
    if not report.currency_codes:
        yield "Nothing was charged or refunded."


def sentence(difference: Difference) -> str:
    """A difference in words, with what it is about and the amounts."""
    names = [
        difference.payment,
        f"intent {difference.intent_id}",
        f"refund {difference.refund}" if difference.refund else "",
    ]
    about = f"{HEADINGS[difference.kind]}: {', '.join(filter(None, names))}: {difference.message}"
    internal, processor = difference.internal_amount, difference.processor_amount
    if internal is None and processor is None:
        return f"{about}."
    return f"{about} (internal: {_amount(internal)}, processor: {_amount(processor)})."


def _amount(amount: Money | None) -> str:
    return format_amount(amount.minor_units, amount.currency_code) if amount else "nothing"


def _notes(report: Report) -> Iterator[str]:
    """What is no difference, and worth knowing."""
    orphans = report.unconfirmed_orphans
    if report.truncated:
        yield "There are more differences: the reconciliation stopped, and the rest is not compared."
    if report.in_progress:
        yield (
            f"In progress: {report.in_progress}; made due for recovery, since the processor is"
            f" ahead: {report.made_due}."
        )
    if orphans.total():
        yield (
            f"Orphans that no card was tried with: {orphans[OrphanOutcome.CANCELED]} canceled now,"
            f" {orphans[OrphanOutcome.TOO_RECENT]} younger than a day,"
            f" {orphans[OrphanOutcome.NOT_CANCELED]} not canceled."
        )
    if report.refunded_orphans:
        yield f"Orphans that were charged, and refunded in full: {report.refunded_orphans}."
    if others := report.other_installations.total():
        yield f"Intents of others in the same account, not touched: {others}."
    if report.database_opened:
        yield "The database was closed by rebind. It is open now."


def as_json(report: Report) -> str:
    """The report for programs."""
    body = {
        "since": report.since.strftime(TIME_FORMAT),
        "until": report.until.strftime(TIME_FORMAT),
        "agree": not report.differences,
        "truncated": report.truncated,
        "database_opened": report.database_opened,
        "totals": [
            {
                "currency_code": currency_code,
                "internal": asdict(report.internal.get(currency_code, Totals())),
                "processor": asdict(report.processor.get(currency_code, Totals())),
            }
            for currency_code in report.currency_codes
        ],
        "differences": [
            {
                "kind": each.kind.value,
                "payment": each.payment,
                "intent": each.intent_id,
                "refund": each.refund,
                "internal_amount": each.internal_amount and asdict(each.internal_amount),
                "processor_amount": each.processor_amount and asdict(each.processor_amount),
                "message": sentence(each),
            }
            for each in report.differences
        ],
        "in_progress": report.in_progress,
        "made_due": report.made_due,
        "unconfirmed_orphans": {
            each.value: report.unconfirmed_orphans[each] for each in OrphanOutcome
        },
        "refunded_orphans": report.refunded_orphans,
        "other_installations": dict(report.other_installations),
    }
    return json.dumps(body, indent=2) + "\n"
