"""An event loop whose time is a number, and whose order is a seed's.

It waits for nothing: when no callback is ready, time jumps to the next timer. Which of the ready
callbacks runs next is drawn, so that whatever a real loop's order hides comes to light. There is no
input, no output and no thread; what asks for one fails. Nothing ready and no timer is a deadlock.
"""

import asyncio
import heapq
from asyncio import events
from collections.abc import Callable, Coroutine
from contextvars import Context
from itertools import count
from random import Random
from typing import Any, TypeVar, TypeVarTuple, Unpack

Arguments = TypeVarTuple("Arguments")
Result = TypeVar("Result")

MAX_CALLBACKS = 30_000
"""Far above what any run needs: who passes it goes round in a circle."""


class Deadlock(Exception):
    """Nothing is left that could ever wake what still waits."""


class GoesRound(Exception):
    """More callbacks than any run needs."""


class VirtualLoop(asyncio.AbstractEventLoop):
    """One run. `failures` are the errors that nobody has taken."""

    def __init__(self, random: Random) -> None:
        self.failures: list[BaseException | str] = []
        self._random = random.random
        self._now = 0.0
        self._ready: list[asyncio.Handle] = []
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._numbers = count()
        self._running = False

    # ------------------------------------------------------------------ running

    def run_until_complete(self, future: Any) -> Any:
        """The result of a coroutine, and whatever virtual time it takes. Raises Deadlock,
        GoesRound.
        """
        main = asyncio.ensure_future(future, loop=self)
        self._running = True
        events._set_running_loop(self)
        try:
            for _ in range(MAX_CALLBACKS):
                if main.done():
                    return main.result()
                self._next()._run()
        finally:
            events._set_running_loop(None)
            self._running = False
        raise GoesRound(f"after {MAX_CALLBACKS:,} callbacks, {self._now:,.0f} s, it still goes on")

    def _next(self) -> asyncio.Handle:
        """The next callback: any of those that are ready."""
        ready = self._ready
        while True:
            while ready:
                place = int(self._random() * len(ready))
                handle, ready[place] = ready[place], ready[-1]
                ready.pop()
                if not handle.cancelled():
                    return handle
            self._pass_time()

    def _pass_time(self) -> None:
        """Jump to the next timer, and make all that are due then ready."""
        timers = self._timers
        while timers and timers[0][2].cancelled():
            heapq.heappop(timers)
        if not timers:
            raise Deadlock("nothing is ready, and no timer is set")
        self._now = max(self._now, timers[0][0])
        while timers and timers[0][0] <= self._now:
            self._ready.append(heapq.heappop(timers)[2])

    # ------------------------------------------------------------------ what asyncio asks for

    def time(self) -> float:
        """Seconds since the run began."""
        return self._now

    def call_soon(
        self,
        callback: Callable[[Unpack[Arguments]], object],
        *args: *Arguments,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """Make a callback ready."""
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[[Unpack[Arguments]], object],
        *args: *Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Make it ready after a while."""
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Arguments]], object],
        *args: *Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Make it ready at a time."""
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(self._numbers), handle))
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It is passed over when its time comes."""

    def create_future(self) -> "asyncio.Future[Any]":
        """A future of this loop."""
        return asyncio.Future(loop=self)

    def create_task(  # type: ignore[override]  # a newer signature than 3.11's has more
        self,
        coro: Coroutine[Any, Any, Result],
        *,
        name: str | None = None,
        context: Context | None = None,
    ) -> "asyncio.Task[Result]":
        """A task of this loop."""
        return asyncio.Task(coro, loop=self, name=name, context=context)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep what nobody has taken: a run in which something failed unseen has failed."""
        self.failures.append(context.get("exception") or str(context.get("message")))

    def get_debug(self) -> bool:
        """Never: it costs a traceback for each callback."""
        return False

    def is_running(self) -> bool:
        """Whether it runs."""
        return self._running

    def is_closed(self) -> bool:
        """There is nothing to close."""
        return False
