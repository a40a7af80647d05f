"""Faults that are injected into calls and processes.

One vocabulary for the explorer and the simulator: what a network, a processor or a database can do
to a call is the same whether it is tried exhaustively or at random.
"""

from enum import Enum

from verification.world.calls import Call


class CallFault(Enum):
    """What goes wrong with one call. The values are the words of a trace."""

    NONE = "done, and answered"
    REQUEST_LOST = "the request is lost"
    REPLY_LOST = "done, but the reply is lost"
    REQUEST_DELAYED = "no reply, and the request arrives later"
    COMMIT_HANGS = "no reply, and the commit hangs"
    REPLY_DELAYED = "done, and the reply is delayed"
    SERVER_ERROR = "500, without effect"
    SERVER_ERROR_AFTER_EFFECT = "500, after the effect"
    SERVER_ERROR_BEFORE_EFFECT = "500, and the effect comes later"
    REJECTED = "a temporary rejection, without effect"


class ProcessFault(Enum):
    """What goes wrong with a process around one of its calls."""

    CRASH_BEFORE = "crashes before the call"
    CRASH_AFTER = "crashes before the reply"
    PAUSE_BEFORE = "pauses before the call"
    PAUSE_AFTER = "pauses before the reply"


WRITES = {
    ("processor", "create"),
    ("processor", "post"),
    ("processor", "refund"),
    ("payments", "insert"),
    ("payments", "save"),
    ("payments", "reschedule"),
    ("refunds", "insert"),
    ("refunds", "save"),
    ("refunds", "reschedule"),
}
"""Calls that change the world. Every other call only reads."""

PROCESSOR_FAULTS = (
    CallFault.REQUEST_LOST,
    CallFault.REPLY_LOST,
    CallFault.REQUEST_DELAYED,
    CallFault.SERVER_ERROR,
    CallFault.SERVER_ERROR_AFTER_EFFECT,
    CallFault.SERVER_ERROR_BEFORE_EFFECT,
)
REFUND_FAULTS = (*PROCESSOR_FAULTS, CallFault.REJECTED)
STATEMENT_FAULTS = (CallFault.REQUEST_LOST, CallFault.REPLY_LOST, CallFault.REQUEST_DELAYED)
INSERT_FAULTS = (*STATEMENT_FAULTS, CallFault.COMMIT_HANGS)


def possible_faults(call: Call) -> tuple[CallFault, ...]:
    """The faults that this call can have."""
    if (call.port, call.name) not in WRITES:
        return (CallFault.REQUEST_LOST,)
    if (call.port, call.name) == ("processor", "refund"):
        return REFUND_FAULTS
    if call.port == "processor":
        return PROCESSOR_FAULTS
    if (call.port, call.name) == ("payments", "insert"):
        return INSERT_FAULTS
    return STATEMENT_FAULTS
