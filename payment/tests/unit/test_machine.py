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

# Written from the model-checked text, not from the code: every pair that is not here stays.
MOVES = {
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
POSTS = {
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
def test_evidence_moves_a_payment_by_the_table_and_by_nothing_else(
    state: State, status: IntentStatus
) -> None:
    payment = a_payment(state)
    after = apply(payment, an_intent(status), NOW)
    if (state, status) in MOVES:
        assert after.state is MOVES[state, status]
    else:
        assert after == payment


@pytest.mark.parametrize(("state", "status"), PAIRS)
def test_one_call_at_most_follows_and_only_from_what_the_processor_said_last(
    state: State, status: IntentStatus
) -> None:
    post = next_post(a_payment(state), status, idempotency_counter=3)
    wanted = POSTS.get((state, status))
    assert (post.operation if post else None) is wanted
    if post is not None:
        assert post.idempotency_counter == 3


@given(st.sampled_from(State), st.lists(st.sampled_from(IntentStatus), min_size=1))
def test_the_same_word_twice_is_the_same_as_once_and_a_final_state_stays(
    state: State, words: list[IntentStatus]
) -> None:
    payment = a_payment(state)
    for status in words:
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


def test_a_decline_without_a_word_has_a_failure_all_the_same() -> None:
    after = apply(a_payment(), an_intent(I.REQUIRES_PAYMENT_METHOD), NOW)
    assert after.failure == Failure("card_declined")


def test_a_payment_charged_while_it_was_being_canceled_succeeded() -> None:
    canceling = a_payment(
        State.CANCELING, cancel_reason=CancelReason.DECLINE, failure=Failure("card_declined")
    )
    after = apply(canceling, an_intent(I.SUCCEEDED), NOW)
    assert (after.state, after.amount_captured, after.failure) == (State.SUCCEEDED, 1000, None)


def test_an_action_has_a_day_and_an_address() -> None:
    intent = an_intent(I.REQUIRES_ACTION, redirect_url="https://bank.example")
    after = apply(a_payment(), intent, NOW)
    assert after.redirect_url == "https://bank.example"
    assert after.action_by == NOW + timedelta(hours=24)


def test_a_hold_lasts_as_long_as_the_processor_says_or_a_week() -> None:
    said = apply(
        a_payment(), an_intent(I.REQUIRES_CAPTURE, capture_before=NOW + timedelta(days=5)), NOW
    )
    assert said.capture_before == NOW + timedelta(days=5)
    unsaid = apply(a_payment(), an_intent(I.REQUIRES_CAPTURE), NOW)
    assert unsaid.capture_before == NOW + timedelta(days=7)


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
def test_what_does_not_fit_is_held_and_nothing_is_called(intent: object) -> None:
    after = apply(a_payment(), intent, NOW)  # type: ignore[arg-type]
    assert after.state is State.CONFIRMING
    assert after.held is not None
    assert next_post(after, I.REQUIRES_CONFIRMATION, 0) is None


def test_a_part_captured_is_what_was_asked_or_it_is_held() -> None:
    capturing = a_payment(State.CAPTURING, amount_capturing=300)
    part = apply(capturing, an_intent(I.SUCCEEDED, amount_received=300), NOW)
    assert (part.state, part.amount_captured) == (State.SUCCEEDED, 300)
    other = apply(capturing, an_intent(I.SUCCEEDED, amount_received=400), NOW)
    assert (other.state, other.held is None) == (State.CAPTURING, False)


def test_a_person_may_accept_the_amount_that_the_processor_captured() -> None:
    capturing = a_payment(State.CAPTURING, amount_capturing=300)
    accepted = apply(capturing, an_intent(I.SUCCEEDED, amount_received=400), NOW, accepting=True)
    assert (accepted.state, accepted.amount_captured) == (State.SUCCEEDED, 400)


def test_a_held_payment_moves_by_no_evidence() -> None:
    payment = a_payment(held=HELD)
    assert apply(payment, an_intent(I.SUCCEEDED), NOW) == payment


def test_evidence_of_another_intent_is_an_incident_and_nothing_else() -> None:
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
    words = incident_of(a_payment(state), an_intent(status))
    assert bool(words) is ((state, status) in contradictions)


def test_a_card_is_not_tried_after_its_time() -> None:
    late = NOW + timedelta(minutes=15, seconds=1)
    expired = expire(a_payment(), I.REQUIRES_CONFIRMATION, late)
    assert (expired.state, expired.cancel_reason) == (State.CANCELING, CancelReason.EXPIRED)
    assert expire(a_payment(), I.PROCESSING, late) == a_payment()
    assert expire(a_payment(), I.REQUIRES_CONFIRMATION, NOW) == a_payment()
    assert expire(a_payment(held=HELD), I.REQUIRES_CONFIRMATION, late) == a_payment(held=HELD)


def test_an_action_that_nobody_takes_is_called_off_after_its_day() -> None:
    waiting = a_payment(State.REQUIRES_ACTION)
    late = NOW + timedelta(hours=24, seconds=1)
    assert expire(waiting, I.REQUIRES_ACTION, late).cancel_reason is CancelReason.EXPIRED
    assert expire(waiting, I.REQUIRES_ACTION, NOW) == waiting


@pytest.mark.parametrize("reply", [ServerError(), Rejection("payment_intent_unexpected_state")])
def test_an_answer_that_would_replay_for_ever_uses_its_key_up(
    reply: ServerError | Rejection,
) -> None:
    after = answer(a_payment(idempotency_counter=2), Post(Operation.CONFIRM, 2), reply, NOW)
    assert after == a_payment(idempotency_counter=3)


def test_an_answer_to_an_older_call_uses_nothing_up() -> None:
    assert answer(
        a_payment(idempotency_counter=3), Post(Operation.CONFIRM, 2), ServerError(), NOW
    ) == a_payment(idempotency_counter=3)


@pytest.mark.parametrize("reply", [OutcomeUnknown("time-out"), NotFound()])
def test_a_reply_that_proves_nothing_changes_nothing(reply: OutcomeUnknown | NotFound) -> None:
    assert answer(a_payment(), Post(Operation.CONFIRM, 0), reply, NOW) == a_payment()


def test_a_key_used_with_other_parameters_waits_for_a_person() -> None:
    post = Post(Operation.CONFIRM, 0)
    assert answer(a_payment(), post, IdempotencyKeyConflict(), NOW).held is not None
    done = a_payment(State.SUCCEEDED)
    assert answer(done, post, IdempotencyKeyConflict(), NOW) == done


def test_a_reply_with_the_intent_is_evidence() -> None:
    after = answer(a_payment(), Post(Operation.CONFIRM, 0), an_intent(I.SUCCEEDED), NOW)
    assert after.state is State.SUCCEEDED


def test_a_capture_asks_for_its_amount_and_its_key_is_the_same_until_used_up() -> None:
    capturing = a_payment(State.CAPTURING, amount_capturing=300)
    post = next_post(capturing, I.REQUIRES_CAPTURE, idempotency_counter=1)
    assert post == Post(Operation.CAPTURE, 1, 300)
    assert post.key(INSTALLATION, PAYMENT_ID) == f"{INSTALLATION}:{PAYMENT_ID}:capture:1"
