"""A reader of the stream of events, which resumes after every crash from its cursor."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from verification.simulator.clients import LoadBalancer
from verification.world.use_cases import UNKNOWN_OUTCOME, Replica

if TYPE_CHECKING:
    from payment.domain.events import PaymentEvent


class EventReader:
    """`events` is what was read: it must be every event, once, in order."""

    def __init__(
        self, load_balancer: LoadBalancer, on_failure: Callable[[BaseException], None]
    ) -> None:
        self.events: list[PaymentEvent] = []
        self._load_balancer = load_balancer
        self._on_failure = on_failure

    async def read(self) -> None:
        """Read from any replica, for as long as that runs."""
        while True:
            replica = self._load_balancer()
            if replica is None:
                await asyncio.sleep(1)
                continue
            watching = asyncio.get_running_loop().create_task(self._watch(replica))
            await asyncio.wait({watching})
            if not watching.cancelled() and (error := watching.exception()):
                if not isinstance(error, UNKNOWN_OUTCOME):
                    self._on_failure(error)
                await asyncio.sleep(1)

    async def _watch(self, replica: Replica) -> None:
        cursor = self.events[-1].cursor if self.events else ""
        async for event in replica.read_events.watch(None, cursor):
            self.events.append(event)
