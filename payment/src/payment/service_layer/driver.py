"""Drives unfinished payments and refunds to their final state: claim, step, reschedule, overdue.

What a step is differs (`payment_driver`, `refund_driver`); everything around it is here, once.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar, Generic

from chassis.aip.resources import Snapshot
from payment.domain.schedule import (
    Resource,
    StepResult,
    attempts_ended,
    next_attempt_in,
    overdue_since,
)
from payment.service_layer.alerts import Alert, AlertThrottle, RaiseAlert
from payment.service_layer.ports import Due, DueRepository, Jitter, Processor


@dataclass(frozen=True, slots=True)
class Driver(ABC, Generic[Resource]):
    """Drives one kind of resource. A claim gives progress, not safety: two replicas that step one
    resource at once do no harm.
    """

    OVERDUE: ClassVar[Alert]

    repository: DueRepository[Resource]
    processor: Processor
    alert: RaiseAlert
    jitter: Jitter
    throttle: AlertThrottle = field(default_factory=AlertThrottle)

    @abstractmethod
    async def step(self, read: Snapshot[Resource]) -> StepResult[Resource]:
        """Bring a resource forward, which was read as given."""

    async def attempt(self, read: Snapshot[Resource]) -> Resource:
        """The first attempt, which follows from a request."""
        return await self.end(await self.step(read))

    async def take_up(self, due: Due[Resource]) -> None:
        """One attempt at a claimed resource."""
        before = due.snapshot.resource
        result = await self.step(due.snapshot)
        name, since = str(before.name), overdue_since(result.resource, result.now)
        if since is not None and self.throttle.is_time(name, result.now):
            self.alert(self.OVERDUE, name, f"no outcome since {since:%Y-%m-%d %H:%M:%S} UTC")
        has_changed = result.resource.version != before.version
        await self.end(result, 1 if has_changed else due.attempt)

    async def leave(self, read: Snapshot[Resource]) -> Resource:
        """Take no step, as if the processor were unreachable: recovery takes one soon."""
        unanswered = StepResult(read.resource, read.now, answered=False, unreachable=True)
        return await self.end(unanswered)

    async def end(self, result: StepResult[Resource], attempt: int = 1) -> Resource:
        """End an attempt: set when the next one is due, if one is needed."""
        resource = result.resource
        if not resource.is_settled:
            wait = next_attempt_in(result, attempt, self.jitter())
            number = attempts_ended(attempt, unreachable=result.unreachable)
            await self.repository.reschedule(resource, wait, number)
        return resource
