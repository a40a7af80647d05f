"""Domain events: which event a change of a payment or a refund has."""

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
def test_a_payment_that_reaches_a_state_has_the_event_of_that_state(
    state: State, event: EventType
) -> None:
    assert event_for(a_payment(), a_payment(state)) == NewEvent(event)


@pytest.mark.parametrize(
    ("reason", "event"),
    [
        (CancelReason.DECLINE, EventType.DECLINED),
        (CancelReason.USER, EventType.CANCEL_REQUESTED),
        (CancelReason.EXPIRED, EventType.EXPIRED),
    ],
)
def test_a_payment_that_begins_to_be_canceled_has_the_event_of_the_reason(
    reason: CancelReason, event: EventType
) -> None:
    after = a_payment(State.CANCELING, cancel_reason=reason)
    assert event_for(a_payment(), after) == NewEvent(event)


def test_a_used_up_idempotency_key_and_an_unchanged_payment_have_no_event() -> None:
    assert event_for(a_payment(), a_payment(idempotency_counter=1)) is None
    assert event_for(a_payment(), a_payment()) is None


def test_an_update_a_deletion_and_its_undoing_have_their_events() -> None:
    payment = a_payment(State.FAILED)
    updated = replace(payment, request=replace(payment.request, description="two chairs"))
    assert event_for(payment, updated) == NewEvent(EventType.UPDATED)
    deleted = payment.delete(NOW)
    assert event_for(payment, deleted) == NewEvent(EventType.DELETED)
    assert event_for(deleted, payment) == NewEvent(EventType.UNDELETED)


def test_the_events_of_a_held_and_of_a_released_payment_have_the_reason_and_the_note() -> None:
    held = a_payment(held=HELD)
    assert event_for(a_payment(), held) == NewEvent(EventType.HELD, HELD.reason)
    released = event_for(held, held.release(), "looked into it")
    assert released == NewEvent(EventType.RELEASED, "looked into it")
    held_again = replace(held, held=Held("still wrong", NOW))
    assert event_for(held, held_again, "tried") == NewEvent(EventType.HELD, "tried; still wrong")


def test_each_change_of_a_refund_has_its_event() -> None:
    failed = a_refund(state=RefundState.FAILED, failure=Failure("lost_or_stolen_card"))
    event = refund_event_for(a_refund(), failed)
    assert event == NewEvent(EventType.REFUND_FAILED, "lost_or_stolen_card")
    done = a_refund(state=RefundState.SUCCEEDED)
    assert refund_event_for(a_refund(), done) == NewEvent(EventType.REFUND_SUCCEEDED)
    named = a_refund(processor_id="re_1")
    assert refund_event_for(a_refund(), named) == NewEvent(EventType.REFUND_UPDATED)
    assert refund_event_for(a_refund(), a_refund()) is None
    assert refund_event_for(failed, replace(failed, failure=None)) is not None
    without_reason = replace(failed, failure=None)
    assert refund_event_for(a_refund(), without_reason) == NewEvent(EventType.REFUND_FAILED)
