"""An event loop with virtual time and a random order.

It never waits: when no callback is ready, time jumps to the next timer. Which of the ready callbacks
runs next is drawn from a seed, so that no mistake hides behind the order of a real loop. There is no
input, no output and no thread: a call that needs one fails. Nothing ready and no timer is a deadlock.
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
"""Far above what any run needs: a run with more never ends."""


class Deadlock(Exception):
    """Nothing is left that could resume what still waits."""


class TooManyCallbacks(Exception):
    """The run never ends."""


class VirtualLoop(asyncio.AbstractEventLoop):
    """The loop of one run. `failures` are the errors that were never retrieved."""

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
        """Run a coroutine to its end. Raises Deadlock, TooManyCallbacks."""
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
        raise TooManyCallbacks(f"not done after {MAX_CALLBACKS:,} callbacks, {self._now:,.0f} s")

    def _next(self) -> asyncio.Handle:
        """The next callback: any that is ready."""
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
        """Jump to the next timer, and make every timer ready that is due then."""
        timers = self._timers
        while timers and timers[0][2].cancelled():
            heapq.heappop(timers)
        if not timers:
            raise Deadlock("nothing is ready, and no timer is set")
        self._now = max(self._now, timers[0][0])
        while timers and timers[0][0] <= self._now:
            self._ready.append(heapq.heappop(timers)[2])

    # ------------------------------------------------------------------ the loop as asyncio uses it

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
        """Make a callback ready after some seconds."""
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Arguments]], object],
        *args: *Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Make a callback ready at a time."""
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(self._numbers), handle))
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It is skipped when its time comes."""

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
        """Keep an error that was never retrieved: it fails the run."""
        self.failures.append(context.get("exception") or str(context.get("message")))

    def get_debug(self) -> bool:
        """False: debugging costs a traceback for each callback."""
        return False

    def is_running(self) -> bool:
        """Whether it runs."""
        return self._running

    def is_closed(self) -> bool:
        """There is nothing to close."""
        return False
