"""The refund: its states, its key, and its amount."""

import pytest
from support.examples import (
    INSTALLATION,
    NOW,
    PAYMENT_ID,
    REFUND_ID,
    a_payment,
    a_processor_refund,
    a_refund,
)

from payment.domain.errors import AmountTooLarge, PaymentHeld, WrongState
from payment.domain.evidence import RefundStatus
from payment.domain.payment import Held, State
from payment.domain.refund import RefundState, refundable
from payment.domain.values import Failure, Money


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (RefundStatus.PENDING, RefundState.PENDING),
        (RefundStatus.SUCCEEDED, RefundState.SUCCEEDED),
        (RefundStatus.FAILED, RefundState.FAILED),
        (RefundStatus.CANCELED, RefundState.FAILED),
    ],
)
def test_a_refund_takes_the_state_that_the_processor_reports(
    status: RefundStatus, state: RefundState
) -> None:
    after = a_refund().apply(a_processor_refund(status))
    assert (after.state, after.processor_id) == (state, "re_1")


def test_a_refund_that_succeeded_can_fail_and_then_stays_failed() -> None:
    succeeded = a_refund().apply(a_processor_refund(RefundStatus.SUCCEEDED))
    failed = succeeded.apply(
        a_processor_refund(RefundStatus.FAILED, failure=Failure("lost_or_stolen_card"))
    )
    assert (failed.state, failed.failure) == (RefundState.FAILED, Failure("lost_or_stolen_card"))
    assert failed.apply(a_processor_refund(RefundStatus.SUCCEEDED)) == failed


def test_a_refund_keeps_its_idempotency_key_and_changes_its_etag_with_its_version() -> None:
    assert a_refund().key(INSTALLATION) == a_refund(version=7).key(INSTALLATION)
    assert str(a_refund().name) == f"payments/{PAYMENT_ID}/refunds/{REFUND_ID}"
    assert a_refund().etag != a_refund(version=2).etag


def test_the_amount_of_a_refund_is_what_was_asked_for_or_all_that_is_left() -> None:
    payment = a_payment(State.SUCCEEDED, amount_refunded=300)
    assert refundable(payment, None) == 700
    assert refundable(payment, Money(700, "EUR")) == 700


@pytest.mark.parametrize("asked", [Money(701, "EUR"), Money(1, "USD")])
def test_more_than_is_left_or_another_currency_is_refused(asked: Money) -> None:
    with pytest.raises(AmountTooLarge) as error:
        refundable(a_payment(State.SUCCEEDED, amount_refunded=300), asked)
    assert error.value.maximum == 700


def test_a_payment_that_was_refunded_whole_is_not_refunded_again() -> None:
    with pytest.raises(AmountTooLarge):
        refundable(a_payment(State.SUCCEEDED, amount_refunded=1000), None)


@pytest.mark.parametrize("state", [each for each in State if each is not State.SUCCEEDED])
def test_only_a_payment_that_succeeded_is_refunded(state: State) -> None:
    with pytest.raises(WrongState):
        refundable(a_payment(state), None)


def test_a_held_payment_is_not_refunded() -> None:
    with pytest.raises(PaymentHeld):
        refundable(a_payment(State.SUCCEEDED, held=Held("another amount", NOW)), None)
