"""When an unfinished payment or refund is attempted again, and when it is overdue."""

from datetime import datetime, timedelta

import pytest
from support.examples import NOW, a_payment, a_refund

from payment.domain.payment import Held, Payment, State
from payment.domain.refund import Refund, RefundState
from payment.domain.schedule import (
    CLAIM_LASTS,
    MAX_UNREACHABLE_WAIT,
    StepResult,
    attempts_ended,
    next_attempt_in,
    overdue_since,
    wait,
)

SECOND = timedelta(seconds=1)


def next_attempt(
    resource: Payment | Refund,
    attempt: int = 1,
    now: datetime = NOW,
    *,
    answered: bool = True,
    unreachable: bool = False,
    jitter: float = 0.0,
) -> timedelta | None:
    """The wait after an attempt of this number that left the resource so."""
    if isinstance(resource, Refund):
        return next_attempt_in(StepResult(resource, now, answered, unreachable), attempt, jitter)
    return next_attempt_in(StepResult(resource, now, answered, unreachable), attempt, jitter)


def test_the_waits_grow_to_an_hour_and_stay_there() -> None:
    waits = [wait(attempt, 0.0) for attempt in (0, 1, 2, 3, 4, 5, 6, 7, 1000)]
    assert waits == [number * SECOND for number in (1, 1, 5, 30, 120, 600, 3600, 3600, 3600)]


def test_jitter_adds_at_most_a_fifth_to_a_wait() -> None:
    assert wait(2, 1.0) == 6 * SECOND


def test_the_first_answered_attempt_after_a_long_outage_is_followed_by_two_minutes() -> None:
    stored = 0
    for _ in range(100):
        stored = attempts_ended(stored + 1, unreachable=True)
    assert wait(attempts_ended(stored + 1, unreachable=False), 0.0) == 120 * SECOND


@pytest.mark.parametrize("attempt", [1, 4, 100])
def test_an_answered_attempt_is_stored_under_its_own_number(attempt: int) -> None:
    assert attempts_ended(attempt, unreachable=False) == attempt


@pytest.mark.parametrize("attempt", [1, 4, 7, 100])
def test_a_wait_stays_under_a_minute_while_the_processor_is_unreachable(attempt: int) -> None:
    assert wait(attempt, 1.0, unreachable=True) < timedelta(seconds=60)


@pytest.mark.parametrize("state", [State.CONFIRMING, State.CAPTURING, State.CANCELING])
def test_a_processing_payment_is_attempted_again_after_the_wait_of_its_attempt(
    state: State,
) -> None:
    assert next_attempt(a_payment(state), 2, jitter=0.5) == 5.5 * SECOND
    assert next_attempt(a_payment(state), 9, unreachable=True) == MAX_UNREACHABLE_WAIT


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.FAILED, State.CANCELED])
def test_a_payment_in_a_final_state_is_not_attempted_again(state: State) -> None:
    assert next_attempt(a_payment(state)) is None


def test_a_held_payment_is_not_attempted_again() -> None:
    assert next_attempt(a_payment(held=Held("another amount", NOW))) is None


def test_an_authorization_is_checked_daily() -> None:
    assert next_attempt(a_payment(State.AUTHORIZED)) == timedelta(days=1)


def test_an_authorization_is_checked_a_minute_after_it_ends() -> None:
    hour_before_the_end = NOW + timedelta(days=6, hours=23)
    expected = timedelta(hours=1, minutes=1)
    assert next_attempt(a_payment(State.AUTHORIZED), now=hour_before_the_end) == expected


def test_an_authorization_that_has_ended_is_checked_by_the_waits() -> None:
    assert next_attempt(a_payment(State.AUTHORIZED), now=NOW + timedelta(days=8)) == SECOND


def test_a_required_action_is_checked_after_five_seconds_at_the_earliest() -> None:
    assert next_attempt(a_payment(State.REQUIRES_ACTION)) == 5 * SECOND


def test_a_required_action_is_checked_a_second_after_its_time_is_over() -> None:
    ten_minutes_before_the_end = NOW + timedelta(hours=24) - timedelta(minutes=10)
    expected = timedelta(minutes=10, seconds=1)
    payment = a_payment(State.REQUIRES_ACTION)
    assert next_attempt(payment, 9, ten_minutes_before_the_end) == expected


def test_a_required_action_whose_time_is_over_is_checked_by_the_waits() -> None:
    after_the_end = NOW + timedelta(hours=24, minutes=1)
    assert next_attempt(a_payment(State.REQUIRES_ACTION), now=after_the_end) == 5 * SECOND


def test_a_pending_refund_is_attempted_again_after_the_wait_of_its_attempt() -> None:
    assert next_attempt(a_refund(), 1) == SECOND
    assert next_attempt(a_refund(), 9, unreachable=True) == MAX_UNREACHABLE_WAIT


def test_a_refund_that_succeeded_is_checked_weekly_for_a_month() -> None:
    refund = a_refund(state=RefundState.SUCCEEDED)
    assert next_attempt(refund) == timedelta(weeks=1)
    assert next_attempt(refund, now=NOW + timedelta(days=25)) is None


def test_a_refund_that_failed_is_not_attempted_again() -> None:
    assert next_attempt(a_refund(state=RefundState.FAILED)) is None


@pytest.mark.parametrize(
    "resource",
    [
        a_payment(State.AUTHORIZED),
        a_payment(State.REQUIRES_ACTION),
        a_refund(state=RefundState.SUCCEEDED),
    ],
    ids=["authorized", "requires action", "succeeded refund"],
)
def test_a_question_without_an_answer_is_asked_again_soon(resource: Payment | Refund) -> None:
    assert next_attempt(resource, 1, answered=False) == SECOND
    assert next_attempt(resource, 9, answered=False, unreachable=True) == MAX_UNREACHABLE_WAIT


def test_the_last_check_of_a_refund_is_repeated_until_it_is_answered() -> None:
    refund, last_check = a_refund(state=RefundState.SUCCEEDED), NOW + timedelta(days=25)
    assert next_attempt(refund, 1, last_check, answered=False, unreachable=True) == SECOND


def test_a_claim_lasts_longer_than_the_longest_call_to_the_processor() -> None:
    assert timedelta(seconds=20) < CLAIM_LASTS


def test_a_processing_payment_is_overdue_a_quarter_of_an_hour_after_its_last_change() -> None:
    assert overdue_since(a_payment(), NOW + timedelta(minutes=15)) is None
    assert overdue_since(a_payment(), NOW + timedelta(minutes=16)) == NOW


def test_a_settled_payment_is_never_overdue() -> None:
    a_year_later = NOW + timedelta(days=365)
    assert overdue_since(a_payment(State.SUCCEEDED), a_year_later) is None
    assert overdue_since(a_payment(held=Held("another amount", NOW)), a_year_later) is None


@pytest.mark.parametrize("state", [State.AUTHORIZED, State.REQUIRES_ACTION])
def test_a_payment_that_waits_for_people_is_overdue_after_their_time_is_over(state: State) -> None:
    payment = a_payment(state)
    ends = payment.capture_before if state is State.AUTHORIZED else payment.action_by
    assert ends is not None
    assert overdue_since(payment, ends + timedelta(minutes=14)) is None
    assert overdue_since(payment, ends + timedelta(minutes=16)) == payment.update_time


def test_a_refund_that_the_processor_has_not_reported_is_overdue_after_a_quarter_of_an_hour() -> (
    None
):
    assert overdue_since(a_refund(), NOW + timedelta(minutes=15)) is None
    assert overdue_since(a_refund(), NOW + timedelta(minutes=16)) == NOW


def test_a_refund_that_waits_for_a_bank_is_overdue_after_a_week() -> None:
    refund = a_refund(processor_id="re_1")
    assert overdue_since(refund, NOW + timedelta(days=6)) is None
    assert overdue_since(refund, NOW + timedelta(days=8)) == NOW


@pytest.mark.parametrize("state", [RefundState.SUCCEEDED, RefundState.FAILED])
def test_a_refund_with_an_outcome_is_never_overdue(state: RefundState) -> None:
    assert overdue_since(a_refund(state=state), NOW + timedelta(days=365)) is None
