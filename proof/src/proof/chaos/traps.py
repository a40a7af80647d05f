"""Named points: "kill it when its confirm has just been answered". A trap waits for the moment."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from proof.chaos.proxy import Moment, Verdict

OF_THE_PROCESSOR = ("create", "confirm", "capture", "cancel", "refund", "ask", "list")
OF_THE_DATABASE = ("insert", "save", "claim", "reserve", "save_refund")
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
    spring: Callable[[], Verdict]
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

    def __call__(self, proxy: str, operation: str, moment: Moment) -> Verdict:
        if moment is Moment.ANSWERED:
            self.passed[operation] += 1
        for trap in self._set:
            meant = (trap.operation, trap.moment) == (operation, moment)
            if meant and proxy.startswith(trap.proxy):
                self._set.remove(trap)
                trap.sprung.set()
                return trap.spring()
        return Verdict.PASS

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
