"""What is refused, and why. Each error carries fields; `api.errors` makes them a status."""

from dataclasses import dataclass


class PaymentError(Exception):
    """The root of what this service refuses knowingly. The call did nothing, unless the class
    says otherwise.
    """


@dataclass(eq=False)
class ResourceError(PaymentError):
    """What is refused of one resource, a payment, a refund or a customer, by its `name`."""

    name: str


class PaymentNotFound(ResourceError):
    """No payment has this name, and none ever had."""


class RefundNotFound(ResourceError):
    """The payment has no such refund, and never had."""


class CustomerNotFound(ResourceError):
    """The Customer service knows nobody by this name."""


class CustomerDeleted(ResourceError):
    """A deleted customer does not pay."""


class CustomerBlocked(ResourceError):
    """A blocked customer does not pay, until somebody takes that back."""


@dataclass(eq=False)
class WrongState(ResourceError):
    """`name` in `state` cannot be `action` ("captured", "refunded", ...)."""

    action: str
    state: str


@dataclass(eq=False)
class PaymentHeld(ResourceError):
    """The payment waits for a person, for this `reason`."""

    reason: str


class PaymentDeleted(ResourceError):
    """A deleted payment cannot be changed."""


@dataclass(eq=False)
class AmountTooLarge(ResourceError):
    """More than the `maximum` minor units that can be `action`, or another currency."""

    action: str
    maximum: int
    currency_code: str


@dataclass(eq=False)
class ReferenceTaken(PaymentError):
    """A living payment, `holder`, has the reference: it would be paid twice."""

    reference: str
    holder: str


class ReferenceSet(ResourceError):
    """The payment has a reference, and another one would let it be paid twice."""


@dataclass(eq=False)
class RequestIdReused(PaymentError):
    """The request_id came before, with another content than now."""

    request_id: str


class EtagMismatch(ResourceError):
    """The caller saw another version of this payment than the current one."""


@dataclass(eq=False)
class RefusedByProcessor(PaymentError):
    """The processor takes no payment with this `field`. No payment was recorded."""

    field: str
    code: str


class CustomerServiceUnavailable(PaymentError):
    """The outcome is unknown to the caller: the same request_id may have a payment."""


class ProcessorUnavailable(PaymentError):
    """The outcome is unknown to the caller: the same request_id may have a payment."""


@dataclass(eq=False)
class TryAgain(PaymentError):
    """The attempt lost a race, took too long, or cannot know what became of it."""

    why: str


@dataclass(eq=False)
class InvariantViolation(PaymentError):
    """Something that must not happen did: an alarm was raised, nothing was touched."""

    what: str
