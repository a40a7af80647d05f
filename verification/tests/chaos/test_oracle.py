"""The oracle: what is wrong in a hand-made ledger is found, and nothing else is."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from verification.chaos.ledger import money_by_intent, movements
from verification.chaos.oracle import (
    AMOUNT,
    ANSWER,
    DOUBLE,
    EVENT,
    LOST,
    REFUND,
    UNPAID,
    findings,
)
from verification.chaos.requests import Answer, Order, RefundAttempt, RequestLog
from verification.chaos.snapshot import EventRow, FinalSnapshot, PaymentRow, RefundRow

ORDER = Order(1_000, reference="A-1", attempts={"r-1": 1, "r-2": 1})
PAYMENT = PaymentRow("payments/1", "r-1", "pi_1", "SUCCEEDED", 1_000, version=2)
EVENTS = [
    EventRow("payments/1", 1, "payment.created", "PROCESSING"),
    EventRow("payments/1", 2, "payment.succeeded", "SUCCEEDED"),
]
TAKEN = {"kind": "captured", "intent": "pi_1", "amount": 1_000}
BACK = {"kind": "refunded", "intent": "pi_1", "amount": 600}


def ledger_entries(*ones: dict[str, Any]) -> list[dict[str, Any]]:
    """Movements as the ledger has them, of request r-1 unless they name another."""
    metadata = {"request_id": "r-1"}
    return [{"currency": "eur", "metadata": metadata} | one for one in ones]


def snapshot(*moved: dict[str, Any], **changed: Any) -> FinalSnapshot:
    """One order that was paid as it should be, with what a test changes."""
    usual: dict[str, Any] = {
        "log": RequestLog([ORDER]),
        "money": money_by_intent(ledger_entries(*(moved or (TAKEN,)))),
        "payments": [PAYMENT],
        "events": EVENTS,
        "received": EVENTS,
    }
    return FinalSnapshot(**(usual | changed))


def kinds(broken: FinalSnapshot) -> list[str]:
    return [finding.kind for finding in findings(broken)]


def answer(at: float, state: str, code: str = "OK", payment: str = "payments/1") -> Answer:
    return Answer(at, at + 0.1, "r-1", code, payment if code == "OK" else "", state)


def test_a_payment_as_it_should_be_is_no_finding() -> None:
    assert findings(snapshot()) == []


def test_two_charges_for_one_reference_are_a_double_charge() -> None:
    second = {"kind": "captured", "intent": "pi_2", "amount": 1_000}
    metadata = {"metadata": {"request_id": "r-2"}}
    found = findings(snapshot(TAKEN, second | metadata))
    assert [finding.kind for finding in found] == [DOUBLE, LOST]
    assert found[0].message == "A-1 was charged 2 times: pi_1, pi_2"


def test_an_authorization_beside_a_charge_is_a_double_charge() -> None:
    second = {"kind": "authorized", "intent": "pi_2", "amount": 1_000}
    assert DOUBLE in kinds(snapshot(TAKEN, second))


def test_one_intent_that_took_money_twice_is_a_double_charge() -> None:
    assert DOUBLE in kinds(snapshot(TAKEN, TAKEN))


def test_a_released_authorization_is_no_charge() -> None:
    held = {"kind": "authorized", "intent": "pi_2", "amount": 1_000}
    assert findings(snapshot(TAKEN, held, held | {"kind": "released"})) == []


def test_a_charge_of_a_failed_payment_is_lost() -> None:
    row = replace(PAYMENT, state="FAILED", captured=0)
    events = [EVENTS[0], replace(EVENTS[1], state="FAILED")]
    found = findings(snapshot(payments=[row], events=events, received=events))
    assert [finding.message for finding in found] == [
        "pi_1 took 1000, and our database says FAILED"
    ]


def test_a_charge_without_a_payment_is_lost() -> None:
    assert kinds(snapshot(payments=[], events=[], received=[])) == [LOST]


def test_a_payment_that_was_named_and_is_gone_is_lost() -> None:
    order = order_with(answer(1.0, "SUCCEEDED"), answer(2.0, "SUCCEEDED", payment="payments/2"))
    assert LOST in kinds(snapshot(log=RequestLog([order])))


def test_a_success_without_money_is_found() -> None:
    assert kinds(snapshot(money={})) == [UNPAID]


def test_another_amount_than_asked_is_found() -> None:
    row = replace(PAYMENT, captured=900)
    taken = TAKEN | {"amount": 900}
    assert kinds(snapshot(taken, payments=[row])) == [AMOUNT]


def test_a_part_may_be_captured_where_it_was_asked() -> None:
    order = Order(1_000, manual=True, attempts={"r-1": 1}, captures=[300])
    held = {"kind": "authorized", "intent": "pi_1", "amount": 1_000}
    taken = {"kind": "captured", "intent": "pi_1", "amount": 300}
    rest = {"kind": "released", "intent": "pi_1", "amount": 700}
    row = replace(PAYMENT, captured=300)
    assert findings(snapshot(held, taken, rest, log=RequestLog([order]), payments=[row])) == []


def test_a_refund_that_was_paid_out_twice_is_found() -> None:
    back = BACK | {"amount": 300, "metadata": {"refund": "f-1"}}
    row = replace(PAYMENT, refunded=300)
    refund = RefundRow("f-1", "payments/1", 300, "PENDING")
    assert kinds(snapshot(TAKEN, back, back, payments=[row], refunds=[refund])) == [REFUND]


def test_refunds_beyond_what_was_captured_are_found() -> None:
    back = [BACK | {"metadata": {"refund": name}} for name in ("f-1", "f-2")]
    row = replace(PAYMENT, refunded=1_200)
    refunds = [RefundRow(name, "payments/1", 600, "SUCCEEDED") for name in ("f-1", "f-2")]
    assert kinds(snapshot(TAKEN, *back, payments=[row], refunds=refunds)) == [REFUND, REFUND]


def test_a_refund_that_failed_and_was_paid_out_is_found() -> None:
    back = BACK | {"metadata": {"refund": "f-1"}}
    refund = RefundRow("f-1", "payments/1", 600, "FAILED")
    assert kinds(snapshot(TAKEN, back, refunds=[refund])) == [REFUND]


def test_a_refund_that_came_back_from_the_bank_may_fail() -> None:
    back = BACK | {"metadata": {"refund": "f-1"}}
    refund = RefundRow("f-1", "payments/1", 600, "FAILED")
    assert findings(snapshot(TAKEN, back, back | {"kind": "returned"}, refunds=[refund])) == []


def test_a_refund_that_was_named_and_is_gone_is_found() -> None:
    log = RequestLog([ORDER], [RefundAttempt("payments/1/refunds/f-1", ["OK"])])
    assert kinds(snapshot(log=log)) == [REFUND]


def test_a_final_answer_that_changes_is_found() -> None:
    order = order_with(answer(1.0, "FAILED"), answer(2.0, "SUCCEEDED"))
    found = findings(snapshot(log=RequestLog([order])))
    assert [finding.kind for finding in found] == [ANSWER, ANSWER]
    assert found[0].message == "payments/1 was FAILED, and later SUCCEEDED"


def test_answers_to_concurrent_calls_may_differ() -> None:
    beside = Answer(0.5, 2.0, "r-1", "OK", "payments/1", "PROCESSING")
    order = order_with(answer(1.0, "SUCCEEDED"), beside)
    assert findings(snapshot(log=RequestLog([order]))) == []


def test_two_payments_for_one_request_are_found() -> None:
    order = order_with(answer(1.0, "PROCESSING"), answer(2.0, "PROCESSING", payment="payments/2"))
    assert ANSWER in kinds(snapshot(log=RequestLog([order])))


def test_a_refused_call_that_made_a_payment_is_found() -> None:
    order = order_with(answer(1.0, "", code="ALREADY_EXISTS"))
    assert kinds(snapshot(log=RequestLog([order]))) == [ANSWER]


def test_a_gap_among_the_events_is_found() -> None:
    assert kinds(snapshot(events=EVENTS[1:], received=EVENTS[1:])) == [EVENT]


def test_an_event_sent_twice_or_never_is_found() -> None:
    assert kinds(snapshot(received=[EVENTS[0], EVENTS[0], EVENTS[1]])) == [EVENT, EVENT]
    assert kinds(snapshot(received=EVENTS[1:])) == [EVENT]


def test_events_out_of_order_are_found() -> None:
    assert kinds(snapshot(received=[EVENTS[1], EVENTS[0]])) == [EVENT]


def test_the_ledger_is_read_up_to_a_torn_line(tmp_path: Path) -> None:
    lines = [{"ledger": 1}, {"at": 1, "movements": ledger_entries(TAKEN)}]
    file = tmp_path / "ledger.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"at": 2, "mov')
    assert movements(file) == ledger_entries(TAKEN)


def order_with(*answers: Answer) -> Order:
    return replace(ORDER, answers=list(answers))
