"""The errors of Customer as statuses: the table at the head of the service's proto, as code.

Invalid values and an unavailable database are the chassis's to translate.
"""

from grpc import StatusCode

from chassis.errors import Answer, translator
from customer.domain import errors

DOMAIN = "oncepay.customer"

ANSWERS: dict[type[Exception], Answer] = {
    errors.RequestIdReused: Answer(
        StatusCode.INVALID_ARGUMENT,
        "REQUEST_ID_REUSED",
        "this request_id registered {name}, with another content; make a new request_id for "
        "each new registration, and change nothing when you repeat one",
        field="request_id",
    ),
    errors.CustomerNotFound: Answer(
        StatusCode.NOT_FOUND,
        "CUSTOMER_NOT_FOUND",
        "there is no {name}; names are never used again, so look where this one comes from",
    ),
    errors.EmailTaken: Answer(
        StatusCode.ALREADY_EXISTS,
        "EMAIL_TAKEN",
        "another customer, {name}, has this email; use that one, or give another email",
        field="customer.email",
    ),
    errors.ReferenceTaken: Answer(
        StatusCode.ALREADY_EXISTS,
        "REFERENCE_TAKEN",
        "another customer, {name}, has this reference, deleted or not; give another one",
        field="customer.reference",
    ),
    errors.CustomerDeleted: Answer(
        StatusCode.FAILED_PRECONDITION,
        "CUSTOMER_DELETED",
        "{name} is deleted; undelete it first",
    ),
    errors.CustomerErased: Answer(
        StatusCode.FAILED_PRECONDITION,
        "CUSTOMER_ERASED",
        "{name} is erased and cannot come back; register a new customer",
    ),
    errors.EtagMismatch: Answer(
        StatusCode.ABORTED,
        "ETAG_MISMATCH",
        "{name} is not what this etag stands for any more; read it again, and decide anew",
    ),
    errors.TryAgain: Answer(
        StatusCode.UNAVAILABLE,
        "TRY_AGAIN",
        "too many calls want the same at once, and this one did nothing; repeat it",
    ),
}

translate = translator(DOMAIN, ANSWERS, {"customers": "oncepay.customer/Customer"})
