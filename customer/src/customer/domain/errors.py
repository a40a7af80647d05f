"""The errors of Customer. `api.errors` turns each into a status."""

from dataclasses import dataclass

from customer.domain.values import CustomerName


@dataclass(eq=False)
class CustomerError(Exception):
    """The root of the errors that this service raises knowingly. The call changed nothing.

    Attributes:
        name: the customer that the error is about; None where it is about none.
    """

    name: CustomerName | None = None


class CustomerNotFound(CustomerError):
    """No customer has this name, and none ever had."""


class EmailTaken(CustomerError):
    """This customer, which is not deleted, has the email address."""


class ReferenceTaken(CustomerError):
    """This customer has the reference. It may be a deleted one."""


class RequestIdReused(CustomerError):
    """The request_id created this customer, with another content than now."""


class CustomerDeleted(CustomerError):
    """A deleted customer cannot be changed."""


class CustomerErased(CustomerError):
    """An erased customer cannot be changed, and cannot come back."""


class EtagMismatch(CustomerError):
    """The caller saw another version of this customer than the current one."""


class TryAgain(CustomerError):
    """The call lost every race against calls that ran at the same time."""
