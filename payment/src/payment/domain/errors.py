"""What is refused, and why. Each error carries fields; `api.errors` makes them a status."""

from dataclasses import dataclass


class PaymentError(Exception):
    """The root of what this service refuses knowingly. The call did nothing, unless the class
    says otherwise.
    """


@dataclass
class PaymentNotFound(PaymentError):
    name: str


@dataclass
class RefundNotFound(PaymentError):
    name: str


@dataclass
class CustomerNotFound(PaymentError):
    name: str


@dataclass
class CustomerDeleted(PaymentError):
    name: str


@dataclass
class CustomerBlocked(PaymentError):
    name: str


@dataclass
class WrongState(PaymentError):
    """`name` in `state` cannot be `action` ("captured", "refunded", ...)."""

    name: str
    action: str
    state: str


@dataclass
class PaymentHeld(PaymentError):
    name: str
    reason: str


@dataclass
class PaymentDeleted(PaymentError):
    name: str


@dataclass
class AmountTooLarge(PaymentError):
    """More than the `maximum` minor units that can be `action`, or another currency."""

    name: str
    action: str
    maximum: int
    currency_code: str


@dataclass
class ReferenceTaken(PaymentError):
    """A living payment, `holder`, has the reference: it would be paid twice."""

    reference: str
    holder: str


@dataclass
class ReferenceSet(PaymentError):
    name: str


@dataclass
class RequestIdReused(PaymentError):
    request_id: str


@dataclass
class EtagMismatch(PaymentError):
    name: str


@dataclass
class RefusedByProcessor(PaymentError):
    """The processor takes no payment with this `field`. No payment was recorded."""

    field: str
    code: str


@dataclass
class CustomerServiceUnavailable(PaymentError):
    """The outcome is unknown to the caller: the same request_id may have a payment."""


@dataclass
class ProcessorUnavailable(PaymentError):
    """The outcome is unknown to the caller: the same request_id may have a payment."""


@dataclass
class TryAgain(PaymentError):
    """The attempt lost a race, took too long, or cannot know what became of it."""

    why: str


@dataclass
class BrokenRule(PaymentError):
    """Something that must not happen did: an alarm was raised, nothing was touched."""

    what: str
