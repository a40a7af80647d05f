"""The answers to domain errors, as a `google.rpc.Status` with details: the table at the head of the
service's proto, as code. Invalid values and an unavailable database are answered by the chassis.
"""

from collections.abc import Mapping

from chassis.answers import (
    aborted,
    already_exists,
    failed_precondition,
    internal,
    invalid_argument,
    not_found,
    unavailable,
)
from chassis.errors import Answer, translator
from payment.domain import errors
from payment.domain.payment import State
from payment.domain.values import RequestPart

DOMAIN = "oncepay.payment"
AGAIN = "repeat the same call, with the same request_id"

ALLOWED = {
    "captured": "an AUTHORIZED payment",
    "canceled": "a payment that is PROCESSING before a capture, REQUIRES_ACTION or AUTHORIZED",
    "refunded": "a SUCCEEDED payment",
    "deleted": "a FAILED or CANCELED payment",
    "released": "a held payment",
}
"""Which payments allow which action."""

REQUEST_FIELDS = {
    ("create", RequestPart.PAYMENT_METHOD): "payment.payment_method",
    ("create", RequestPart.AMOUNT): "payment.amount.minor_units",
    ("create", RequestPart.CURRENCY): "payment.amount.currency_code",
    ("capture", RequestPart.AMOUNT): "amount.minor_units",
    ("refund", RequestPart.AMOUNT): "refund.amount.minor_units",
}
"""The field of the contract, by the operation and the part of the request that was refused."""

RESOURCE_TYPES = {
    "customers": "oncepay.customer/Customer",
    "payments": "oncepay.payment/Payment",
    "refunds": "oncepay.payment/Refund",
}
"""The types of resources, by the collection in their names."""


def _refused_field(error: errors.RefusedByProcessor) -> Mapping[str, object]:
    return {"field": REQUEST_FIELDS[error.operation, error.part], "code": error.code}


def _state_fields(error: errors.WrongState) -> Mapping[str, object]:
    """The state as the contract shows it."""
    public = State(error.state).public.value
    return vars(error) | {"state": public, "allowed": ALLOWED[error.action]}


ANSWERS: dict[type[Exception], Answer] = {
    errors.RequestIdReused: invalid_argument(
        "REQUEST_ID_REUSED",
        "this request_id came before, with another content; make a new request_id for each new "
        "request, and change nothing when you repeat one",
        field="request_id",
    ),
    errors.RefusedByProcessor: invalid_argument(
        "REFUSED_BY_PROCESSOR",
        "the processor does not take this {field} ({code}), and nothing was done; send another one",
        field="{field}",
        fields=_refused_field,
    ),
    errors.PaymentNotFound: not_found(
        "PAYMENT_NOT_FOUND",
        "there is no {name}; no payment is ever removed, so look where this name comes from",
    ),
    errors.RefundNotFound: not_found(
        "REFUND_NOT_FOUND",
        "there is no {name}; no refund is ever removed, so look where this name comes from",
    ),
    errors.ReferenceTaken: already_exists(
        "REFERENCE_TAKEN",
        "another payment, {holder}, has this reference, and it would be paid twice; look at that "
        "payment, or give another reference",
        resource="holder",
    ),
    errors.CustomerNotFound: failed_precondition(
        "CUSTOMER_NOT_FOUND",
        "there is no {name}, and nothing was charged; register the customer first",
    ),
    errors.CustomerDeleted: failed_precondition(
        "CUSTOMER_DELETED",
        "{name} is deleted, and nothing was charged; undelete the customer first",
    ),
    errors.CustomerBlocked: failed_precondition(
        "CUSTOMER_BLOCKED",
        "{name} is blocked, and nothing was charged; UpdateCustomer can unblock the customer",
    ),
    errors.WrongState: failed_precondition(
        "PAYMENT_STATE",
        "{name} is {state} and cannot be {action}: only {allowed} can",
        fields=_state_fields,
    ),
    errors.PaymentHeld: failed_precondition(
        "PAYMENT_HELD",
        "{name} needs manual review ({reason}); look into it, then call ReleasePayment",
    ),
    errors.PaymentDeleted: failed_precondition(
        "PAYMENT_DELETED", "{name} is deleted; undelete it first"
    ),
    errors.AmountTooLarge: failed_precondition(
        "AMOUNT_TOO_LARGE",
        "of {name} at most {maximum} minor units of {currency_code} can be {action}; ask for that "
        "or less, in that currency",
    ),
    errors.ReferenceSet: failed_precondition(
        "REFERENCE_SET",
        "{name} has a reference, which is set once: it guards against paying twice; leave it as "
        "it is",
    ),
    errors.EtagMismatch: aborted(
        "ETAG_MISMATCH",
        "{name} is not what this etag stands for any more; read it again, and decide anew",
    ),
    errors.CustomerServiceUnavailable: unavailable(
        "CUSTOMER_SERVICE_UNAVAILABLE",
        f"the Customer service does not answer, and without it nobody pays; {AGAIN}",
    ),
    errors.ProcessorUnavailable: unavailable(
        "PROCESSOR_UNAVAILABLE", f"the card processor does not answer; {AGAIN}"
    ),
    errors.TryAgain: unavailable("TRY_AGAIN", f"{{why}}; {AGAIN}"),
    errors.InvariantViolation: internal(
        "INTERNAL",
        "an invariant does not hold, and this call went no further; an alert was raised, and the logs "
        "have more under the call id {call_id}",
    ),
}
"""The answer to each error. {...} are the fields of the error."""

translate = translator(DOMAIN, ANSWERS, RESOURCE_TYPES)
