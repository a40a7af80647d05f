"""Waiting for what must come, however long it takes on a busy machine."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable

LONG_SECONDS = 120
"""Longer than anything takes that a test waits for: after it, the test fails."""


async def until(condition: Callable[[], bool | Awaitable[bool]]) -> None:
    """Return when the condition is met. For what notifies nobody."""
    async with asyncio.timeout(LONG_SECONDS):
        while True:
            met = condition()
            if (await met) if inspect.isawaitable(met) else met:
                return
            await asyncio.sleep(0.01)
