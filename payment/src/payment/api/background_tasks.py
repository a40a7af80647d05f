"""Work that goes on when its caller has left: a deadline ends the waiting, not the payment."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Generic, TypeVar

from chassis import call
from chassis.database_errors import is_database_away
from chassis.interceptor import MAX_CALL_SECONDS, MAX_CALLS
from chassis.telemetry import log
from payment.domain.errors import PaymentError, TryAgain

Result = TypeVar("Result")

REPLY_SECONDS = 0.1
"""How long before its deadline a caller is answered with what there is: a reply takes a while."""


class WaitingCaller(Generic[Result]):
    """A caller that waits over gRPC (the port `Caller`)."""

    def __init__(self) -> None:
        self._gone = False
        self._created: asyncio.Future[Result] = asyncio.get_running_loop().create_future()

    def is_gone(self) -> bool:
        return self._gone

    def on_created(self, created: Result) -> None:
        if not self._created.done():
            self._created.set_result(created)

    async def wait_for(self, task: asyncio.Task[Result]) -> Result:
        """The result of the task; shortly before the deadline, what it has created so far."""
        try:
            seconds = call.remaining(MAX_CALL_SECONDS) - REPLY_SECONDS
            await asyncio.wait({task}, timeout=max(seconds, 0))
            if not task.done():
                await asyncio.wait({task, self._created}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self._gone = True
            task.add_done_callback(log_failure)
            raise
        if task.done():
            return task.result()
        task.add_done_callback(log_failure)
        return self._created.result()


class BackgroundTasks:
    """Holds the tasks, so that none is garbage-collected, and waits for them when the service stops."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    async def run(
        self, work: Coroutine[Any, Any, Result], caller: WaitingCaller[Result] | None = None
    ) -> Result:
        """Does the work in a task of its own, and waits for it as long as the caller can.

        Raises:
            TryAgain: there is as much work as calls may run. Work without a caller counts, too, or it
                would have no bound.
        """
        if len(self._tasks) >= MAX_CALLS:
            work.close()
            raise TryAgain(f"the service has {MAX_CALLS} payments in hand and takes no more")
        task = asyncio.create_task(work, context=call.detached())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await (caller or WaitingCaller()).wait_for(task)

    async def drain(self, seconds: float) -> None:
        """Lets the tasks finish; what does not finish in time is left to recovery."""
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=seconds)
        for task in late:
            task.cancel()
        if late:
            log.warning("payments_left_to_recovery", count=len(late))
            await asyncio.gather(*late, return_exceptions=True)


def log_failure(task: asyncio.Task[Any]) -> None:
    """Logs an error that no caller hears of. What the service refuses knowingly is no failure."""
    error = None if task.cancelled() else task.exception()
    if error is None or isinstance(error, PaymentError):
        return
    if is_database_away(error):
        log.warning("database_unavailable", exc_info=error)
    else:
        log.error("background_task_failed", exc_info=error)
