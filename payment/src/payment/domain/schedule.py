"""When an unfinished payment or refund is looked at again. It is never given up."""

from datetime import datetime, timedelta

from payment.domain.payment import Payment, State
from payment.domain.refund import WATCH_FOR, Refund, RefundState

CLAIM_LASTS = timedelta(seconds=25)
"""How far ahead a claim, a birth and every write of a step set the due time: one call's time-out
(20 s) and a little. So a payment whose process died is taken up within 25 s.
"""
WAITS = tuple(timedelta(seconds=seconds) for seconds in (1, 5, 30, 120, 600, 3600))
"""The waits after each attempt that changed nothing; the last one repeats."""
UNREACHABLE_WAIT = timedelta(seconds=45)
"""The longest wait while the processor is merely out of reach; with jitter still under 60 s."""
UNREACHABLE_ATTEMPTS = 3
"""As many attempts count at most while it is out of reach: they have learnt nothing, so that the first
that finds it there again is followed by two minutes, and not by an hour.
"""
JITTER = 0.2
"""The share by which a wait may grow, so that what failed together does not come back together."""
DAILY, WEEKLY = timedelta(days=1), timedelta(weeks=1)
"""How often a hold is looked at, and a refund that a bank may yet send back."""
OVERDUE = timedelta(minutes=15)
"""After so long without an outcome an alarm is raised."""


def until_next_look(
    payment: Payment,
    attempt: int,
    now: datetime,
    *,
    answered: bool = True,
    unreachable: bool,
    jitter: float,
) -> timedelta | None:
    """How long to leave a payment alone, from the end of an attempt; None where nothing is left
    to do.

    `attempt` counts the looks since it last moved, from 1; `jitter` is from 0 to 1. What the
    processor was asked and did not answer is asked again soon: something may have happened.
    """
    if payment.is_settled:
        return None
    if not answered:
        return wait(attempt, jitter, unreachable=unreachable)
    if payment.state is State.AUTHORIZED and payment.capture_before is not None:
        # A little after the hold's end: before it the processor has nothing new to say.
        ends = payment.capture_before + timedelta(minutes=1) - now
        return min(DAILY, ends) if ends > timedelta(0) else wait(attempt, jitter)
    if payment.state is State.REQUIRES_ACTION and payment.action_by is not None:
        later = wait(attempt + 1, jitter)  # a person is not faster than 5 s
        ends = payment.action_by + timedelta(seconds=1) - now
        return min(later, ends) if ends > timedelta(0) else later
    return wait(attempt, jitter, unreachable=unreachable)


def until_next_look_at_refund(
    refund: Refund,
    attempt: int,
    now: datetime,
    *,
    answered: bool = True,
    unreachable: bool,
    jitter: float,
) -> timedelta | None:
    """The same for a refund."""
    if refund.state is RefundState.FAILED:
        return None
    if refund.state is RefundState.SUCCEEDED and answered:
        return WEEKLY if now + WEEKLY < refund.create_time + WATCH_FOR else None
    return wait(attempt, jitter, unreachable=unreachable)


def wait(attempt: int, jitter: float, *, unreachable: bool = False) -> timedelta:
    """How long to wait after the attempt of this number."""
    planned = WAITS[min(max(attempt, 1), len(WAITS)) - 1]
    if unreachable:
        planned = min(planned, UNREACHABLE_WAIT)
    return planned * (1 + JITTER * jitter)


def attempts_ended(attempt: int, *, unreachable: bool) -> int:
    """The number under which an attempt that has ended is remembered."""
    return min(attempt, UNREACHABLE_ATTEMPTS) if unreachable else attempt


def is_overdue(payment: Payment, now: datetime) -> bool:
    """Whether a payment is without an outcome for too long, since it moved or its time was over."""
    since: datetime | None = payment.update_time
    if payment.state is State.REQUIRES_ACTION:
        since = payment.action_by
    elif payment.state is State.AUTHORIZED:
        since = payment.capture_before
    return not payment.is_settled and since is not None and now - since > OVERDUE


def is_refund_overdue(refund: Refund, now: datetime) -> bool:
    """The same for a refund. Once the processor has said that it is pending, it waits for a bank, or
    for money on our account there: that may take days.
    """
    patience = WEEKLY if refund.processor_id else OVERDUE
    return refund.state is RefundState.PENDING and now - refund.create_time > patience
