"""The customer who pays, as the Customer service reports them, and whether they may pay."""

from dataclasses import dataclass
from enum import Enum

from payment.domain.errors import (
    CustomerBlocked,
    CustomerDeleted,
    CustomerNotFound,
    CustomerServiceUnavailable,
)
from payment.domain.values import CustomerName


class CustomerStatus(Enum):
    """What the Customer service says of a customer."""

    ACTIVE = "ACTIVE"
    BLOCKED = "BLOCKED"
    DELETED = "DELETED"
    NOT_FOUND = "NOT_FOUND"
    UNAVAILABLE = "UNAVAILABLE"


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer at the time of the question. `etag`: the version that the answer rests on."""

    status: CustomerStatus
    etag: str = ""

    def check_may_pay(self, name: CustomerName) -> None:
        """Only an active customer may pay.

        Raises:
            CustomerNotFound, CustomerDeleted, CustomerBlocked, CustomerServiceUnavailable.
        """
        match self.status:
            case CustomerStatus.NOT_FOUND:
                raise CustomerNotFound(str(name))
            case CustomerStatus.DELETED:
                raise CustomerDeleted(str(name))
            case CustomerStatus.BLOCKED:
                raise CustomerBlocked(str(name))
            case CustomerStatus.UNAVAILABLE:
                raise CustomerServiceUnavailable
