"""Work that goes on when its caller has left: a deadline ends the waiting, not the payment."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Generic, TypeVar

from chassis import call
from chassis.call_handling import MAX_CALL_SECONDS, MAX_CALLS
from chassis.database_errors import is_database_away
from chassis.telemetry import log
from payment.domain.errors import PaymentError, TryAgain

Made = TypeVar("Made")

BEFORE_DEADLINE = 0.1
"""Seconds before its deadline at which a caller is told what there is: the reply needs a while."""


class WaitingCaller(Generic[Made]):
    """A caller that waits over gRPC (the port `Caller`)."""

    def __init__(self) -> None:
        self._gone = False
        self._born: asyncio.Future[Made] = asyncio.get_running_loop().create_future()

    def is_gone(self) -> bool:
        return self._gone

    def build_payment(self, made: Made) -> None:
        if not self._born.done():
            self._born.set_result(made)

    async def wait_for(self, work: asyncio.Task[Made]) -> Made:
        """What the work makes; shortly before the deadline, what is already build_payment of it."""
        try:
            seconds = call.remaining(MAX_CALL_SECONDS) - BEFORE_DEADLINE
            await asyncio.wait({work}, timeout=max(seconds, 0))
            if not work.done():
                await asyncio.wait({work, self._born}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self._gone = True
            work.add_done_callback(tell_failure)
            raise
        if work.done():
            return work.result()
        work.add_done_callback(tell_failure)
        return self._born.result()


class BackgroundTasks:
    """Holds the work, so that it is not forgotten midway, and waits for it when the service stops."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    async def run(
        self, work: Coroutine[Any, Any, Made], caller: WaitingCaller[Made] | None = None
    ) -> Made:
        """Does the work in a task of its own, and waits for it as long as the caller can. What
        callers have left counts as much as calls do, or it would have no bound.
        """
        if len(self._tasks) >= MAX_CALLS:
            work.close()
            raise TryAgain(f"the service has {MAX_CALLS} payments in hand and takes no more")
        task = asyncio.create_task(work, context=call.detached())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await (caller or WaitingCaller()).wait_for(task)

    async def drain(self, seconds: float) -> None:
        """Lets what is in hand finish; what does not in time is left to recovery."""
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=seconds)
        for task in late:
            task.cancel()
        if late:
            log.warning("payments_left_to_recovery", count=len(late))
            await asyncio.gather(*late, return_exceptions=True)


def tell_failure(work: asyncio.Task[Any]) -> None:
    """Tells the log what nobody waits to hear. What is refused knowingly is no failure."""
    error = None if work.cancelled() else work.exception()
    if error is None or isinstance(error, PaymentError):
        return
    if is_database_away(error):
        log.warning("database_unavailable", exc_info=error)
    else:
        log.error("left_work_failed", exc_info=error)
