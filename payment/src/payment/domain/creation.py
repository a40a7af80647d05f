"""How an attempt becomes a payment, or does not.

The processor's intent comes first, unconfirmed; the payment is build_payment bound to it. So at every
instant either no money can have moved, or the row holds the id that tells.
"""

import hashlib
import json
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
from payment.domain.evidence import IdempotencyKeyConflict, Intent, IntentStatus, Rejection, Reply
from payment.domain.payment import INSERT_WITHIN, START_WITHIN, Payment, PaymentRequest


def fingerprint(operation: str, *parts: str) -> bytes:
    """What a request says, in 32 bytes: the same id with another content is refused by it. Over
    our own values, not over protobuf's bytes, which may differ for the same message.
    """
    return hashlib.sha256(json.dumps(["1", operation, *parts]).encode()).digest()


def fingerprint_of(request: PaymentRequest) -> bytes:
    return fingerprint(
        "create",
        str(request.customer),
        str(request.amount.minor_units),
        request.amount.currency_code,
        request.payment_method.token,
        request.capture_method.value,
        request.return_url.address if request.return_url else "",
        request.description,
        str(request.reference or ""),
        json.dumps(request.metadata.pairs),
    )


@dataclass(frozen=True, slots=True)
class CreationAttempt:
    """One try at making a payment: a new id each time, so that no two attempts share an intent.

    `now` is the database's clock at the look-up. The fence counts from it: a row must not be build_payment
    when its caller has long been told that there is none.
    """

    id: UUID
    request: PaymentRequest
    customer_etag: str
    now: datetime

    @property
    def insert_by(self) -> datetime:
        return self.now + INSERT_WITHIN


def build_payment(attempt: CreationAttempt, reply: Reply, installation: str) -> Payment:
    """The payment that may be committed on this reply to the creation of its intent.

    Raises RefusedByProcessor, ProcessorUnavailable (nothing is known; at worst an unconfirmed
    intent is left, which moves no money) or InvariantViolation (the intent may be another payment's:
    touch none).
    """
    match reply:
        case Intent() if fits(attempt, reply, installation):
            return Payment(
                id=attempt.id,
                request=attempt.request,
                fingerprint=fingerprint_of(attempt.request),
                customer_etag=attempt.customer_etag,
                intent_id=reply.id,
                start_by=attempt.now + START_WITHIN,
                create_time=attempt.now,
                update_time=attempt.now,
            )
        case Intent():
            raise InvariantViolation("the processor created an intent other than was asked for")
        case Rejection(field=field) if field:
            raise RefusedByProcessor(field, reply.code)
        case Rejection():
            raise InvariantViolation(f"the processor refuses our request: {reply.code}")
        case IdempotencyKeyConflict():
            raise InvariantViolation("the idempotency key of a new attempt was used before")
    raise ProcessorUnavailable  # a 500, or silence


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
    """Who holds what a payment wants to be recorded with, and the database's clock.

    same_reference is a *living* payment: one that has not FAILED or been CANCELED. `is_used`: the
    request_id came with a capture, a cancellation or a refund.
    """

    now: datetime
    same_request: Payment | None = None
    same_id: Payment | None = None
    same_reference: Payment | None = None
    is_used: bool = False


@dataclass(frozen=True, slots=True)
class OwnRow:
    """The row is this attempt's own: its first copy was committed after all."""

    payment: Payment


@dataclass(frozen=True, slots=True)
class DuplicateRequest:
    """Another attempt of the same request made the payment."""

    payment: Payment


@dataclass(frozen=True, slots=True)
class CreationFailed:
    """There will be no payment of this attempt."""

    error: PaymentError


@dataclass(frozen=True, slots=True)
class RetryInsert:
    """No one holds anything: the winner was not yet to be seen. A new statement will see it."""


def after_conflict(
    payment: Payment, holders: Conflicts, insert_by: datetime, *, ambiguous: bool
) -> OwnRow | DuplicateRequest | CreationFailed | RetryInsert:
    """What it means that the insert made no row. The order matters: the exact retry of a request
    must find its payment, and not be told that its own reference is taken.

    `ambiguous`: an earlier insert of this row got no answer and may still commit, so that nothing
    but a row with the request_id proves that this attempt has lost.
    """
    if holder := holders.same_request:
        if holder.id == payment.id:
            return OwnRow(holder)
        if holder.fingerprint == payment.fingerprint:
            return DuplicateRequest(holder)
        return CreationFailed(RequestIdReused(str(payment.request.request_id)))
    if ambiguous:
        return CreationFailed(TryAgain("the database did not say whether the payment was recorded"))
    if holders.same_id:
        return CreationFailed(InvariantViolation("a new payment's id is taken"))
    if holder := holders.same_reference:
        return CreationFailed(ReferenceTaken(str(payment.request.reference), str(holder.name)))
    if holders.now >= insert_by:
        return CreationFailed(TryAgain("the attempt took too long to be recorded"))
    return RetryInsert()
