"""`python -m payment reconcile`: what it is told, and the report, for a bookkeeper or a machine.

The shape of the JSON is a contract like any other: docs/reconciliation.md says what is in it.
"""

import argparse
import json
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import NoReturn

from chassis.iso_4217 import format_amount
from chassis.startup_error import StartupError
from payment.reconciliation.comparison import Difference, Kind
from payment.reconciliation.reconcile import Report, Total

AGE = re.compile(r"(\d{1,5})([mhd])")
UNITS = {"m": "minutes", "h": "hours", "d": "days"}
FORM = "%Y-%m-%dT%H:%M:%SZ"

SENTENCES = {
    Kind.CHARGED_WITHOUT_PAYMENT: "Charged, and not recorded here",
    Kind.CHARGED_TWICE: "Charged twice",
    Kind.CONFIRMED_WITHOUT_PAYMENT: "Tried, and not recorded here",
    Kind.UNKNOWN_TO_PROCESSOR: "Recorded here only",
    Kind.STATES_CONTRADICT: "The two sides say contrary things",
    Kind.AMOUNTS_DIFFER: "The amounts differ",
    Kind.HELD: "Held",
    Kind.REFUNDED_ELSEWHERE: "Refunded, and not by us",
    Kind.REFUND_UNKNOWN_TO_PROCESSOR: "Refunded here only",
    Kind.REFUNDS_DIFFER: "The refunds differ",
    Kind.UNREADABLE: "Not to be read",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says. `until` None is now."""

    since: datetime
    until: datetime | None
    as_json: bool
    report_only: bool
    differences_are_known: bool


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise StartupError(f"{message}. {self.format_usage().strip()}")


def asked_for(arguments: list[str], now: datetime) -> Asked:
    """Reads the arguments after `reconcile`. Raises StartupError."""

    def time(text: str) -> datetime:
        try:
            if age := AGE.fullmatch(text):
                return now - timedelta(**{UNITS[age[2]]: int(age[1])})
            read = datetime.fromisoformat(text)
        except (ValueError, OverflowError):
            message = f"{text[:40]!r} is no time: say 2026-11-24, 2026-11-24T08:00:00Z, or 26h, 7d"
            raise argparse.ArgumentTypeError(message) from None
        return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)

    parser = _Parser("python -m payment reconcile", add_help=False, allow_abbrev=False)
    parser.add_argument("--since", type=time, required=True, metavar="TIME")
    parser.add_argument("--until", type=time, metavar="TIME")
    parser.add_argument("--json", action="store_true", dest="as_json")
    parser.add_argument("--report-only", action="store_true")
    parser.add_argument("--differences-are-known", action="store_true")
    asked = Asked(**vars(parser.parse_args(arguments)))
    if asked.since >= (asked.until or now):
        raise StartupError("--since must be before --until, and that is now where it is not given.")
    return asked


def sentence(difference: Difference) -> str:
    """One difference, in words."""
    refund = difference.refund and f"refund {difference.refund}"
    about = [difference.payment, f"intent {difference.intent_id}", refund]
    sides = (("here", difference.ours), ("at the processor", difference.theirs))
    amounts = ", ".join(
        f"{format_amount(each.minor_units, each.currency_code) if each else 'nothing'} {where}"
        for where, each in sides
        if difference.ours or difference.theirs
    )
    said = f"{SENTENCES[difference.kind]}: {', '.join(filter(None, about))}"
    return f"{said}: {difference.words}{f' ({amounts})' if amounts else ''}."


def as_text(report: Report) -> str:
    """The report, to be read."""
    lines = [
        f"Payments and refunds from {report.since:%Y-%m-%d %H:%M:%S} to "
        f"{report.until:%Y-%m-%d %H:%M:%S} UTC",
        "",
    ]
    row = "{:<10}{:<14}{:>10}{:>22}{:>10}{:>22}"
    lines.append(row.format("", "", "charges", "charged", "refunds", "refunded").rstrip())
    for currency_code in sorted(report.ours.keys() | report.theirs.keys()):
        name = currency_code
        for side, sums in (("here", report.ours), ("processor", report.theirs)):
            total = sums.get(currency_code, Total())
            charged = format_amount(total.charged, currency_code)
            refunded = format_amount(total.refunded, currency_code)
            lines.append(row.format(name, side, total.payments, charged, total.refunds, refunded))
            name = ""
    if not report.ours and not report.theirs:
        lines.append("Nothing was charged or refunded.")
    number = len(report.differences)
    found = {0: "No difference.", 1: "1 difference:"}.get(number, f"{number} differences:")
    lines += ["", found, *(f"- {sentence(each)}" for each in report.differences)]
    notes = list(remarks(report))
    if notes:
        lines += ["", *notes]
    return "\n".join(lines) + "\n"


def remarks(report: Report) -> list[str]:
    """What is no difference, and worth knowing."""
    orphans, foreign = report.orphans, sum(report.foreign.values())
    said = [
        (report.cut_short, "There are more differences; what is behind them was not compared."),
        (
            report.under_way,
            f"Not at their end yet: {report.under_way}; {report.set_due} of them are behind the"
            " processor, and are looked at now.",
        ),
        (
            orphans.total(),
            f"Intents of attempts that became no payment, no card tried: {orphans['canceled']}"
            f" canceled now, {orphans['young']} younger than a day, {orphans['left']} left.",
        ),
        (
            report.refunded_strays,
            f"Charges without a payment of which all was given back: {report.refunded_strays}.",
        ),
        (foreign, f"Intents of others in the same account, untouched: {foreign}."),
        (report.opened, "The database was closed by its adoption. It is open now."),
    ]
    return [text for is_so, text in said if is_so]


def as_json(report: Report) -> str:
    """The report, for a machine."""
    currencies = sorted(report.ours.keys() | report.theirs.keys())
    body = {
        "since": report.since.strftime(FORM),
        "until": report.until.strftime(FORM),
        "agree": not report.differences,
        "cut_short": report.cut_short,
        "opened": report.opened,
        "totals": [
            {
                "currency_code": currency_code,
                "ours": asdict(report.ours.get(currency_code, Total())),
                "processor": asdict(report.theirs.get(currency_code, Total())),
            }
            for currency_code in currencies
        ],
        "differences": [
            {
                "kind": each.kind.value,
                "payment": each.payment,
                "intent": each.intent_id,
                "refund": each.refund,
                "ours": each.ours and asdict(each.ours),
                "processor": each.theirs and asdict(each.theirs),
                "sentence": sentence(each),
            }
            for each in report.differences
        ],
        "under_way": report.under_way,
        "set_due": report.set_due,
        "orphans": {name: report.orphans[name] for name in ("canceled", "young", "left")},
        "refunded_without_payment": report.refunded_strays,
        "foreign": dict(report.foreign),
    }
    return json.dumps(body, indent=2) + "\n"
