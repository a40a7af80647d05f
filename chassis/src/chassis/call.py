"""The current call: its id, and the time that it has left. The calls that it makes get both."""

import time
from contextvars import Context, ContextVar, copy_context

# The metadata key of the call's id, in requests and in the trailing metadata of replies.
CALL_ID_KEY = "x-request-id"

_id: ContextVar[str | None] = ContextVar("call_id", default=None)
_deadline: ContextVar[float | None] = ContextVar("call_deadline", default=None)


def begin(call_id: str, seconds: float | None) -> None:
    """Sets the call that this task serves, and how many seconds it has (None: no limit)."""
    _id.set(call_id)
    _deadline.set(None if seconds is None else time.monotonic() + seconds)


def call_id() -> str | None:
    """The id of the current call; None outside of a call."""
    return _id.get()


def remaining(maximum: float) -> float:
    """The seconds that a downstream call may take: what is left of this one, at most `maximum`."""
    deadline = _deadline.get()
    return maximum if deadline is None else max(0.0, min(maximum, deadline - time.monotonic()))


def metadata() -> tuple[tuple[str, str], ...]:
    """The metadata of a downstream call, so that its logs have the same id."""
    identifier = _id.get()
    return () if identifier is None else ((CALL_ID_KEY, identifier),)


def detached() -> Context:
    """A context for a task that outlives the call: it keeps the id and has no deadline.

    `asyncio.create_task(work(), context=call.detached())`
    """
    context = copy_context()
    context.run(_deadline.set, None)
    return context
