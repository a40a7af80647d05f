"""Named points in the traffic: "kill it when its confirm has just been answered"."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from verification.chaos.proxy import Decision, Moment

PROCESSOR, DATABASE = "processor", "database"
OPERATIONS = {
    (PROCESSOR, "create"): 4,
    (PROCESSOR, "confirm"): 5,
    (PROCESSOR, "capture"): 2,
    (PROCESSOR, "cancel"): 2,
    (PROCESSOR, "refund"): 2,
    (PROCESSOR, "retrieve"): 3,
    (PROCESSOR, "list"): 1,
    (DATABASE, "insert_payment"): 5,
    (DATABASE, "save_payment"): 5,
    (DATABASE, "claim"): 2,
    (DATABASE, "insert_refund"): 1,
    (DATABASE, "save_refund"): 1,
}
"""What has a name on its way, behind which proxies; and the weight with which it is chosen."""
STATEMENTS = tuple(operation for side, operation in OPERATIONS if side == DATABASE)
MOMENTS = tuple(Moment)


@dataclass(eq=False)
class FaultPoint:
    """A fault that waits for an operation at a moment of its way.

    Attributes:
        proxy: how the proxy's name begins: `database-` is any of them.
        inject: injects the fault, without waiting, and decides what becomes of the operation.
    """

    proxy: str
    operation: str
    moment: Moment
    inject: Callable[[], Decision]
    hit: asyncio.Event = field(default_factory=asyncio.Event)

    def __str__(self) -> str:
        return f"{self.operation} {self.moment.value}"


class FaultPoints:
    """The interceptor of all proxies. Attributes: passed: how often each operation was answered."""

    def __init__(self) -> None:
        self.passed: Counter[str] = Counter()
        self._armed: list[FaultPoint] = []

    def __call__(self, proxy: str, operation: str, moment: Moment) -> Decision:
        if moment is Moment.ANSWERED:
            self.passed[operation] += 1
        for point in self._armed:
            is_meant = (point.operation, point.moment) == (operation, moment)
            if is_meant and proxy.startswith(point.proxy):
                self._armed.remove(point)
                point.hit.set()
                return point.inject()
        return Decision.FORWARD

    async def arm(self, point: FaultPoint, seconds: float) -> bool:
        """Arm it for so long; whether it was hit."""
        self._armed.append(point)
        try:
            async with asyncio.timeout(seconds):
                await point.hit.wait()
        except TimeoutError:
            if point in self._armed:
                self._armed.remove(point)
        return point.hit.is_set()

    def clear(self) -> None:
        self._armed.clear()
