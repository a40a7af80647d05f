"""What a payment makes of the processor's word, and the one call that may follow."""

from datetime import timedelta
from itertools import product
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.examples import INSTALLATION, NOW, PAYMENT_ID, a_payment, an_intent

from payment.domain.evidence import (
    IdempotencyKeyConflict,
    IntentStatus,
    NotFound,
    OutcomeUnknown,
    Rejection,
    ServerError,
)
from payment.domain.machine import (
    Operation,
    Post,
    answer,
    apply,
    expire,
    incident_of,
    next_post,
)
from payment.domain.payment import CancelReason, Held, State
from payment.domain.values import Failure, Money

S, I = State, IntentStatus  # noqa: E741

# Written from the model-checked rules, not from the code. A pair that is not here changes nothing.
NEXT_STATES = {
    (S.CONFIRMING, I.REQUIRES_ACTION): S.REQUIRES_ACTION,
    (S.CONFIRMING, I.REQUIRES_CAPTURE): S.AUTHORIZED,
    (S.CONFIRMING, I.SUCCEEDED): S.SUCCEEDED,
    (S.CONFIRMING, I.REQUIRES_PAYMENT_METHOD): S.CANCELING,
    (S.CONFIRMING, I.CANCELED): S.CANCELED,
    (S.REQUIRES_ACTION, I.REQUIRES_CAPTURE): S.AUTHORIZED,
    (S.REQUIRES_ACTION, I.SUCCEEDED): S.SUCCEEDED,
    (S.REQUIRES_ACTION, I.REQUIRES_PAYMENT_METHOD): S.CANCELING,
    (S.REQUIRES_ACTION, I.CANCELED): S.CANCELED,
    (S.AUTHORIZED, I.SUCCEEDED): S.SUCCEEDED,
    (S.AUTHORIZED, I.CANCELED): S.CANCELED,
    (S.CAPTURING, I.SUCCEEDED): S.SUCCEEDED,
    (S.CAPTURING, I.CANCELED): S.CANCELED,
    (S.CANCELING, I.SUCCEEDED): S.SUCCEEDED,
    (S.CANCELING, I.CANCELED): S.CANCELED,
}
NEXT_CALLS = {
    (S.CONFIRMING, I.REQUIRES_CONFIRMATION): Operation.CONFIRM,
    (S.CAPTURING, I.REQUIRES_CAPTURE): Operation.CAPTURE,
    (S.CANCELING, I.REQUIRES_CONFIRMATION): Operation.CANCEL,
    (S.CANCELING, I.REQUIRES_PAYMENT_METHOD): Operation.CANCEL,
    (S.CANCELING, I.REQUIRES_ACTION): Operation.CANCEL,
    (S.CANCELING, I.REQUIRES_CAPTURE): Operation.CANCEL,
}
PAIRS = list(product(State, IntentStatus))
HELD = Held("an amount does not fit", NOW)


@pytest.mark.parametrize(("state", "status"), PAIRS)
def test_evidence_changes_a_payments_state_as_the_table_says_and_not_otherwise(
    state: State, status: IntentStatus
) -> None:
    payment = a_payment(state)
    after = apply(payment, an_intent(status), NOW)
    if (state, status) in NEXT_STATES:
        assert after.state is NEXT_STATES[state, status]
    else:
        assert after == payment


@pytest.mark.parametrize(("state", "status"), PAIRS)
def test_at_most_one_call_follows_from_a_state_and_the_status_that_was_last_reported(
    state: State, status: IntentStatus
) -> None:
    post = next_post(a_payment(state), status, idempotency_counter=3)
    expected = NEXT_CALLS.get((state, status))
    assert (post.operation if post else None) is expected
    if post is not None:
        assert post.idempotency_counter == 3


@given(st.sampled_from(State), st.lists(st.sampled_from(IntentStatus), min_size=1))
def test_evidence_applied_twice_is_the_same_as_once_and_a_final_state_never_changes(
    state: State, statuses: list[IntentStatus]
) -> None:
    payment = a_payment(state)
    for status in statuses:
        before = payment
        payment = apply(payment, an_intent(status), NOW)
        assert apply(payment, an_intent(status), NOW) == payment
        if before.state.is_final:
            assert payment == before


def test_a_decline_is_not_failed_until_the_intent_is_proven_canceled() -> None:
    declined = Failure("card_declined", "insufficient_funds", "No money.")
    after = apply(a_payment(), an_intent(I.REQUIRES_PAYMENT_METHOD, failure=declined), NOW)
    assert (after.state, after.failure) == (State.CANCELING, declined)
    failed = apply(after, an_intent(I.CANCELED), NOW)
    assert (failed.state, failed.failure) == (State.FAILED, declined)


def test_a_decline_without_a_reason_has_a_failure_too() -> None:
    after = apply(a_payment(), an_intent(I.REQUIRES_PAYMENT_METHOD), NOW)
    assert after.failure == Failure("card_declined")


def test_a_payment_charged_while_it_was_being_canceled_succeeded() -> None:
    canceling = a_payment(
        State.CANCELING, cancel_reason=CancelReason.DECLINE, failure=Failure("card_declined")
    )
    after = apply(canceling, an_intent(I.SUCCEEDED), NOW)
    assert (after.state, after.amount_captured, after.failure) == (State.SUCCEEDED, 1000, None)


def test_a_required_action_has_an_address_and_a_day_of_time() -> None:
    intent = an_intent(I.REQUIRES_ACTION, redirect_url="https://bank.example")
    after = apply(a_payment(), intent, NOW)
    assert after.redirect_url == "https://bank.example"
    assert after.action_by == NOW + timedelta(hours=24)


def test_an_authorization_lasts_until_the_time_that_the_processor_reports_or_a_week() -> None:
    reported = apply(
        a_payment(), an_intent(I.REQUIRES_CAPTURE, capture_before=NOW + timedelta(days=5)), NOW
    )
    assert reported.capture_before == NOW + timedelta(days=5)
    unreported = apply(a_payment(), an_intent(I.REQUIRES_CAPTURE), NOW)
    assert unreported.capture_before == NOW + timedelta(days=7)


@pytest.mark.parametrize(
    "intent",
    [
        an_intent(I.SUCCEEDED, payment_id=UUID(int=7)),
        an_intent(I.SUCCEEDED, payment_id=None),
        an_intent(I.SUCCEEDED, amount=Money(1001, "EUR")),
        an_intent(I.SUCCEEDED, amount=Money(1000, "USD")),
        an_intent(I.SUCCEEDED, amount_received=1001),
        an_intent(I.SUCCEEDED, amount_received=0),
        an_intent(I.SUCCEEDED, amount_received=999),
    ],
)
def test_evidence_that_contradicts_the_payment_holds_it_and_no_call_follows(intent: object) -> None:
    after = apply(a_payment(), intent, NOW)  # type: ignore[arg-type]
    assert after.state is State.CONFIRMING
    assert after.held is not None
    assert next_post(after, I.REQUIRES_CONFIRMATION, 0) is None


def test_a_captured_part_other_than_was_asked_for_holds_the_payment() -> None:
    capturing = a_payment(State.CAPTURING, amount_capturing=300)
    part = apply(capturing, an_intent(I.SUCCEEDED, amount_received=300), NOW)
    assert (part.state, part.amount_captured) == (State.SUCCEEDED, 300)
    other = apply(capturing, an_intent(I.SUCCEEDED, amount_received=400), NOW)
    assert (other.state, other.held is None) == (State.CAPTURING, False)


def test_a_release_accepts_the_amount_that_the_processor_captured() -> None:
    capturing = a_payment(State.CAPTURING, amount_capturing=300)
    accepted = apply(capturing, an_intent(I.SUCCEEDED, amount_received=400), NOW, accepting=True)
    assert (accepted.state, accepted.amount_captured) == (State.SUCCEEDED, 400)


def test_a_held_payment_is_changed_by_no_evidence() -> None:
    payment = a_payment(held=HELD)
    assert apply(payment, an_intent(I.SUCCEEDED), NOW) == payment


def test_evidence_of_another_intent_is_an_incident_and_changes_nothing() -> None:
    other = an_intent(I.SUCCEEDED, id="pi_other")
    assert apply(a_payment(), other, NOW) == a_payment()
    assert incident_of(a_payment(), other)


@pytest.mark.parametrize(("state", "status"), PAIRS)
def test_only_a_contradiction_is_an_incident(state: State, status: IntentStatus) -> None:
    contradictions = {
        (S.SUCCEEDED, I.CANCELED),
        (S.FAILED, I.SUCCEEDED),
        (S.FAILED, I.REQUIRES_CAPTURE),
        (S.CANCELED, I.SUCCEEDED),
        (S.CANCELED, I.REQUIRES_CAPTURE),
        (S.AUTHORIZED, I.SUCCEEDED),
    }
    incident = incident_of(a_payment(state), an_intent(status))
    assert bool(incident) is ((state, status) in contradictions)


def test_a_payment_not_confirmed_in_time_begins_to_be_canceled() -> None:
    late = NOW + timedelta(minutes=15, seconds=1)
    expired = expire(a_payment(), I.REQUIRES_CONFIRMATION, late)
    assert (expired.state, expired.cancel_reason) == (State.CANCELING, CancelReason.EXPIRED)
    assert expire(a_payment(), I.PROCESSING, late) == a_payment()
    assert expire(a_payment(), I.REQUIRES_CONFIRMATION, NOW) == a_payment()
    assert expire(a_payment(held=HELD), I.REQUIRES_CONFIRMATION, late) == a_payment(held=HELD)


def test_a_payment_whose_action_is_not_taken_in_time_begins_to_be_canceled() -> None:
    waiting = a_payment(State.REQUIRES_ACTION)
    late = NOW + timedelta(hours=24, seconds=1)
    assert expire(waiting, I.REQUIRES_ACTION, late).cancel_reason is CancelReason.EXPIRED
    assert expire(waiting, I.REQUIRES_ACTION, NOW) == waiting


@pytest.mark.parametrize("reply", [ServerError(), Rejection("payment_intent_unexpected_state")])
def test_a_reply_that_is_recorded_under_its_key_uses_the_key_up(
    reply: ServerError | Rejection,
) -> None:
    after = answer(a_payment(idempotency_counter=2), Post(Operation.CONFIRM, 2), reply, NOW)
    assert after == a_payment(idempotency_counter=3)


def test_a_reply_to_a_call_under_an_older_key_uses_no_key_up() -> None:
    assert answer(
        a_payment(idempotency_counter=3), Post(Operation.CONFIRM, 2), ServerError(), NOW
    ) == a_payment(idempotency_counter=3)


@pytest.mark.parametrize("reply", [OutcomeUnknown("time-out"), NotFound()])
def test_a_reply_that_proves_nothing_changes_nothing(reply: OutcomeUnknown | NotFound) -> None:
    assert answer(a_payment(), Post(Operation.CONFIRM, 0), reply, NOW) == a_payment()


def test_an_idempotency_key_conflict_holds_a_payment_that_is_not_final() -> None:
    post = Post(Operation.CONFIRM, 0)
    assert answer(a_payment(), post, IdempotencyKeyConflict(), NOW).held is not None
    done = a_payment(State.SUCCEEDED)
    assert answer(done, post, IdempotencyKeyConflict(), NOW) == done


def test_a_reply_with_the_intent_is_evidence() -> None:
    after = answer(a_payment(), Post(Operation.CONFIRM, 0), an_intent(I.SUCCEEDED), NOW)
    assert after.state is State.SUCCEEDED


def test_a_capture_has_its_amount_and_a_key_of_payment_operation_and_counter() -> None:
    capturing = a_payment(State.CAPTURING, amount_capturing=300)
    post = next_post(capturing, I.REQUIRES_CAPTURE, idempotency_counter=1)
    assert post == Post(Operation.CAPTURE, 1, 300)
    assert post.key(INSTALLATION, PAYMENT_ID) == f"{INSTALLATION}:{PAYMENT_ID}:capture:1"
