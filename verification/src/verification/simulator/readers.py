"""A reader of the stream of events, which goes on after every crash from where it was."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from verification.simulator.shops import UNKNOWN, Gateway
from verification.world.use_cases import UseCases

if TYPE_CHECKING:
    from payment.domain.events import PaymentEvent


class Reader:
    """`events` is what it has read so far: it should be all there are, once each, in their order."""

    def __init__(self, gateway: Gateway, failed: Callable[[BaseException], None]) -> None:
        self.events: list[PaymentEvent] = []
        self._gateway = gateway
        self._failed = failed

    async def read(self) -> None:
        """At whatever replica lives, for as long as that lives."""
        while True:
            replica = self._gateway()
            if replica is None:
                await asyncio.sleep(1)
                continue
            watching = asyncio.get_running_loop().create_task(self._watch(replica))
            await asyncio.wait({watching})
            if not watching.cancelled() and (error := watching.exception()):
                if not isinstance(error, UNKNOWN):
                    self._failed(error)
                await asyncio.sleep(1)

    async def _watch(self, replica: UseCases) -> None:
        cursor = self.events[-1].cursor if self.events else ""
        async for event in replica.events.watch(None, cursor):
            self.events.append(event)
