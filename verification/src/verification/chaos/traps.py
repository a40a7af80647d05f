"""Named points: "kill it when its confirm has just been answered". A trap waits for the moment."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from verification.chaos.proxy import CustomerStatus, Moment

PROCESSOR, DATABASE = "processor", "database"
POINTS = {
    (PROCESSOR, "create"): 4,
    (PROCESSOR, "confirm"): 5,
    (PROCESSOR, "capture"): 2,
    (PROCESSOR, "cancel"): 2,
    (PROCESSOR, "refund"): 2,
    (PROCESSOR, "ask"): 3,
    (PROCESSOR, "list"): 1,
    (DATABASE, "insert"): 5,
    (DATABASE, "save"): 5,
    (DATABASE, "claim"): 2,
    (DATABASE, "reserve"): 1,
    (DATABASE, "save_refund"): 1,
}
"""Where something can be met, at each of the three moments; and how often it is tried there."""
CHANGES = tuple(operation for side, operation in POINTS if side == DATABASE)
MOMENTS = tuple(Moment)


@dataclass(eq=False)
class Trap:
    """One that is set. `spring` does the deed, without waiting, and says what becomes of the bytes.

    Attributes:
        proxy: how the proxy's name begins: `database-` is any of them.
    """

    proxy: str
    operation: str
    moment: Moment
    spring: Callable[[], CustomerStatus]
    sprung: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def point(self) -> str:
        """Its name, for people."""
        return f"{self.operation} {self.moment.value}"


class Traps:
    """The watcher of all proxies. Attributes: passed: how much of each operation went by."""

    def __init__(self) -> None:
        self.passed: Counter[str] = Counter()
        self._set: list[Trap] = []

    def __call__(self, proxy: str, operation: str, moment: Moment) -> CustomerStatus:
        if moment is Moment.ANSWERED:
            self.passed[operation] += 1
        for trap in self._set:
            meant = (trap.operation, trap.moment) == (operation, moment)
            if meant and proxy.startswith(trap.proxy):
                self._set.remove(trap)
                trap.sprung.set()
                return trap.spring()
        return CustomerStatus.PASS

    async def catch(self, trap: Trap, seconds: float) -> bool:
        """Set it for so long; whether something went by."""
        self._set.append(trap)
        try:
            async with asyncio.timeout(seconds):
                await trap.sprung.wait()
        except TimeoutError:
            if trap in self._set:
                self._set.remove(trap)
        return trap.sprung.is_set()

    def clear(self) -> None:
        self._set.clear()
