"""What is refused, as a `google.rpc.Status` with details: the table at the head of the service's
proto, as code. Broken values, and a database that is away, are the chassis's to tell.
"""

from dataclasses import dataclass

from google.rpc import status_pb2
from grpc import StatusCode

from chassis.errors import Resource, status
from chassis.values import InvalidValue
from customer.domain import errors

DOMAIN = "oncepay.customer"


@dataclass(frozen=True, slots=True)
class Answer:
    """How a refusal is told: {customer} in the message is the name of whom it is about."""

    code: StatusCode
    reason: str
    message: str
    field: str | None = None
    retry_after: float | None = None


ANSWERS: dict[type[Exception], Answer] = {
    errors.RequestIdReused: Answer(
        StatusCode.INVALID_ARGUMENT,
        "REQUEST_ID_REUSED",
        "this request_id registered {customer}, with another content; make a new request_id for "
        "each new registration, and change nothing when you repeat one",
        field="request_id",
    ),
    errors.CustomerNotFound: Answer(
        StatusCode.NOT_FOUND,
        "CUSTOMER_NOT_FOUND",
        "there is no {customer}; names are never used again, so look where this one comes from",
    ),
    errors.EmailTaken: Answer(
        StatusCode.ALREADY_EXISTS,
        "EMAIL_TAKEN",
        "another living customer, {customer}, has this email; use that one, or give another email",
        field="customer.email",
    ),
    errors.ReferenceTaken: Answer(
        StatusCode.ALREADY_EXISTS,
        "REFERENCE_TAKEN",
        "another customer, {customer}, has this reference, deleted or not; give another one",
        field="customer.reference",
    ),
    errors.CustomerDeleted: Answer(
        StatusCode.FAILED_PRECONDITION,
        "CUSTOMER_DELETED",
        "{customer} is deleted; undelete it first",
    ),
    errors.CustomerErased: Answer(
        StatusCode.FAILED_PRECONDITION,
        "CUSTOMER_ERASED",
        "{customer} is erased and cannot come back; register a new customer",
    ),
    errors.EtagMismatch: Answer(
        StatusCode.ABORTED,
        "ETAG_MISMATCH",
        "{customer} is not what this etag stands for any more; read it again, and decide anew",
    ),
    errors.TryAgain: Answer(
        StatusCode.UNAVAILABLE,
        "TRY_AGAIN",
        "too many calls want the same at once, and this one did nothing; repeat it",
        retry_after=1,
    ),
}


def translate(error: Exception) -> status_pb2.Status | None:
    """Returns the status of a refusal; None for what is not this service's."""
    answer = ANSWERS.get(type(error))
    if answer is None or not isinstance(error, errors.CustomerError):
        return None
    customer = str(error.customer or "")
    message = answer.message.format(customer=customer)
    return status(
        answer.code,
        answer.reason,
        message,
        domain=DOMAIN,
        metadata={"customer": customer} if customer else {},
        violations=[InvalidValue(answer.field, answer.reason, message)] if answer.field else (),
        resource=Resource("oncepay.customer/Customer", customer, message) if customer else None,
        retry_after=answer.retry_after,
    )
