"""The report of a reconciliation, as text and as JSON."""

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

from payment.domain.values import Money
from payment.reconciliation.comparison import Difference, Kind
from payment.reconciliation.report import (
    HEADINGS,
    OrphanOutcome,
    Report,
    Totals,
    as_json,
    as_text,
    sentence,
)

REPORT = Report(
    since=datetime(2026, 11, 23, tzinfo=UTC),
    until=datetime(2026, 11, 24, tzinfo=UTC),
    internal={"EUR": Totals(payments=2, charged=123456, refunds=1, refunded=50)},
    processor={
        "EUR": Totals(payments=2, charged=123456),
        "JPY": Totals(payments=1, charged=500),
    },
)
LOST_PAYMENT = Difference(
    Kind.CHARGED_WITHOUT_PAYMENT,
    "the card was charged, and no payment has this intent",
    intent_id="pi_1",
    processor_amount=Money(500, "JPY"),
)


def test_the_text_has_the_totals_of_both_sides_and_every_difference() -> None:
    lines = as_text(replace(REPORT, differences=[LOST_PAYMENT])).splitlines()

    assert lines[0] == "Payments and refunds from 2026-11-23 00:00:00 to 2026-11-24 00:00:00 UTC"
    assert [line.split() for line in lines[2:7]] == [
        ["payments", "charged", "refunds", "refunded"],
        ["EUR", "internal", "2", "EUR", "1,234.56", "1", "EUR", "0.50"],
        ["processor", "2", "EUR", "1,234.56", "0", "EUR", "0.00"],
        ["JPY", "internal", "0", "JPY", "0", "0", "JPY", "0"],
        ["processor", "1", "JPY", "500", "0", "JPY", "0"],
    ]
    assert lines[8:] == ["1 difference:", f"- {sentence(LOST_PAYMENT)}"]


def test_the_text_of_a_time_without_charges_says_so() -> None:
    text = as_text(replace(REPORT, internal={}, processor={}))

    assert "Nothing was charged or refunded." in text
    assert text.endswith("No differences.\n")


def test_a_difference_is_a_sentence_with_its_names_and_amounts() -> None:
    refund = Difference(
        Kind.REFUNDS_DIFFER,
        "the amounts differ",
        payment="payments/1",
        intent_id="pi_1",
        refund="payments/1/refunds/2",
        internal_amount=Money(300, "EUR"),
        processor_amount=Money(400, "EUR"),
    )
    unreadable = Difference(Kind.UNREADABLE, "it cannot be read", intent_id="pi_1")

    assert sentence(LOST_PAYMENT) == (
        "Charged, but no payment recorded: intent pi_1: the card was charged, and no payment has "
        "this intent (internal: nothing, processor: JPY 500)."
    )
    assert sentence(refund) == (
        "The refunds differ: payments/1, intent pi_1, refund payments/1/refunds/2: the amounts "
        "differ (internal: EUR 3.00, processor: EUR 4.00)."
    )
    assert sentence(unreadable) == "Unreadable: intent pi_1: it cannot be read."


def test_the_text_notes_what_is_no_difference() -> None:
    text = as_text(
        replace(
            REPORT,
            truncated=True,
            in_progress=3,
            made_due=1,
            refunded_orphans=2,
            database_opened=True,
            unconfirmed_orphans=Counter({OrphanOutcome.CANCELED: 4, OrphanOutcome.TOO_RECENT: 5}),
            other_installations=Counter({"": 6, "other": 1}),
        )
    )

    assert "the rest is not compared" in text
    assert "In progress: 3; made due for recovery, since the processor is ahead: 1." in text
    assert "4 canceled now, 5 younger than a day, 0 not canceled" in text
    assert "refunded in full: 2" in text
    assert "not touched: 7" in text
    assert "It is open now." in text


def test_every_kind_of_difference_has_a_heading() -> None:
    assert HEADINGS.keys() == set(Kind)


def test_the_json_has_the_documented_shape() -> None:
    report = replace(
        REPORT,
        differences=[LOST_PAYMENT],
        in_progress=3,
        made_due=1,
        refunded_orphans=2,
        unconfirmed_orphans=Counter({OrphanOutcome.CANCELED: 4}),
        other_installations=Counter({"other": 1}),
    )

    assert json.loads(as_json(report)) == {
        "since": "2026-11-23T00:00:00Z",
        "until": "2026-11-24T00:00:00Z",
        "agree": False,
        "truncated": False,
        "database_opened": False,
        "totals": [
            {
                "currency_code": "EUR",
                "internal": {"payments": 2, "charged": 123456, "refunds": 1, "refunded": 50},
                "processor": {"payments": 2, "charged": 123456, "refunds": 0, "refunded": 0},
            },
            {
                "currency_code": "JPY",
                "internal": {"payments": 0, "charged": 0, "refunds": 0, "refunded": 0},
                "processor": {"payments": 1, "charged": 500, "refunds": 0, "refunded": 0},
            },
        ],
        "differences": [
            {
                "kind": "CHARGED_WITHOUT_PAYMENT",
                "payment": "",
                "intent": "pi_1",
                "refund": "",
                "internal_amount": None,
                "processor_amount": {"minor_units": 500, "currency_code": "JPY"},
                "message": sentence(LOST_PAYMENT),
            }
        ],
        "in_progress": 3,
        "made_due": 1,
        "unconfirmed_orphans": {"canceled": 4, "too_recent": 0, "not_canceled": 0},
        "refunded_orphans": 2,
        "other_installations": {"other": 1},
    }
