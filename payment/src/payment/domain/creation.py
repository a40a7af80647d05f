"""How a creation attempt becomes a payment, or does not (intent-first creation).

The processor's intent is created first, unconfirmed; the payment is then recorded together with the
id of its intent. So at every instant either no money can have moved, or a row names the intent that
tells.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from payment.domain.errors import (
    InvariantViolation,
    PaymentError,
    ProcessorUnavailable,
    ReferenceTaken,
    RefusedByProcessor,
    RequestIdReused,
    TryAgain,
)
from payment.domain.evidence import (
    IdempotencyKeyConflict,
    Intent,
    IntentStatus,
    Rejection,
    Reply,
)
from payment.domain.payment import INSERT_WITHIN, START_WITHIN, Payment, PaymentRequest


@dataclass(frozen=True, slots=True)
class CreationAttempt:
    """One attempt to create a payment. Each has a new id, so that no two share an intent.

    Attributes:
        now: the database's clock when the request was looked up. The fence counts from it: no row
            may be inserted after its caller was told that creation failed.
    """

    id: UUID
    request: PaymentRequest
    customer_etag: str
    now: datetime

    @property
    def insert_by(self) -> datetime:
        return self.now + INSERT_WITHIN


def build_payment(attempt: CreationAttempt, reply: Reply, installation: str) -> Payment:
    """The payment that may be recorded on this reply to the creation of its intent.

    Raises:
        RefusedByProcessor: the processor takes no such payment.
        ProcessorUnavailable: the outcome is unknown. At worst an unconfirmed intent is left, which
            moves no money.
        InvariantViolation: the intent may be another payment's. Neither is touched.
    """
    match reply:
        case Intent() if fits(attempt, reply, installation):
            return Payment(
                id=attempt.id,
                request=attempt.request,
                fingerprint=attempt.request.fingerprint,
                customer_etag=attempt.customer_etag,
                intent_id=reply.id,
                start_by=attempt.now + START_WITHIN,
                create_time=attempt.now,
                update_time=attempt.now,
            )
        case Intent():
            raise InvariantViolation("the processor created an intent other than was asked for")
        case Rejection(part=part) if part is not None:
            raise RefusedByProcessor(part, reply.code)
        case Rejection():
            raise InvariantViolation(f"the processor refuses our request: {reply.code}")
        case IdempotencyKeyConflict():
            raise InvariantViolation("the idempotency key of a new attempt was used before")
    raise ProcessorUnavailable  # a 500, or no answer


def fits(attempt: CreationAttempt, intent: Intent, installation: str) -> bool:
    """Whether an intent is what this attempt asked for, and can have moved no money."""
    return (
        intent.payment_id == attempt.id
        and intent.installation == installation
        and intent.amount == attempt.request.amount
        and intent.status is IntentStatus.REQUIRES_CONFIRMATION
    )


@dataclass(frozen=True, slots=True)
class Conflicts:
    """The rows that conflict with a new payment, and the database's clock.

    Attributes:
        same_reference: a payment that has not FAILED or been CANCELED.
        request_id_is_used: by a capture, a cancellation or a refund.
    """

    now: datetime
    same_request: Payment | None = None
    same_id: Payment | None = None
    same_reference: Payment | None = None
    request_id_is_used: bool = False


@dataclass(frozen=True, slots=True)
class OwnRow:
    """The row is this attempt's own: its first copy was committed after all."""

    payment: Payment


@dataclass(frozen=True, slots=True)
class DuplicateRequest:
    """Another attempt of the same request created the payment."""

    payment: Payment


@dataclass(frozen=True, slots=True)
class CreationFailed:
    """This attempt creates no payment."""

    error: PaymentError


@dataclass(frozen=True, slots=True)
class RetryInsert:
    """No row conflicts: the one that did was not yet visible. A new statement sees it."""


def resolve_conflict(
    payment: Payment, conflicts: Conflicts, insert_by: datetime, *, ambiguous: bool
) -> OwnRow | DuplicateRequest | CreationFailed | RetryInsert:
    """What it means that the insert made no row.

    The order matters: the exact retry of a request finds its payment, and is not told that its own
    reference is taken.

    Args:
        ambiguous: an earlier insert of this row got no answer and may still commit. Then only a row
            with the request_id proves that this attempt has failed.
    """
    if found := conflicts.same_request:
        if found.id == payment.id:
            return OwnRow(found)
        if found.fingerprint == payment.fingerprint:
            return DuplicateRequest(found)
        return CreationFailed(RequestIdReused(str(payment.request.request_id)))
    if ambiguous:
        return CreationFailed(TryAgain("the database did not say whether the payment was recorded"))
    if conflicts.same_id:
        return CreationFailed(InvariantViolation("a new payment's id is taken"))
    if found := conflicts.same_reference:
        reference = str(payment.request.reference)
        return CreationFailed(ReferenceTaken(reference, str(found.name)))
    if conflicts.now >= insert_by:
        return CreationFailed(TryAgain("the attempt took too long to be recorded"))
    return RetryInsert()
