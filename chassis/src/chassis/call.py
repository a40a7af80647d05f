"""The call that runs now: its id, and the time it has left. Both go on to the calls it makes."""

import time
from contextvars import Context, ContextVar, copy_context

# The metadata key of the call's id, in requests and in the trailing metadata of replies.
CALL_ID_KEY = "x-request-id"

_id: ContextVar[str | None] = ContextVar("call_id", default=None)
_deadline: ContextVar[float | None] = ContextVar("call_deadline", default=None)


def begin(call_id: str, seconds: float | None) -> None:
    """Says which call this task serves, and how many seconds it has (None: no limit)."""
    _id.set(call_id)
    _deadline.set(None if seconds is None else time.monotonic() + seconds)


def call_id() -> str | None:
    """The id of the running call; None outside of any."""
    return _id.get()


def remaining(maximum: float) -> float:
    """The seconds a downstream call may take: what is left of this one, `maximum` at most."""
    deadline = _deadline.get()
    return maximum if deadline is None else max(0.0, min(maximum, deadline - time.monotonic()))


def metadata() -> tuple[tuple[str, str], ...]:
    """The metadata to send with a downstream call, so that its logs carry the same id."""
    identifier = _id.get()
    return () if identifier is None else ((CALL_ID_KEY, identifier),)


def detached() -> Context:
    """A context for a task that outlives the call: it keeps the id, and loses the deadline.

    `asyncio.create_task(work(), context=call.detached())`
    """
    context = copy_context()
    context.run(_deadline.set, None)
    return context
