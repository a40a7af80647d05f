"""What is refused, and why. `api.errors` makes each a status."""

from dataclasses import dataclass

from customer.domain.values import CustomerName


@dataclass(eq=False)
class CustomerError(Exception):
    """The root of what this service refuses knowingly. The call did nothing.

    Attributes:
        customer: whom the refusal is about; None where that is nobody.
    """

    customer: CustomerName | None = None


class CustomerNotFound(CustomerError):
    """No customer has this name, and none ever had."""


class EmailTaken(CustomerError):
    """This living customer has the email address."""


class ReferenceTaken(CustomerError):
    """This customer has the reference; it may be a deleted one."""


class RequestIdReused(CustomerError):
    """The request_id registered this customer, with another content than now."""


class CustomerDeleted(CustomerError):
    """A deleted customer cannot be changed."""


class CustomerErased(CustomerError):
    """An erased customer cannot be changed, and cannot come back."""


class EtagMismatch(CustomerError):
    """The caller saw another version of this customer than the current one."""


class TryAgain(CustomerError):
    """The call lost time and again against calls that ran at the same time."""
