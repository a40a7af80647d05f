"""A call of a use case on the world, as a value, and what may become of it on its way.

The vocabulary of faults is one for all who drive the world: what a network, a processor or a
database can do to a call is the same whether it is tried exhaustively or by chance.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any

from payment.domain.evidence import OutcomeUnknown
from payment.service_layer.ports import CommitUnknown, CustomerCheck, CustomerStatus


@dataclass(frozen=True, slots=True)
class Call:
    """One call on a port. `port` is payments, refunds, events, processor or customers."""

    port: str
    name: str
    arguments: tuple[Any, ...]

    def __str__(self) -> str:
        return f"{self.port}.{self.name}"


class Fate(Enum):
    """What becomes of a call."""

    DONE = "done, and answered"
    NEVER = "it never arrives"
    LOST = "done, but the answer is lost"
    LATE = "nobody answers, and it arrives later"
    HANGS = "done, but the commit hangs and nobody answers"
    SLOW = "done, and answered later"
    FAULTED = "answered 500, and nothing is done"
    FAULTED_AFTER = "done, and answered 500"
    FAULTED_LATE = "answered 500, and done later"
    REFUSED = "refused just now, and nothing is done"


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
"""What changes the world. Everything else only reads."""

OF_THE_PROCESSOR = (
    Fate.NEVER,
    Fate.LOST,
    Fate.LATE,
    Fate.FAULTED,
    Fate.FAULTED_AFTER,
    Fate.FAULTED_LATE,
)
OF_A_REFUND = (*OF_THE_PROCESSOR, Fate.REFUSED)
OF_A_STATEMENT = (Fate.NEVER, Fate.LOST, Fate.LATE)
OF_A_BIRTH = (*OF_A_STATEMENT, Fate.HANGS)


def mishaps(call: Call) -> tuple[Fate, ...]:
    """What may go wrong with a call."""
    if (call.port, call.name) not in WRITES:
        return (Fate.NEVER,)
    if (call.port, call.name) == ("processor", "refund"):
        return OF_A_REFUND
    if call.port == "processor":
        return OF_THE_PROCESSOR
    if (call.port, call.name) == ("payments", "insert"):
        return OF_A_BIRTH
    return OF_A_STATEMENT


class DatabaseAway(ConnectionError):
    """A statement got no answer: as the driver of the real database says it."""


def silence(call: Call) -> Any:
    """What a use case gets where no answer came. Raises what the real adapters raise."""
    match call.port, call.name:
        case "processor", _:
            return OutcomeUnknown("time-out", unreachable=True)
        case "customers", _:
            return CustomerCheck(CustomerStatus.UNAVAILABLE)
        case _, "insert":
            raise CommitUnknown
    raise DatabaseAway
