"""Streams that would last as long as their clients want, until the server ends them."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from chassis.errors import DRAINING, CallRefused


class OpenStreams:
    """The tasks of open streams."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._tasks)

    @contextmanager
    def open(self) -> Iterator[None]:
        """Runs a stream in the current task.

        Raises:
            CallRefused: the streams were closed before or meanwhile.
        """
        if self._is_closed:
            raise CallRefused(DRAINING)
        task = asyncio.current_task()
        assert task is not None, "gRPC runs every call in a task"  # noqa: S101
        self._tasks.add(task)
        try:
            yield
        except asyncio.CancelledError:
            # gRPC cancels the task, too, when the client leaves: then nobody is to be answered.
            if self._is_closed and task.uncancel() == 0:
                raise CallRefused(DRAINING) from None
            raise
        finally:
            self._tasks.discard(task)

    def close(self) -> None:
        """Ends the streams, and every later one at once."""
        self._is_closed = True
        for task in self._tasks:
            task.cancel()
