"""What `reconcile` is told, and how its report reads."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chassis.startup_error import StartupError
from payment.domain.values import Money
from payment.reconciliation.comparison import Difference, Kind
from payment.reconciliation.reconcile import Report, Total
from payment.reconciliation.report import SENTENCES, as_json, as_text, asked_for

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
REPORT = Report(
    since=datetime(2026, 11, 23, tzinfo=UTC),
    until=datetime(2026, 11, 24, tzinfo=UTC),
    ours={"EUR": Total(payments=2, charged=123456, refunds=1, refunded=50)},
    theirs={"EUR": Total(payments=2, charged=123456), "JPY": Total(payments=1, charged=500)},
)
LOST = Difference(
    Kind.CHARGED_WITHOUT_PAYMENT,
    "the card was charged, and there is no payment of it here",
    intent_id="pi_1",
    theirs=Money(500, "JPY"),
)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("26h", NOW - timedelta(hours=26)),
        ("7d", NOW - timedelta(days=7)),
        ("90m", NOW - timedelta(minutes=90)),
        ("2026-11-23", datetime(2026, 11, 23, tzinfo=UTC)),
        ("2026-11-23T08:30:00Z", datetime(2026, 11, 23, 8, 30, tzinfo=UTC)),
        ("2026-11-23T08:30:00+02:00", datetime(2026, 11, 23, 6, 30, tzinfo=UTC)),
    ],
)
def test_a_time_is_a_date_a_moment_or_an_age(text: str, time: datetime) -> None:
    assert asked_for(["--since", text], NOW).since == time


@pytest.mark.parametrize("text", ["", "yesterday", "26", "h", "99999d9", "2026-13-01"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(StartupError, match="is no time"):
        asked_for(["--since", text], NOW)


def test_all_that_can_be_said_is_read() -> None:
    asked = asked_for(
        ["--since", "7d", "--until", "1d", "--json", "--report-only", "--differences-are-known"],
        NOW,
    )
    assert asked.until == NOW - timedelta(days=1)
    assert (asked.as_json, asked.report_only, asked.differences_are_known) == (True, True, True)
    plain = asked_for(["--since", "7d"], NOW)
    assert plain.until is None
    assert not (plain.as_json or plain.report_only or plain.differences_are_known)


def test_the_text_has_both_sides_of_every_currency_and_each_difference() -> None:
    text = as_text(replace(REPORT, differences=[LOST]))
    lines = text.splitlines()
    assert "from 2026-11-23 00:00:00 to 2026-11-24 00:00:00 UTC" in lines[0]
    assert [line.split() for line in lines[3:7]] == [
        ["EUR", "here", "2", "EUR", "1,234.56", "1", "EUR", "0.50"],
        ["processor", "2", "EUR", "1,234.56", "0", "EUR", "0.00"],
        ["JPY", "here", "0", "JPY", "0", "0", "JPY", "0"],
        ["processor", "1", "JPY", "500", "0", "JPY", "0"],
    ]
    assert lines[8:] == [
        "1 difference:",
        "- Charged, and not recorded here: intent pi_1: the card was charged, and there is no "
        "payment of it here (nothing here, JPY 500 at the processor).",
    ]


def test_a_day_without_anything_says_so() -> None:
    text = as_text(replace(REPORT, ours={}, theirs={}))
    assert "Nothing was charged or refunded." in text
    assert text.endswith("No difference.\n")


def test_what_is_no_difference_is_remarked() -> None:
    report = replace(REPORT, cut_short=True, under_way=3, set_due=1, refunded_strays=2, opened=True)
    report.orphans.update(canceled=4, young=5)
    report.foreign.update({"": 6, "other": 1})
    try:
        text = as_text(report)
    finally:
        report.orphans.clear()
        report.foreign.clear()
    assert "what is behind them was not compared" in text
    assert "Not at their end yet: 3; 1 of them" in text
    assert "4 canceled now, 5 younger than a day, 0 left" in text
    assert "all was given back: 2" in text
    assert "untouched: 7" in text
    assert "It is open now." in text


def test_every_kind_has_a_sentence() -> None:
    assert SENTENCES.keys() == set(Kind)


def test_the_json_says_the_same() -> None:
    body = json.loads(as_json(replace(REPORT, differences=[LOST])))
    assert (body["since"], body["agree"]) == ("2026-11-23T00:00:00Z", False)
    assert [each["currency_code"] for each in body["totals"]] == ["EUR", "JPY"]
    assert body["totals"][1]["ours"] == {"payments": 0, "charged": 0, "refunds": 0, "refunded": 0}
    (found,) = body["differences"]
    assert (found["kind"], found["intent"], found["ours"]) == (
        "CHARGED_WITHOUT_PAYMENT",
        "pi_1",
        None,
    )
    assert found["processor"] == {"minor_units": 500, "currency_code": "JPY"}
    assert found["sentence"].startswith("Charged, and not recorded here: intent pi_1")
