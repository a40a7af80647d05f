"""Calls of a use case on its ports, as values, and what a use case gets where no reply came."""

from dataclasses import dataclass
from typing import Any

from payment.domain.customer import Customer, CustomerStatus
from payment.domain.evidence import OutcomeUnknown
from payment.service_layer.ports import CommitUnknown


@dataclass(frozen=True, slots=True)
class Call:
    """One call on a port. `port` is payments, refunds, events, notifications, processor or customers."""

    port: str
    name: str
    arguments: tuple[Any, ...]

    def __str__(self) -> str:
        return f"{self.port}.{self.name}"


class DatabaseUnavailable(ConnectionError):
    """A statement got no reply: the error that the driver of the real database raises."""


def without_reply(call: Call) -> Any:
    """What a use case gets where no reply came. Raises what the real adapters raise."""
    match call.port, call.name:
        case "processor", _:
            return OutcomeUnknown("time-out", unreachable=True)
        case "customers", _:
            return Customer(CustomerStatus.UNAVAILABLE)
        case _, "insert":
            raise CommitUnknown
    raise DatabaseUnavailable
