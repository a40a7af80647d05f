"""Bounds how much work of callers is at the processor at once (the port `Bulkhead`).

However many callers there are and however slow the processor is, recovery still gets its calls: it
works without slots, with the connections that callers cannot have.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

WAIT_SECONDS = 1.0
"""How long a piece of work waits for a slot. It is short, because a caller should hear soon that it
should come again, and because a refund has to leave soon after it was last known not to be listed.
"""


class ProcessorBulkhead:
    """Slots for the work of callers.

    A piece of work keeps its slot to its end: a payment that got one for its creation never waits
    with its confirmation or its cancellation.
    """

    def __init__(self, slots: int) -> None:
        self._slots = asyncio.Semaphore(slots)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[bool]:
        """A slot, if one is free in time: gives whether one was."""
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._slots.acquire()
        except TimeoutError:
            yield False
            return
        try:
            yield True
        finally:
            self._slots.release()
