"""The trace of a run: virtual time, who, which call, what became of it. A seed has one trace."""

import hashlib
from typing import TYPE_CHECKING, Any

from verification.world.calls import Call
from verification.world.faults import CallFault
from verification.world.trace_format import format_call, format_time, format_value, shorten_ids

if TYPE_CHECKING:
    from collections.abc import Callable


class Trace:
    """The lines of one run, in order."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.clock: Callable[[], float] = float

    def call(self, sender: str, call: Call, fault: CallFault | str, result: Any) -> None:
        """A call, and what became of it."""
        what = fault.value if isinstance(fault, CallFault) else fault
        if fault is CallFault.NONE:
            what = format_value(result) or "nothing"
        self.event(f"{format_call(call)}: {what}", sender)

    def event(self, text: str, actor: str = "") -> None:
        """Anything else that happens, or that an actor does."""
        time = format_time(self.clock())
        self.lines.append(f"{time:>16}  {actor:<23} {shorten_ids(text)}")

    def hash(self) -> str:
        """Equal for equal traces."""
        return hashlib.sha256("\n".join(self.lines).encode()).hexdigest()


class NoTrace(Trace):
    """A trace of which nothing is kept, for many runs."""

    def call(self, *_: Any) -> None:
        """Nothing."""

    def event(self, *_: Any) -> None:
        """Nothing."""
