"""When an unfinished payment or refund is looked at again. It is never given up."""

from datetime import datetime, timedelta

from payment.domain.payment import Payment, State
from payment.domain.refund import WATCH_FOR, Refund, RefundState

HOLD = timedelta(seconds=25)
"""How far ahead a claim, a birth and every write of a step set the due time: one call's time-out
(20 s) and a little. So a payment whose process died is taken up within 25 s.
"""
WAITS = tuple(timedelta(seconds=seconds) for seconds in (1, 5, 30, 120, 600, 3600))
"""The waits after each attempt that changed nothing; the last one repeats."""
UNREACHABLE_WAIT = timedelta(seconds=45)
"""The longest wait while the processor is merely out of reach; with jitter still under 60 s."""
JITTER = 0.2
"""The share by which a wait may grow, so that what failed together does not come back together."""
OVERDUE = timedelta(minutes=15)
"""After so long without an outcome an alarm is raised."""


def next_look(
    payment: Payment, attempt: int, now: datetime, *, unreachable: bool, jitter: float
) -> datetime | None:
    """When to look at a payment again; None where nothing is left to do.

    `attempt` counts the looks since it last moved, from 1; `jitter` is from 0 to 1.
    """
    if payment.is_settled:
        return None
    if payment.state is State.AUTHORIZED:
        daily = now + timedelta(days=1)
        # A little after the hold's end: before it the processor has nothing new to say.
        ends = (payment.capture_before or daily) + timedelta(minutes=1)
        return min(daily, ends) if ends > now else now + wait(attempt, jitter)
    if payment.state is State.REQUIRES_ACTION:
        later = now + wait(attempt + 1, jitter)  # a person is not faster than 5 s
        if payment.action_by and payment.action_by > now:
            return min(later, payment.action_by + timedelta(seconds=1))
        return later
    return now + wait(attempt, jitter, unreachable=unreachable)


def next_look_at_refund(
    refund: Refund, attempt: int, now: datetime, *, unreachable: bool, jitter: float
) -> datetime | None:
    """The same for a refund."""
    if refund.state is RefundState.FAILED:
        return None
    if refund.state is RefundState.SUCCEEDED:
        weekly = now + timedelta(weeks=1)
        return weekly if weekly < refund.create_time + WATCH_FOR else None
    return now + wait(attempt, jitter, unreachable=unreachable)


def wait(attempt: int, jitter: float, *, unreachable: bool = False) -> timedelta:
    """How long to wait after the attempt of this number."""
    planned = WAITS[min(max(attempt, 1), len(WAITS)) - 1]
    if unreachable:
        planned = min(planned, UNREACHABLE_WAIT)
    return planned * (1 + JITTER * jitter)


def is_overdue(payment: Payment, now: datetime) -> bool:
    """Whether a payment that only machines work on is without an outcome for too long."""
    waits_for_people = payment.state in {State.REQUIRES_ACTION, State.AUTHORIZED}
    return not payment.is_settled and not waits_for_people and now - payment.update_time > OVERDUE
