"""Refunds: never more than was captured, some of them later, some of them coming back."""

import pytest

from sandbox.objects import RefundStatus

from .conftest import Makers, Till


def test_without_an_amount_all_that_is_left_goes_back(till: Till) -> None:
    name = till.confirmed()
    till.refund(name, 99)
    assert till.refund(name).body.amount == 1000
    assert till.moved()[1:] == [("refunded", 99), ("refunded", 1000)]
    charge = till.get(name).charge
    assert charge and charge.amount_refunded == 1099


def test_what_is_all_given_back_is_not_given_back_again(till: Till) -> None:
    name = till.confirmed()
    till.refund(name)
    error = till.refund(name, 1).body
    assert (error.status, error.code) == (400, "charge_already_refunded")


def test_the_sum_never_passes_what_was_captured(till: Till) -> None:
    name = till.held()
    till.capture(name, 500)
    till.refund(name, 300)
    error = till.refund(name, 201).body
    assert (error.status, error.param, error.code) == (400, "amount", None)
    assert till.refund(name, 200).status == 200


@pytest.mark.parametrize("state", ["unconfirmed", "held", "declined", "canceled"])
def test_only_what_was_captured_can_be_given_back(till: Till, state: str) -> None:
    makers: Makers = {
        "unconfirmed": till.intent,
        "held": till.held,
        "declined": lambda: till.confirmed("pm_card_chargeDeclined"),
        "canceled": lambda: till.cancel(till.held()).body.id,
    }
    name = makers[state]()
    error = till.refund(name).body
    assert (error.status, error.param) == (400, "payment_intent")


def test_a_refund_of_an_unknown_intent_names_the_parameter(till: Till) -> None:
    error = till.refund("pi_nobody").body
    assert (error.status, error.code, error.param) == (400, "resource_missing", "payment_intent")


def test_a_pending_refund_arrives_later(till: Till) -> None:
    refund = till.refund(till.confirmed("pm_card_pendingRefund")).body
    assert refund.status is RefundStatus.PENDING
    till.wait(till.world.rules.delay)
    assert till.get_refund(refund.id).status is RefundStatus.SUCCEEDED
    assert till.moved() == [("captured", 1099), ("refunded", 1099)]


def test_a_failing_refund_succeeds_first_and_comes_back_later(till: Till) -> None:
    name = till.confirmed("pm_card_refundFail")
    refund = till.refund(name).body
    assert refund.status is RefundStatus.SUCCEEDED
    till.wait(till.world.rules.delay)
    failed = till.get_refund(refund.id)
    assert failed.status is RefundStatus.FAILED
    assert failed.failure_reason == "expired_or_canceled_card"
    assert till.moved()[1:] == [("refunded", 1099), ("returned", 1099)]
    assert "refund.failed" in till.happened()


def test_what_came_back_may_be_given_back_again(till: Till) -> None:
    name = till.confirmed("pm_card_refundFail")
    till.refund(name, 1000)
    assert till.refund(name, 1000).status == 400
    till.wait(till.world.rules.delay)
    charge = till.get(name).charge
    assert charge and charge.amount_refunded == 0
    assert till.refund(name, 1000).status == 200
