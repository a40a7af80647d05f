"""The payment, and what callers may ask of it.

What the processor's evidence makes of a payment is in `machine`; nothing here is decided by evidence.
There are eight states on disk and six in public (docs/payment.md). A payment begins as CONFIRMING,
bound for ever to the processor's intent, which was created before it and can move no money before
the payment is committed.
"""

import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Self
from uuid import UUID

from chassis.values import Metadata, Reference, RequestId
from payment.domain.errors import (
    AmountTooLarge,
    EtagMismatch,
    PaymentDeleted,
    PaymentHeld,
    ReferenceSet,
    WrongState,
)
from payment.domain.values import (
    CustomerName,
    Failure,
    Money,
    PaymentMethod,
    PaymentName,
    ReturnUrl,
    fingerprint,
)

INSERT_WITHIN = timedelta(seconds=60)
"""How long after its look-up an attempt may still be recorded (the fence of the insert)."""
START_WITHIN = timedelta(minutes=15)
"""How long a card is tried. An old order must not be charged when an outage ends."""
ACT_WITHIN = timedelta(hours=24)
"""How long a customer has for 3D Secure before the payment is canceled."""
CAPTURE_WITHIN = timedelta(days=7)
"""How long an authorization lasts where the processor does not say (Stripe: 7 days for most cards)."""


class State(Enum):
    """The state of a payment, on disk. The last three are final."""

    CONFIRMING = "CONFIRMING"
    REQUIRES_ACTION = "REQUIRES_ACTION"
    AUTHORIZED = "AUTHORIZED"
    CAPTURING = "CAPTURING"
    CANCELING = "CANCELING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"

    @property
    def is_final(self) -> bool:
        return self is State.SUCCEEDED or self.ended_without_money

    @property
    def ended_without_money(self) -> bool:
        return self in {State.FAILED, State.CANCELED}

    @property
    def public(self) -> "PublicState":
        """The state that the contract shows: PROCESSING for what differs only inside."""
        if self in {State.CONFIRMING, State.CAPTURING, State.CANCELING}:
            return PublicState.PROCESSING
        return PublicState(self.value)


class PublicState(Enum):
    """The states that the contract shows, and that lists filter by."""

    PROCESSING = "PROCESSING"
    REQUIRES_ACTION = "REQUIRES_ACTION"
    AUTHORIZED = "AUTHORIZED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


CANCELABLE = frozenset({State.CONFIRMING, State.REQUIRES_ACTION, State.AUTHORIZED})


class CaptureMethod(Enum):
    """Whether a confirmation also captures the money, or only authorizes it."""

    AUTOMATIC = "AUTOMATIC"
    MANUAL = "MANUAL"


class CancelReason(Enum):
    """Why a payment is being canceled. The first reason stays: it decides FAILED or CANCELED."""

    DECLINE = "DECLINE"
    USER = "USER"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class Held:
    """The payment needs manual review: no call is made for it until it is released."""

    reason: str
    time: datetime


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """The content of CreatePayment."""

    request_id: RequestId
    customer: CustomerName
    amount: Money
    payment_method: PaymentMethod
    capture_method: CaptureMethod = CaptureMethod.AUTOMATIC
    return_url: ReturnUrl | None = None
    description: str = ""
    reference: Reference | None = None
    metadata: Metadata = Metadata()

    @property
    def fingerprint(self) -> bytes:
        """Every field counts, except for the request_id itself."""
        return fingerprint(
            "create",
            str(self.customer),
            str(self.amount.minor_units),
            self.amount.currency_code,
            self.payment_method.token,
            self.capture_method.value,
            self.return_url.address if self.return_url else "",
            self.description,
            str(self.reference or ""),
            json.dumps(self.metadata.pairs),
        )


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment. Frozen: a change makes another one, which is saved over the first.

    Attributes:
        idempotency_counter: counts the answers that were used up; part of each idempotency key.
        version: grows by one with every event; the etag.
        start_by: until when the card may be tried.
        action_by: until when the customer may act; set in REQUIRES_ACTION.
        capture_before: until when the authorization lasts; set in AUTHORIZED.
        amount_capturing: minor units asked for in CAPTURING; 0 before.
    """

    id: UUID
    request: PaymentRequest
    fingerprint: bytes
    customer_etag: str
    intent_id: str
    start_by: datetime
    create_time: datetime
    update_time: datetime
    state: State = State.CONFIRMING
    idempotency_counter: int = 0
    version: int = 1
    action_by: datetime | None = None
    capture_before: datetime | None = None
    redirect_url: str = ""
    cancel_reason: CancelReason | None = None
    failure: Failure | None = None
    held: Held | None = None
    amount_capturing: int = 0
    amount_captured: int = 0
    amount_refunded: int = 0
    delete_time: datetime | None = None

    @property
    def name(self) -> PaymentName:
        return PaymentName(self.id)

    @property
    def etag(self) -> str:
        return f'"{self.version}"'

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to do: it is final, or needs manual review."""
        return self.state.is_final or self.held is not None

    def check_etag(self, etag: str) -> None:
        """Refuse a caller that read another version; an empty etag fits any (AIP-154)."""
        if etag and etag != self.etag:
            raise EtagMismatch(str(self.name))

    def capture(self, amount: Money | None) -> Self:
        """Capture an authorized payment, whole or in part. It is done once."""
        self._require("captured", State.AUTHORIZED)
        whole = self.request.amount
        asked = amount or whole
        if asked.currency_code != whole.currency_code or asked.minor_units > whole.minor_units:
            raise AmountTooLarge(str(self.name), "captured", whole.minor_units, whole.currency_code)
        return replace(self, state=State.CAPTURING, amount_capturing=asked.minor_units)

    def cancel(self) -> Self:
        """Begin to cancel. Only the processor can say whether that came in time."""
        self._require("canceled", *CANCELABLE)
        return replace(self, state=State.CANCELING, cancel_reason=CancelReason.USER)

    def check_canceled(self) -> None:
        """Refuse a cancellation that came after the card was charged."""
        if self.state is State.SUCCEEDED:
            raise WrongState(str(self.name), "canceled", self.state.value)

    def update(self, *, description: str, metadata: Metadata, reference: Reference | None) -> Self:
        """Change what moves no money. A reference is set once: it guards against a second charge."""
        self._refuse_if_deleted()
        if self.request.reference not in (None, reference):
            raise ReferenceSet(str(self.name))
        request = replace(
            self.request, description=description, metadata=metadata, reference=reference
        )
        return replace(self, request=request)

    def delete(self, now: datetime) -> Self:
        """Delete it softly (AIP-164). Only what ended without money: a charge stays visible."""
        if not self.state.ended_without_money:
            raise WrongState(str(self.name), "deleted", self.state.value)
        return replace(self, delete_time=self.delete_time or now)

    def undelete(self) -> Self:
        return replace(self, delete_time=None)

    def release(self) -> Self:
        """End the manual review. The next calls are made under keys that were never used."""
        if self.held is None:
            raise WrongState(str(self.name), "released", self.state.value)
        return replace(self, held=None, idempotency_counter=self.idempotency_counter + 1)

    def _require(self, action: str, *states: State) -> None:
        self._refuse_if_deleted()
        if self.held is not None:
            raise PaymentHeld(str(self.name), self.held.reason)
        if self.state not in states:
            raise WrongState(str(self.name), action, self.state.value)

    def _refuse_if_deleted(self) -> None:
        if self.delete_time is not None:
            raise PaymentDeleted(str(self.name))
