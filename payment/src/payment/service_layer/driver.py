"""Drives unfinished payments and refunds to their final state: claim, step, reschedule, overdue.

What a step is differs (`payment_steps`, `refund_steps`); everything around it is here, once.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic

from chassis.aip.resources import Snapshot
from payment.domain.schedule import (
    Resource,
    StepResult,
    attempts_ended,
    next_attempt_in,
    overdue_since,
)
from payment.service_layer.alerts import Alert, AlertThrottle, RaiseAlert
from payment.service_layer.ports import Due, DueRepository, Jitter


@dataclass(frozen=True, slots=True)
class Driver(Generic[Resource]):
    """Drives one kind of resource. A claim gives progress, not safety: two replicas that step one
    resource at once do no harm.
    """

    repository: DueRepository[Resource]
    step: Callable[[Snapshot[Resource]], Awaitable[StepResult[Resource]]]
    alert: RaiseAlert
    overdue: Alert
    jitter: Jitter
    throttle: AlertThrottle = field(default_factory=AlertThrottle)

    async def claim(self, limit: int) -> Sequence[Due[Resource]]:
        """Claim at most so many resources that are due."""
        return await self.repository.claim_due(limit)

    async def take_up(self, due: Due[Resource]) -> None:
        """One attempt at a claimed resource."""
        before = due.snapshot.resource
        result = await self.step(due.snapshot)
        name, since = str(before.name), overdue_since(result.resource, result.now)
        if since is not None and self.throttle.is_time(name, result.now):
            self.alert(self.overdue, name, f"no outcome since {since:%Y-%m-%d %H:%M:%S} UTC")
        has_changed = result.resource.version != before.version
        await self.end(result, 1 if has_changed else due.attempt)

    async def end(self, result: StepResult[Resource], attempt: int = 1) -> Resource:
        """End an attempt: set when the next one is due, if one is needed."""
        resource = result.resource
        if not resource.is_settled:
            wait = next_attempt_in(result, attempt, self.jitter())
            number = attempts_ended(attempt, unreachable=result.unreachable)
            await self.repository.reschedule(resource, wait, number)
        return resource
