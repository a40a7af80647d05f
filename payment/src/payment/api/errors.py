"""What is refused, as a `google.rpc.Status` with details: the table at the head of the service's
proto, as code. Broken values, and a database that is away, are the chassis's to tell.
"""

from google.rpc import status_pb2
from grpc import StatusCode

from chassis import call
from chassis.errors import Resource, status
from chassis.values import InvalidValue
from payment.domain import errors
from payment.domain.payment import State

DOMAIN = "oncepay.payment"
AGAIN = "repeat the same call, with the same request_id"

ANSWERS: dict[type[Exception], tuple[StatusCode, str, str]] = {
    errors.RequestIdReused: (
        StatusCode.INVALID_ARGUMENT,
        "REQUEST_ID_REUSED",
        "this request_id came before, with another content; make a new request_id for each new "
        "request, and change nothing when you repeat one",
    ),
    errors.RefusedByProcessor: (
        StatusCode.INVALID_ARGUMENT,
        "REFUSED_BY_PROCESSOR",
        "the processor does not take this {field} ({code}), and nothing was done; send another one",
    ),
    errors.PaymentNotFound: (
        StatusCode.NOT_FOUND,
        "PAYMENT_NOT_FOUND",
        "there is no {name}; no payment is ever removed, so look where this name comes from",
    ),
    errors.RefundNotFound: (
        StatusCode.NOT_FOUND,
        "REFUND_NOT_FOUND",
        "there is no {name}; no refund is ever removed, so look where this name comes from",
    ),
    errors.ReferenceTaken: (
        StatusCode.ALREADY_EXISTS,
        "REFERENCE_TAKEN",
        "a living payment, {holder}, has this reference, and it would be paid twice; look at that "
        "payment, or give another reference",
    ),
    errors.CustomerNotFound: (
        StatusCode.FAILED_PRECONDITION,
        "CUSTOMER_NOT_FOUND",
        "there is no {name}, and nothing was charged; register the customer first",
    ),
    errors.CustomerDeleted: (
        StatusCode.FAILED_PRECONDITION,
        "CUSTOMER_DELETED",
        "{name} is deleted, and nothing was charged; undelete the customer first",
    ),
    errors.CustomerBlocked: (
        StatusCode.FAILED_PRECONDITION,
        "CUSTOMER_BLOCKED",
        "{name} is blocked, and nothing was charged; UpdateCustomer can take it back",
    ),
    errors.WrongState: (
        StatusCode.FAILED_PRECONDITION,
        "PAYMENT_STATE",
        "{name} is {state} and cannot be {action}: only {allowed} can",
    ),
    errors.PaymentHeld: (
        StatusCode.FAILED_PRECONDITION,
        "PAYMENT_HELD",
        "{name} waits for a person ({reason}); look into it, then call ReleasePayment",
    ),
    errors.PaymentDeleted: (
        StatusCode.FAILED_PRECONDITION,
        "PAYMENT_DELETED",
        "{name} is deleted; undelete it first",
    ),
    errors.AmountTooLarge: (
        StatusCode.FAILED_PRECONDITION,
        "AMOUNT_TOO_LARGE",
        "of {name} at most {maximum} minor units of {currency_code} can be {action}; ask for that "
        "or less, in that currency",
    ),
    errors.ReferenceSet: (
        StatusCode.FAILED_PRECONDITION,
        "REFERENCE_SET",
        "{name} has a reference, which is set once: it guards against paying twice; leave it as "
        "it is",
    ),
    errors.EtagMismatch: (
        StatusCode.ABORTED,
        "ETAG_MISMATCH",
        "{name} is not what this etag stands for any more; read it again, and decide anew",
    ),
    errors.CustomerServiceUnavailable: (
        StatusCode.UNAVAILABLE,
        "CUSTOMER_SERVICE_UNAVAILABLE",
        f"the Customer service does not answer, and without it nobody pays; {AGAIN}",
    ),
    errors.ProcessorUnavailable: (
        StatusCode.UNAVAILABLE,
        "PROCESSOR_UNAVAILABLE",
        f"the card processor does not answer; {AGAIN}",
    ),
    errors.TryAgain: (StatusCode.UNAVAILABLE, "TRY_AGAIN", f"{{why}}; {AGAIN}"),
    errors.InvariantViolation: (
        StatusCode.INTERNAL,
        "INTERNAL",
        "something happened that must not, and this call went no further; whoever runs the service "
        "was told, and finds more in the logs under the call id {call_id}",
    ),
}
"""The code, the reason, and the message: what is wrong, why, and what to do. {...} are the fields
of the error.
"""

ALLOWED = {
    "captured": "an AUTHORIZED payment",
    "canceled": "a payment that is PROCESSING before a capture, REQUIRES_ACTION or AUTHORIZED",
    "refunded": "a SUCCEEDED payment",
    "deleted": "a FAILED or CANCELED payment",
    "released": "a held payment",
}
"""Which payments can be what."""

RESOURCES = {
    "customers": "oncepay.customer/Customer",
    "payments": "oncepay.payment/Payment",
    "refunds": "oncepay.payment/Refund",
}
"""The types of resources, by the collection in their names."""

REQUEST_FIELDS = {
    "payment_method": "payment.payment_method",
    "amount": "payment.amount.minor_units",
    "currency": "payment.amount.currency_code",
    "capture_amount": "amount.minor_units",
    "refund_amount": "refund.amount.minor_units",
}
"""Where the contract has what the processor takes no payment with."""


def translate(error: Exception) -> status_pb2.Status | None:
    """Returns the status of a refusal; None for what is not this service's."""
    if type(error) not in ANSWERS:
        return None
    code, reason, words = ANSWERS[type(error)]
    said = _fields(error)
    message = words.format(**said)
    name = said.get("holder") or said.get("name")
    wrong = [InvalidValue(said["field"], reason, message)] if "field" in said else []
    return status(
        code,
        reason,
        message,
        domain=DOMAIN,
        metadata=said,
        violations=wrong,
        resource=Resource(RESOURCES[name.split("/")[-2]], name, message) if name else None,
        retry_after=1 if code is StatusCode.UNAVAILABLE else None,
    )


def _fields(error: Exception) -> dict[str, str]:
    """The error's fields, in the words of the contract."""
    said = {field: str(value) for field, value in vars(error).items()}
    match error:
        case errors.WrongState():
            said["state"] = State(error.state).listed.value
            said["allowed"] = ALLOWED[error.action]
        case errors.RequestIdReused():
            said["field"] = "request_id"
        case errors.RefusedByProcessor():
            said["field"] = REQUEST_FIELDS[error.field]
        case errors.InvariantViolation():
            said = {"call_id": call.call_id() or ""}
    return said
