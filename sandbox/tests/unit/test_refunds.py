"""Refunds: within the captured amount, immediate, delayed or failing later."""

import pytest

from sandbox.objects import RefundStatus

from .conftest import Factories, InMemorySandbox


def test_a_refund_without_an_amount_refunds_all_that_is_left(sandbox: InMemorySandbox) -> None:
    name = sandbox.pay()
    sandbox.refund(name, 99)
    assert sandbox.refund(name).body.amount == 1000
    assert sandbox.movements()[1:] == [("refunded", 99), ("refunded", 1000)]
    charge = sandbox.get(name).charge
    assert charge and charge.amount_refunded == 1099


def test_a_fully_refunded_charge_cannot_be_refunded_again(sandbox: InMemorySandbox) -> None:
    name = sandbox.pay()
    sandbox.refund(name)
    error = sandbox.refund(name, 1).body
    assert (error.status, error.code) == (400, "charge_already_refunded")


def test_refunds_never_exceed_the_captured_amount(sandbox: InMemorySandbox) -> None:
    name = sandbox.authorize()
    sandbox.capture(name, 500)
    sandbox.refund(name, 300)
    error = sandbox.refund(name, 201).body
    assert (error.status, error.param, error.code) == (400, "amount", None)
    assert sandbox.refund(name, 200).status == 200


@pytest.mark.parametrize("state", ["unconfirmed", "authorized", "declined", "canceled"])
def test_an_intent_without_a_captured_charge_cannot_be_refunded(
    sandbox: InMemorySandbox, state: str
) -> None:
    factories: Factories = {
        "unconfirmed": sandbox.create,
        "authorized": sandbox.authorize,
        "declined": lambda: sandbox.pay("pm_card_chargeDeclined"),
        "canceled": lambda: sandbox.cancel(sandbox.authorize()).body.id,
    }
    name = factories[state]()
    error = sandbox.refund(name).body
    assert (error.status, error.param) == (400, "payment_intent")


def test_a_refund_of_an_unknown_intent_is_a_400_that_names_the_parameter(
    sandbox: InMemorySandbox,
) -> None:
    error = sandbox.refund("pi_nobody").body
    assert (error.status, error.code, error.param) == (400, "resource_missing", "payment_intent")


def test_a_pending_refund_succeeds_after_the_delay(sandbox: InMemorySandbox) -> None:
    refund = sandbox.refund(sandbox.pay("pm_card_pendingRefund")).body
    assert refund.status is RefundStatus.PENDING
    sandbox.wait(sandbox.world.rules.delay)
    assert sandbox.get_refund(refund.id).status is RefundStatus.SUCCEEDED
    assert sandbox.movements() == [("captured", 1099), ("refunded", 1099)]


def test_a_failing_refund_succeeds_first_and_fails_after_the_delay(
    sandbox: InMemorySandbox,
) -> None:
    name = sandbox.pay("pm_card_refundFail")
    refund = sandbox.refund(name).body
    assert refund.status is RefundStatus.SUCCEEDED
    sandbox.wait(sandbox.world.rules.delay)
    failed = sandbox.get_refund(refund.id)
    assert failed.status is RefundStatus.FAILED
    assert failed.failure_reason == "expired_or_canceled_card"
    assert sandbox.movements()[1:] == [("refunded", 1099), ("returned", 1099)]
    assert "refund.failed" in sandbox.event_types()


def test_a_failed_refund_can_be_repeated(sandbox: InMemorySandbox) -> None:
    name = sandbox.pay("pm_card_refundFail")
    sandbox.refund(name, 1000)
    assert sandbox.refund(name, 1000).status == 400
    sandbox.wait(sandbox.world.rules.delay)
    charge = sandbox.get(name).charge
    assert charge and charge.amount_refunded == 0
    assert sandbox.refund(name, 1000).status == 200
