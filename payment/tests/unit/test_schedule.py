"""When an unfinished payment or refund is looked at again."""

from datetime import timedelta

import pytest
from payment_examples import NOW, a_payment, a_refund

from payment.domain.payment import Held, State
from payment.domain.refund import RefundState
from payment.domain.schedule import (
    UNREACHABLE_WAIT,
    attempts_ended,
    is_overdue,
    until_next_look,
    until_next_look_at_refund,
    wait,
)


def seconds(*numbers: int) -> list[timedelta]:
    return [timedelta(seconds=number) for number in numbers]


def test_the_waits_grow_to_an_hour_and_never_end() -> None:
    waits = [wait(attempt, 0.0) for attempt in (0, 1, 2, 3, 4, 5, 6, 7, 1000)]
    assert waits == seconds(1, 1, 5, 30, 120, 600, 3600, 3600, 3600)


def test_what_was_out_of_reach_for_long_is_not_left_alone_for_an_hour_then() -> None:
    remembered = 0
    for _ in range(100):
        remembered = attempts_ended(remembered + 1, unreachable=True)
    (found_there,) = seconds(120)
    assert wait(attempts_ended(remembered + 1, unreachable=False), 0.0) == found_there
    assert [attempts_ended(attempt, unreachable=False) for attempt in (1, 4, 100)] == [1, 4, 100]


@pytest.mark.parametrize("attempt", [1, 4, 7, 100])
def test_a_wait_stays_under_a_minute_while_the_processor_is_merely_out_of_reach(
    attempt: int,
) -> None:
    assert wait(attempt, 1.0, unreachable=True) < timedelta(seconds=60)


@pytest.mark.parametrize("state", [State.CONFIRMING, State.CAPTURING, State.CANCELING])
def test_what_is_under_way_is_looked_at_by_the_waits(state: State) -> None:
    look = until_next_look(a_payment(state), 2, NOW, unreachable=False, jitter=0.5)
    assert look == timedelta(seconds=5.5)
    far = until_next_look(a_payment(state), 9, NOW, unreachable=True, jitter=0.0)
    assert far == timedelta(seconds=45)


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.FAILED, State.CANCELED])
def test_what_is_final_or_held_is_not_looked_at(state: State) -> None:
    assert until_next_look(a_payment(state), 1, NOW, unreachable=False, jitter=0) is None
    held = a_payment(held=Held("who knows", NOW))
    assert until_next_look(held, 1, NOW, unreachable=False, jitter=0) is None


def test_a_hold_is_looked_at_daily_and_when_it_ends() -> None:
    payment = a_payment(State.AUTHORIZED)
    assert until_next_look(payment, 1, NOW, unreachable=False, jitter=0) == timedelta(days=1)
    late = NOW + timedelta(days=6, hours=23)
    ends = timedelta(hours=1, minutes=1)
    assert until_next_look(payment, 1, late, unreachable=False, jitter=0) == ends
    after = NOW + timedelta(days=8)
    look = until_next_look(payment, 1, after, unreachable=False, jitter=0)
    assert look == timedelta(seconds=1)


def test_an_action_is_looked_at_from_five_seconds_on_and_when_its_day_is_over() -> None:
    payment = a_payment(State.REQUIRES_ACTION)
    assert until_next_look(payment, 1, NOW, unreachable=False, jitter=0) == timedelta(seconds=5)
    ends = NOW + timedelta(hours=24)
    almost = ends - timedelta(minutes=10)
    look = until_next_look(payment, 9, almost, unreachable=False, jitter=0)
    assert look == timedelta(minutes=10, seconds=1)
    over = ends + timedelta(minutes=1)
    assert until_next_look(payment, 1, over, unreachable=False, jitter=0) == timedelta(seconds=5)


def test_a_refund_is_looked_at_until_it_failed_or_a_month_has_passed() -> None:
    look = until_next_look_at_refund(a_refund(), 1, NOW, unreachable=False, jitter=0)
    assert look == timedelta(seconds=1)
    done = a_refund(state=RefundState.SUCCEEDED)
    weekly = until_next_look_at_refund(done, 1, NOW, unreachable=False, jitter=0)
    assert weekly == timedelta(weeks=1)
    later = NOW + timedelta(days=25)
    assert until_next_look_at_refund(done, 1, later, unreachable=False, jitter=0) is None
    failed = a_refund(state=RefundState.FAILED)
    assert until_next_look_at_refund(failed, 1, NOW, unreachable=False, jitter=0) is None


def test_what_only_machines_work_on_is_overdue_after_a_quarter_of_an_hour() -> None:
    late = NOW + timedelta(minutes=16)
    assert is_overdue(a_payment(), late)
    assert not is_overdue(a_payment(), NOW)
    assert not is_overdue(a_payment(State.REQUIRES_ACTION), late)
    assert not is_overdue(a_payment(State.SUCCEEDED), late)


@pytest.mark.parametrize("state", [State.AUTHORIZED, State.REQUIRES_ACTION])
def test_what_was_asked_and_not_answered_is_asked_again_soon(state: State) -> None:
    def look(attempt: int, *, unreachable: bool) -> timedelta | None:
        return until_next_look(
            a_payment(state), attempt, NOW, answered=False, unreachable=unreachable, jitter=0
        )

    assert look(1, unreachable=False) == timedelta(seconds=1)
    assert look(9, unreachable=True) == UNREACHABLE_WAIT


def test_a_refund_is_not_given_up_before_its_last_look_was_answered() -> None:
    done, later = a_refund(state=RefundState.SUCCEEDED), NOW + timedelta(days=25)
    look = until_next_look_at_refund(done, 1, later, answered=False, unreachable=True, jitter=0)
    assert look == timedelta(seconds=1)


@pytest.mark.parametrize("state", [State.AUTHORIZED, State.REQUIRES_ACTION])
def test_what_waits_for_people_is_overdue_when_their_time_is_over(state: State) -> None:
    payment = a_payment(state)
    ends = payment.capture_before if state is State.AUTHORIZED else payment.action_by
    assert ends is not None
    assert not is_overdue(payment, ends + timedelta(minutes=14))
    assert is_overdue(payment, ends + timedelta(minutes=16))
