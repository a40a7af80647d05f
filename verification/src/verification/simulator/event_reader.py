"""A reader of the stream of events, which resumes after every crash from its cursor."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from payment.domain.events import PaymentEvent
from verification.simulator.clients import LoadBalancer
from verification.world.use_cases import UNKNOWN_OUTCOME, Replica


@dataclass(frozen=True, slots=True)
class EventReader:
    """`events` is what was read: it must be every event, once, in order."""

    load_balancer: LoadBalancer
    on_failure: Callable[[BaseException], None]
    events: list[PaymentEvent] = field(default_factory=list)

    async def read(self) -> None:
        """Read from any replica, for as long as that runs."""
        while True:
            replica = self.load_balancer()
            if replica is None:
                await asyncio.sleep(1)
                continue
            watching = asyncio.get_running_loop().create_task(self._watch(replica))
            await asyncio.wait({watching})
            if not watching.cancelled() and (error := watching.exception()):
                if not isinstance(error, UNKNOWN_OUTCOME):
                    self.on_failure(error)
                await asyncio.sleep(1)

    async def _watch(self, replica: Replica) -> None:
        cursor = self.events[-1].cursor if self.events else ""
        async for event in replica.read_events.watch(None, cursor):
            self.events.append(event)
