"""The payment: what callers may ask of it, in which state."""

from dataclasses import replace

import pytest
from support.examples import NOW, PAYMENT_ID, a_payment

from chassis.values import Metadata, Reference
from payment.domain.errors import (
    AmountTooLarge,
    EtagMismatch,
    PaymentDeleted,
    PaymentHeld,
    ReferenceSet,
    WrongState,
)
from payment.domain.payment import CancelReason, Held, Payment, State
from payment.domain.values import Money

HELD = Held("an amount does not fit", NOW)


def test_an_authorized_payment_is_captured_whole_or_in_part() -> None:
    whole = a_payment(State.AUTHORIZED).capture(None)
    assert (whole.state, whole.amount_capturing) == (State.CAPTURING, 1000)
    part = a_payment(State.AUTHORIZED).capture(Money(1, "EUR"))
    assert part.amount_capturing == 1


@pytest.mark.parametrize("amount", [Money(1001, "EUR"), Money(1000, "USD")])
def test_more_than_was_authorized_or_another_currency_is_not_captured(amount: Money) -> None:
    with pytest.raises(AmountTooLarge) as error:
        a_payment(State.AUTHORIZED).capture(amount)
    assert error.value.maximum == 1000


@pytest.mark.parametrize("state", [each for each in State if each is not State.AUTHORIZED])
def test_a_payment_in_any_other_state_is_not_captured(state: State) -> None:
    with pytest.raises(WrongState):
        a_payment(state).capture(None)


@pytest.mark.parametrize("state", [State.CONFIRMING, State.REQUIRES_ACTION, State.AUTHORIZED])
def test_a_payment_is_canceled_before_money_moves(state: State) -> None:
    after = a_payment(state).cancel()
    assert (after.state, after.cancel_reason) == (State.CANCELING, CancelReason.USER)


@pytest.mark.parametrize("state", [State.CAPTURING, State.CANCELING, State.SUCCEEDED, State.FAILED])
def test_a_payment_is_not_canceled_after_money_may_have_moved(state: State) -> None:
    with pytest.raises(WrongState):
        a_payment(state).cancel()


def test_a_cancellation_that_came_after_the_charge_is_refused() -> None:
    a_payment(State.CANCELED).check_canceled()
    with pytest.raises(WrongState):
        a_payment(State.SUCCEEDED).check_canceled()


def test_a_held_payment_is_neither_captured_nor_canceled_until_it_is_released() -> None:
    held = a_payment(State.AUTHORIZED, held=HELD)
    with pytest.raises(PaymentHeld):
        held.capture(None)
    with pytest.raises(PaymentHeld):
        held.cancel()
    assert held.release() == a_payment(State.AUTHORIZED, idempotency_counter=1)
    with pytest.raises(WrongState):
        a_payment(State.AUTHORIZED).release()


def test_a_reference_is_set_once_and_neither_changed_nor_cleared() -> None:
    payment = a_payment()
    without_reference = replace(payment, request=replace(payment.request, reference=None))
    unchanged = {"description": "two chairs", "metadata": Metadata.of({"colour": "red"})}
    with_reference = without_reference.update(reference=Reference("order-2"), **unchanged)  # type: ignore[arg-type]
    assert with_reference.request.reference == Reference("order-2")
    assert with_reference.request.description == "two chairs"
    assert with_reference.update(reference=Reference("order-2"), **unchanged) == with_reference  # type: ignore[arg-type]
    for other in (Reference("order-3"), None):
        with pytest.raises(ReferenceSet):
            with_reference.update(reference=other, **unchanged)  # type: ignore[arg-type]


@pytest.mark.parametrize("state", [State.FAILED, State.CANCELED])
def test_a_payment_that_ended_without_money_is_deleted_and_undeleted(state: State) -> None:
    deleted = a_payment(state).delete(NOW)
    assert deleted.delete_time == NOW
    assert deleted.undelete() == a_payment(state)
    with pytest.raises(PaymentDeleted):
        deleted.update(description="", metadata=Metadata(), reference=deleted.request.reference)
    with pytest.raises(PaymentDeleted):
        deleted.cancel()


ENDED_WITHOUT_MONEY = {State.FAILED, State.CANCELED}


@pytest.mark.parametrize("state", [each for each in State if each not in ENDED_WITHOUT_MONEY])
def test_a_payment_in_any_other_state_is_not_deleted(state: State) -> None:
    with pytest.raises(WrongState):
        a_payment(state).delete(NOW)


def test_an_etag_stands_for_one_version_and_an_empty_etag_for_any() -> None:
    payment: Payment = a_payment(version=3)
    payment.check_etag("")
    payment.check_etag(payment.etag)
    with pytest.raises(EtagMismatch):
        payment.check_etag(a_payment(version=2).etag)


def test_the_name_of_a_payment_has_its_id() -> None:
    assert str(a_payment().name) == f"payments/{PAYMENT_ID}"


def test_a_payment_is_settled_when_it_is_final_or_held() -> None:
    assert a_payment(held=HELD).is_settled
    assert {state for state in State if a_payment(state).is_settled} == {
        State.SUCCEEDED,
        State.FAILED,
        State.CANCELED,
    }
