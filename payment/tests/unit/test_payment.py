"""What people may ask of a payment."""

from dataclasses import replace
from datetime import timedelta

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


def test_an_authorised_payment_is_captured_whole_or_in_part() -> None:
    whole = a_payment(State.AUTHORIZED).capture(None)
    assert (whole.state, whole.amount_capturing) == (State.CAPTURING, 1000)
    part = a_payment(State.AUTHORIZED).capture(Money(1, "EUR"))
    assert part.amount_capturing == 1


@pytest.mark.parametrize("amount", [Money(1001, "EUR"), Money(1000, "USD")])
def test_more_than_was_authorised_or_another_currency_is_not_captured(amount: Money) -> None:
    with pytest.raises(AmountTooLarge) as error:
        a_payment(State.AUTHORIZED).capture(amount)
    assert error.value.maximum == 1000


@pytest.mark.parametrize("state", [each for each in State if each is not State.AUTHORIZED])
def test_nothing_else_is_captured(state: State) -> None:
    with pytest.raises(WrongState):
        a_payment(state).capture(None)


@pytest.mark.parametrize("state", [State.CONFIRMING, State.REQUIRES_ACTION, State.AUTHORIZED])
def test_a_payment_is_called_off_before_money_moves(state: State) -> None:
    after = a_payment(state).cancel()
    assert (after.state, after.cancel_reason) == (State.CANCELING, CancelReason.USER)


@pytest.mark.parametrize("state", [State.CAPTURING, State.CANCELING, State.SUCCEEDED, State.FAILED])
def test_a_payment_is_not_called_off_later(state: State) -> None:
    with pytest.raises(WrongState):
        a_payment(state).cancel()


def test_a_cancellation_that_came_too_late_says_so() -> None:
    a_payment(State.CANCELED).check_canceled()
    with pytest.raises(WrongState):
        a_payment(State.SUCCEEDED).check_canceled()


def test_a_held_payment_is_left_alone_until_it_is_released() -> None:
    held = a_payment(State.AUTHORIZED, held=HELD)
    with pytest.raises(PaymentHeld):
        held.capture(None)
    with pytest.raises(PaymentHeld):
        held.cancel()
    assert held.release() == a_payment(State.AUTHORIZED, idempotency_counter=1)
    with pytest.raises(WrongState):
        a_payment(State.AUTHORIZED).release()


def test_a_reference_is_set_once() -> None:
    payment = a_payment()
    bare = replace(payment, request=replace(payment.request, reference=None))
    words = {"description": "two chairs", "metadata": Metadata.of({"colour": "red"})}
    named = bare.update(reference=Reference("order-2"), **words)  # type: ignore[arg-type]
    assert named.request.reference == Reference("order-2")
    assert named.request.description == "two chairs"
    assert named.update(reference=Reference("order-2"), **words) == named  # type: ignore[arg-type]
    for other in (Reference("order-3"), None):
        with pytest.raises(ReferenceSet):
            named.update(reference=other, **words)  # type: ignore[arg-type]


@pytest.mark.parametrize("state", [State.FAILED, State.CANCELED])
def test_what_ended_without_money_may_be_deleted_and_brought_back(state: State) -> None:
    deleted = a_payment(state).delete(NOW)
    assert deleted.delete_time == NOW
    assert deleted.undelete() == a_payment(state)
    with pytest.raises(PaymentDeleted):
        deleted.update(description="", metadata=Metadata(), reference=deleted.request.reference)
    with pytest.raises(PaymentDeleted):
        deleted.cancel()


ENDED = {State.FAILED, State.CANCELED}


@pytest.mark.parametrize("state", [each for each in State if each not in ENDED])
def test_nothing_else_is_deleted(state: State) -> None:
    with pytest.raises(WrongState):
        a_payment(state).delete(NOW)


def test_an_etag_names_a_version_and_an_empty_one_is_any() -> None:
    payment: Payment = a_payment(version=3)
    payment.check_etag("")
    payment.check_etag(payment.etag)
    with pytest.raises(EtagMismatch):
        payment.check_etag(a_payment(version=2).etag)


def test_a_payment_has_a_name_and_is_settled_when_nothing_is_left_to_do() -> None:
    assert str(a_payment().name) == f"payments/{PAYMENT_ID}"
    assert a_payment(held=HELD).is_settled
    assert {state for state in State if a_payment(state).is_settled} == {
        State.SUCCEEDED,
        State.FAILED,
        State.CANCELED,
    }
    assert a_payment().start_by == NOW + timedelta(minutes=15)
