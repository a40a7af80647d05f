"""Takes up what is due, payments and refunds, and steps it: in every replica, always.

What it works with is its own: connections to the database and calls to the processor that no caller
can take.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from payment.service_layer.driver import Driver
from payment.service_layer.ports import Due

MAX_CONCURRENT_STEPS = 50
"""How many steps run at once in one process: as many calls are under way."""
MAX_CONCURRENT_REFUNDS = 10
"""How many of them are refunds: neither kind waits for the other."""
POLL_SECONDS = 1.0
"""The pause between two claims: the shortest wait of the schedule."""
WAKE_DEBOUNCE_SECONDS = 0.05
"""The pause where recovery is woken: webhooks that come together cause one claim."""


@dataclass(frozen=True, slots=True)
class Lane:
    """A driver, and how many of its resources are stepped at once."""

    driver: Driver[Any]
    slots: int
    tasks: set[asyncio.Task[None]] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Recovery:
    """Steps what is due. `on_unexpected_error` is given every error: none may end the work."""

    lanes: Sequence[Lane]
    on_unexpected_error: Callable[[Exception], None]
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Works until it is canceled. A slow step keeps its own slot busy, not the others'."""
        try:
            while True:
                for lane in self.lanes:
                    for due in await self.claim(lane):
                        task = asyncio.create_task(self.take_up(lane, due))
                        lane.tasks.add(task)
                        task.add_done_callback(lane.tasks.discard)
                await self._pause()
        finally:  # as in a crash: what is left undone is due again when its claim ends
            tasks = [task for lane in self.lanes for task in lane.tasks]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def wake(self) -> None:
        """Something is due now: claim at once, not at the end of the pause."""
        self.woken.set()

    async def claim(self, lane: Lane) -> Sequence[Due[Any]]:
        """Claims as much as the lane has free slots."""
        free = lane.slots - len(lane.tasks)
        try:
            return await lane.driver.repository.claim_due(free) if free > 0 else []
        except Exception as error:  # noqa: BLE001 (the database is away: claim again in a second)
            self.on_unexpected_error(error)
            return []

    async def take_up(self, lane: Lane, due: Due[Any]) -> None:
        """One attempt at a claimed resource."""
        try:
            await lane.driver.take_up(due)
        except Exception as error:  # noqa: BLE001 (whatever it is, the next one is not affected)
            self.on_unexpected_error(error)

    async def _pause(self) -> None:
        await asyncio.sleep(WAKE_DEBOUNCE_SECONDS)
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL_SECONDS - WAKE_DEBOUNCE_SECONDS):
                await self.woken.wait()
        self.woken.clear()  # before the claim: what becomes due from here on wakes it again
