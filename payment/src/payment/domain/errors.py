"""What the Payment service refuses, and why. `api.errors` turns each error into a status."""

from dataclasses import dataclass

from payment.domain.values import RequestPart


class PaymentError(Exception):
    """The base of every error that this service raises knowingly. The call did nothing, unless the
    class says otherwise.
    """


@dataclass(eq=False)
class ResourceError(PaymentError):
    """An error about one resource (a payment, a refund or a customer), by its `name`."""

    name: str


class PaymentNotFound(ResourceError):
    """No payment has this name, and none ever had."""


class RefundNotFound(ResourceError):
    """The payment has no such refund, and never had."""


class CustomerNotFound(ResourceError):
    """The Customer service knows no customer by this name."""


class CustomerDeleted(ResourceError):
    """A deleted customer may not pay."""


class CustomerBlocked(ResourceError):
    """A blocked customer may not pay until they are unblocked."""


@dataclass(eq=False)
class WrongState(ResourceError):
    """`name` in `state` cannot be `action` ("captured", "refunded", ...)."""

    action: str
    state: str


@dataclass(eq=False)
class PaymentHeld(ResourceError):
    """The payment needs manual review, for this `reason`."""

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
    """Another payment, `holder`, has the reference and may still be charged: paying again would be
    paying twice.
    """

    reference: str
    holder: str


class ReferenceSet(ResourceError):
    """The payment has a reference, and another one would let it be paid twice."""


@dataclass(eq=False)
class RequestIdReused(PaymentError):
    """The request_id came before, with another content."""

    request_id: str


class EtagMismatch(ResourceError):
    """The caller read another version of this payment than the current one."""


@dataclass(eq=False)
class RefusedByProcessor(PaymentError):
    """The processor does not take this `part` of the request. Nothing was recorded.

    Attributes:
        code: the processor's code of the reason.
        operation: what was asked for: "create", "capture" or "refund".
    """

    part: RequestPart
    code: str
    operation: str = "create"


class CustomerServiceUnavailable(PaymentError):
    """The outcome is unknown to the caller: the same request_id may have a payment."""


class ProcessorUnavailable(PaymentError):
    """The outcome is unknown to the caller: the same request_id may have a payment."""


@dataclass(eq=False)
class TryAgain(PaymentError):
    """The attempt lost a race, took too long, or cannot know its outcome."""

    why: str


@dataclass(eq=False)
class InvariantViolation(PaymentError):
    """An invariant does not hold. An alert was raised, nothing was touched."""

    what: str
