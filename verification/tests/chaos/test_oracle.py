"""The judge itself: what is planted in a hand-made ledger is named, and nothing else is."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from verification.chaos import ledger
from verification.chaos.facts import EventRow, Facts, PaymentRow, RefundRow
from verification.chaos.oracle import (
    AMOUNT,
    ANSWER,
    DOUBLE,
    EVENT,
    LOST,
    PHANTOM,
    REFUND,
    judge,
)
from verification.chaos.orders import Order, OrderBook, Told

ORDER = Order(1_000, reference="A-1", asked={"r-1": 1, "r-2": 1})
PAYMENT = PaymentRow("payments/1", "r-1", "A-1", "pi_1", "SUCCEEDED", 1_000, 1_000, version=2)
EVENTS = [
    EventRow("payments/1", 1, "payment.created", "PROCESSING"),
    EventRow("payments/1", 2, "payment.succeeded", "SUCCEEDED"),
]
TAKEN = {"kind": "captured", "intent": "pi_1", "amount": 1_000}
BACK = {"kind": "refunded", "intent": "pi_1", "amount": 600}


def moved(*ones: dict[str, Any]) -> list[dict[str, Any]]:
    """Movements as the ledger has them, of request r-1 unless they say otherwise."""
    metadata = {"request_id": "r-1"}
    return [{"currency": "eur", "metadata": metadata} | one for one in ones]


def facts(*movements: dict[str, Any], **more: Any) -> Facts:
    """One order that was paid as it should be, with what a test changes."""
    usual: dict[str, Any] = {
        "orders": OrderBook([ORDER]),
        "money": ledger.money(moved(*(movements or (TAKEN,)))),
        "payments": [PAYMENT],
        "events": EVENTS,
        "seen": EVENTS,
    }
    return Facts(**(usual | more))


def kinds(broken: Facts) -> list[str]:
    return [finding.kind for finding in judge(broken)]


def told(at: float, state: str, code: str = "OK", payment: str = "payments/1") -> Told:
    return Told(at, at + 0.1, "r-1", code, payment if code == "OK" else "", state)


def test_a_payment_as_it_should_be_is_no_finding() -> None:
    assert judge(facts()) == []


def test_two_charges_for_one_reference_are_a_double() -> None:
    second = {"kind": "captured", "intent": "pi_2", "amount": 1_000}
    metadata = {"metadata": {"request_id": "r-2"}}
    found = judge(facts(TAKEN, second | metadata))
    assert [one.kind for one in found] == [DOUBLE, LOST]
    assert found[0].words == "A-1 was charged 2 times: pi_1, pi_2"


def test_a_hold_beside_a_charge_is_a_double() -> None:
    second = {"kind": "authorized", "intent": "pi_2", "amount": 1_000}
    assert DOUBLE in kinds(facts(TAKEN, second))


def test_one_intent_that_took_money_twice_is_a_double() -> None:
    assert DOUBLE in kinds(facts(TAKEN, TAKEN))


def test_a_hold_that_ended_is_no_charge() -> None:
    held = {"kind": "authorized", "intent": "pi_2", "amount": 1_000}
    assert judge(facts(TAKEN, held, held | {"kind": "released"})) == []


def test_a_charge_of_a_failed_payment_is_lost() -> None:
    row = replace(PAYMENT, state="FAILED", captured=0)
    events = [EVENTS[0], replace(EVENTS[1], state="FAILED")]
    found = judge(facts(payments=[row], events=events, seen=events))
    assert [one.words for one in found] == ["pi_1 took 1000, and our books say FAILED"]


def test_a_charge_without_a_payment_is_lost() -> None:
    assert kinds(facts(payments=[], events=[], seen=[])) == [LOST]


def test_a_payment_that_was_named_and_is_gone_is_lost() -> None:
    order = replace_told(told(1.0, "SUCCEEDED"), told(2.0, "SUCCEEDED", payment="payments/2"))
    assert LOST in kinds(facts(orders=OrderBook([order])))


def test_a_success_without_money_is_a_phantom() -> None:
    assert kinds(facts(money={})) == [PHANTOM]


def test_another_amount_than_asked_is_named() -> None:
    row = replace(PAYMENT, captured=900)
    taken = TAKEN | {"amount": 900}
    assert kinds(facts(taken, payments=[row])) == [AMOUNT]


def test_a_part_may_be_captured_where_it_was_asked() -> None:
    order = Order(1_000, manual=True, asked={"r-1": 1}, wishes=["capture 300", "cancel"])
    held = {"kind": "authorized", "intent": "pi_1", "amount": 1_000}
    taken = {"kind": "captured", "intent": "pi_1", "amount": 300}
    rest = {"kind": "released", "intent": "pi_1", "amount": 700}
    row = replace(PAYMENT, captured=300)
    assert judge(facts(held, taken, rest, orders=OrderBook([order]), payments=[row])) == []


def test_a_refund_that_was_paid_out_twice_is_named() -> None:
    back = BACK | {"amount": 300, "metadata": {"refund": "f-1"}}
    row = replace(PAYMENT, refunded=300)
    refund = RefundRow("f-1", "payments/1", 300, "PENDING")
    assert kinds(facts(TAKEN, back, back, payments=[row], refunds=[refund])) == [REFUND]


def test_refunds_beyond_what_was_captured_are_named() -> None:
    back = [BACK | {"metadata": {"refund": name}} for name in ("f-1", "f-2")]
    row = replace(PAYMENT, refunded=1_200)
    refunds = [RefundRow(name, "payments/1", 600, "SUCCEEDED") for name in ("f-1", "f-2")]
    assert kinds(facts(TAKEN, *back, payments=[row], refunds=refunds)) == [REFUND, REFUND]


def test_a_refund_that_failed_and_was_paid_out_is_named() -> None:
    back = BACK | {"metadata": {"refund": "f-1"}}
    refund = RefundRow("f-1", "payments/1", 600, "FAILED")
    assert kinds(facts(TAKEN, back, refunds=[refund])) == [REFUND]


def test_a_refund_that_came_back_from_the_bank_may_fail() -> None:
    back = BACK | {"metadata": {"refund": "f-1"}}
    refund = RefundRow("f-1", "payments/1", 600, "FAILED")
    assert judge(facts(TAKEN, back, back | {"kind": "returned"}, refunds=[refund])) == []


def test_a_final_answer_that_changes_is_named() -> None:
    order = replace_told(told(1.0, "FAILED"), told(2.0, "SUCCEEDED"))
    found = judge(facts(orders=OrderBook([order])))
    assert [one.kind for one in found] == [ANSWER, ANSWER]
    assert found[0].words == "payments/1 was FAILED, and later SUCCEEDED"


def test_answers_to_calls_side_by_side_may_differ() -> None:
    beside = Told(0.5, 2.0, "r-1", "OK", "payments/1", "PROCESSING")
    order = replace_told(told(1.0, "SUCCEEDED"), beside)
    assert judge(facts(orders=OrderBook([order]))) == []


def test_two_payments_for_one_request_are_named() -> None:
    order = replace_told(told(1.0, "PROCESSING"), told(2.0, "PROCESSING", payment="payments/2"))
    assert ANSWER in kinds(facts(orders=OrderBook([order])))


def test_a_refused_call_that_made_a_payment_is_named() -> None:
    order = replace_told(told(1.0, "", code="ALREADY_EXISTS"))
    assert kinds(facts(orders=OrderBook([order]))) == [ANSWER]


def test_a_gap_among_the_events_is_named() -> None:
    assert kinds(facts(events=EVENTS[1:], seen=EVENTS[1:])) == [EVENT]


def test_an_event_sent_twice_or_never_is_named() -> None:
    assert kinds(facts(seen=[EVENTS[0], EVENTS[0], EVENTS[1]])) == [EVENT, EVENT]
    assert kinds(facts(seen=EVENTS[1:])) == [EVENT]


def test_events_out_of_order_are_named() -> None:
    assert kinds(facts(seen=[EVENTS[1], EVENTS[0]])) == [EVENT]


def test_the_ledger_is_read_up_to_a_torn_line(tmp_path: Path) -> None:
    lines = [{"ledger": 1}, {"at": 1, "movements": moved(TAKEN)}]
    file = tmp_path / "ledger.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"at": 2, "mov')
    assert ledger.movements(file) == moved(TAKEN)


def replace_told(*answers: Told) -> Order:
    return replace(ORDER, told=list(answers))
