"""The errors of Customer as statuses: the table at the head of the service's proto, as code.

Invalid values and an unavailable database are the chassis's to translate.
"""

from chassis.answers import (
    aborted,
    already_exists,
    failed_precondition,
    invalid_argument,
    not_found,
    unavailable,
)
from chassis.errors import Answer, translator
from customer.domain import errors

DOMAIN = "oncepay.customer"

ANSWERS: dict[type[Exception], Answer] = {
    errors.RequestIdReused: invalid_argument(
        "REQUEST_ID_REUSED",
        "this request_id registered {name}, with another content; make a new request_id for "
        "each new registration, and change nothing when you repeat one",
        field="request_id",
    ),
    errors.CustomerNotFound: not_found(
        "CUSTOMER_NOT_FOUND",
        "there is no {name}; names are never used again, so look where this one comes from",
    ),
    errors.EmailTaken: already_exists(
        "EMAIL_TAKEN",
        "another customer, {name}, has this email; use that one, or give another email",
        field="customer.email",
    ),
    errors.ReferenceTaken: already_exists(
        "REFERENCE_TAKEN",
        "another customer, {name}, has this reference, deleted or not; give another one",
        field="customer.reference",
    ),
    errors.CustomerDeleted: failed_precondition(
        "CUSTOMER_DELETED", "{name} is deleted; undelete it first"
    ),
    errors.CustomerErased: failed_precondition(
        "CUSTOMER_ERASED", "{name} is erased and cannot come back; register a new customer"
    ),
    errors.EtagMismatch: aborted(
        "ETAG_MISMATCH",
        "{name} is not what this etag stands for any more; read it again, and decide anew",
    ),
    errors.TryAgain: unavailable(
        "TRY_AGAIN", "too many calls want the same at once, and this one did nothing; repeat it"
    ),
}

translate = translator(DOMAIN, ANSWERS, {"customers": "oncepay.customer/Customer"})
