"""When an unfinished payment or refund is attempted again. It is never given up."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from payment.domain.payment import Payment, State
from payment.domain.refund import WATCH_FOR, Refund, RefundState

CLAIM_LASTS = timedelta(seconds=25)
"""How far ahead a claim, an insert and every write of a step set the due time: one call's time-out
(20 s) and a little. So a payment whose process died is taken up within 25 s.
"""
WAITS = tuple(timedelta(seconds=seconds) for seconds in (1, 5, 30, 120, 600, 3600))
"""The waits after each attempt that changed nothing; the last one repeats."""
MAX_UNREACHABLE_WAIT = timedelta(seconds=45)
"""The longest wait while the processor is unreachable; with jitter still under 60 s."""
MAX_UNREACHABLE_ATTEMPTS = 3
"""While the processor is unreachable, the attempt count is capped, so that the first answered attempt
after an outage is followed by a two-minute wait, not an hour.
"""
JITTER = 0.2
"""The share by which a wait may grow, so that what failed together does not come back together."""
DAILY, WEEKLY = timedelta(days=1), timedelta(weeks=1)
"""How often an authorized payment is checked, and a refund that a bank may send back."""
OVERDUE = timedelta(minutes=15)
"""After so long without an outcome an alert is raised."""

Resource = TypeVar("Resource", Payment, Refund)


@dataclass(frozen=True, slots=True)
class StepResult(Generic[Resource]):
    """Where a step left a payment or a refund.

    Attributes:
        now: the database's clock when it was read.
        answered: whether the processor reported its state.
        unreachable: whether the processor did not reply at all.
    """

    resource: Resource
    now: datetime
    answered: bool = True
    unreachable: bool = False


def next_attempt_in(
    result: StepResult[Payment] | StepResult[Refund], attempt: int, jitter: float
) -> timedelta | None:
    """How long to wait for the next attempt; None where nothing is left to do.

    Args:
        attempt: the number of the attempt that ended, from 1, since the resource last changed.
        jitter: from 0 to 1.
    """
    resource, now = result.resource, result.now
    if resource.is_settled:
        return None
    soon = wait(attempt, jitter, unreachable=result.unreachable)
    if not result.answered:
        return soon
    if isinstance(resource, Refund):
        if resource.state is RefundState.PENDING:
            return soon
        return WEEKLY if now + WEEKLY < resource.create_time + WATCH_FOR else None
    if resource.state is State.AUTHORIZED and resource.capture_before is not None:
        # A minute after the end of the authorization: before it nothing changes.
        ends = resource.capture_before + timedelta(minutes=1) - now
        return min(DAILY, ends) if ends > timedelta(0) else wait(attempt, jitter)
    if resource.state is State.REQUIRES_ACTION and resource.action_by is not None:
        later = wait(attempt + 1, jitter)  # a customer is not faster than 5 s
        ends = resource.action_by + timedelta(seconds=1) - now
        return min(later, ends) if ends > timedelta(0) else later
    return soon


def wait(attempt: int, jitter: float, *, unreachable: bool = False) -> timedelta:
    """How long to wait after the attempt of this number."""
    planned = WAITS[min(max(attempt, 1), len(WAITS)) - 1]
    if unreachable:
        planned = min(planned, MAX_UNREACHABLE_WAIT)
    return planned * (1 + JITTER * jitter)


def attempts_ended(attempt: int, *, unreachable: bool) -> int:
    """The number that is stored for an attempt that has ended."""
    return min(attempt, MAX_UNREACHABLE_ATTEMPTS) if unreachable else attempt


def overdue_since(resource: Payment | Refund, now: datetime) -> datetime | None:
    """Since when a payment or refund has had no outcome, if that is too long; else None."""
    if isinstance(resource, Refund):
        # A refund that the processor reports as pending waits for a bank, or for money on our
        # account there. That may take days.
        patience = WEEKLY if resource.processor_id else OVERDUE
        is_late = resource.state is RefundState.PENDING and now - resource.create_time > patience
        return resource.create_time if is_late else None
    start: datetime | None = resource.update_time
    if resource.state is State.REQUIRES_ACTION:
        start = resource.action_by
    elif resource.state is State.AUTHORIZED:
        start = resource.capture_before
    is_late = not resource.is_settled and start is not None and now - start > OVERDUE
    return resource.update_time if is_late else None
