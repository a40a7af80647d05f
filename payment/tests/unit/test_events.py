"""What is told of a change."""

from dataclasses import replace

import pytest
from support.examples import NOW, a_payment, a_refund

from payment.domain.events import EventType, NewEvent, event_for, refund_event_for
from payment.domain.payment import CancelReason, Held, State
from payment.domain.refund import RefundState
from payment.domain.values import Failure

HELD = Held("an amount does not fit", NOW)


@pytest.mark.parametrize(
    ("state", "event"),
    [
        (State.REQUIRES_ACTION, EventType.REQUIRES_ACTION),
        (State.AUTHORIZED, EventType.AUTHORIZED),
        (State.CAPTURING, EventType.CAPTURE_REQUESTED),
        (State.SUCCEEDED, EventType.SUCCEEDED),
        (State.FAILED, EventType.FAILED),
        (State.CANCELED, EventType.CANCELED),
    ],
)
def test_a_state_that_is_reached_is_told(state: State, event: EventType) -> None:
    assert event_for(a_payment(), a_payment(state)) == NewEvent(event)


@pytest.mark.parametrize(
    ("reason", "event"),
    [
        (CancelReason.DECLINE, EventType.DECLINED),
        (CancelReason.USER, EventType.CANCEL_REQUESTED),
        (CancelReason.EXPIRED, EventType.EXPIRED),
    ],
)
def test_why_a_payment_is_called_off_is_told(reason: CancelReason, event: EventType) -> None:
    after = a_payment(State.CANCELING, cancel_reason=reason)
    assert event_for(a_payment(), after) == NewEvent(event)


def test_an_answer_used_up_and_a_mere_look_are_not_told() -> None:
    assert event_for(a_payment(), a_payment(idempotency_counter=1)) is None
    assert event_for(a_payment(), a_payment()) is None


def test_what_people_do_is_told() -> None:
    payment = a_payment(State.FAILED)
    words = replace(payment, request=replace(payment.request, description="two chairs"))
    assert event_for(payment, words) == NewEvent(EventType.UPDATED)
    deleted = payment.delete(NOW)
    assert event_for(payment, deleted) == NewEvent(EventType.DELETED)
    assert event_for(deleted, payment) == NewEvent(EventType.UNDELETED)


def test_a_hold_and_its_release_are_told_in_words() -> None:
    held = a_payment(held=HELD)
    assert event_for(a_payment(), held) == NewEvent(EventType.HELD, HELD.reason)
    released = event_for(held, held.release(), "looked into it")
    assert released == NewEvent(EventType.RELEASED, "looked into it")
    again = replace(held, held=Held("still wrong", NOW))
    assert event_for(held, again, "tried") == NewEvent(EventType.HELD, "tried; still wrong")


def test_what_becomes_of_a_refund_is_told() -> None:
    failed = a_refund(state=RefundState.FAILED, failure=Failure("lost_or_stolen_card"))
    told = refund_event_for(a_refund(), failed)
    assert told == NewEvent(EventType.REFUND_FAILED, "lost_or_stolen_card")
    done = a_refund(state=RefundState.SUCCEEDED)
    assert refund_event_for(a_refund(), done) == NewEvent(EventType.REFUND_SUCCEEDED)
    named = a_refund(processor_id="re_1")
    assert refund_event_for(a_refund(), named) == NewEvent(EventType.REFUND_UPDATED)
    assert refund_event_for(a_refund(), a_refund()) is None
    assert refund_event_for(failed, replace(failed, failure=None)) is not None
    bare = replace(failed, failure=None)
    assert refund_event_for(a_refund(), bare) == NewEvent(EventType.REFUND_FAILED)
