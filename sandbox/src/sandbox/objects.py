"""Stripe's objects as frozen values: intents with their charge, refunds, events; and movements of money.

Names are those of Stripe's API; `rendering` has the JSON. Amounts are integers in the currency's minor unit,
times are Unix seconds.
"""

from dataclasses import dataclass
from enum import Enum

from sandbox.cards import Decline

Metadata = tuple[tuple[str, str], ...]


class Status(Enum):
    """The states of a payment intent (https://docs.stripe.com/payments/paymentintents/lifecycle)."""

    REQUIRES_PAYMENT_METHOD = "requires_payment_method"
    REQUIRES_CONFIRMATION = "requires_confirmation"
    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"
    REQUIRES_CAPTURE = "requires_capture"
    CANCELED = "canceled"
    SUCCEEDED = "succeeded"


class Methods(Enum):
    """The payment methods of an intent: a card, or those enabled in the account's dashboard."""

    CARD = "card"
    DASHBOARD = "dashboard"  # some redirect the payer: confirm requires a return_url
    DASHBOARD_WITHOUT_REDIRECTS = "dashboard without redirects"


class ChargeStatus(Enum):
    """The states of a charge."""

    SUCCEEDED = "succeeded"
    PENDING = "pending"
    FAILED = "failed"


class RefundStatus(Enum):
    """The states of a refund. A refund may fail after it succeeded."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Charge:
    """The latest attempt of an intent to charge the card."""

    id: str
    created: int
    payment_method: str
    amount: int
    status: ChargeStatus
    authenticated: bool = False
    captured: bool = False
    amount_captured: int = 0
    amount_refunded: int = 0
    capture_before: int | None = None
    decline: Decline | None = None


@dataclass(frozen=True, slots=True)
class LastError:
    """The last failure of an intent. `charge` is None where none was attempted (authentication)."""

    decline: Decline
    payment_method: str
    charge: str | None


@dataclass(frozen=True, slots=True)
class Intent:
    """A payment intent. `payment_method` is a test card's token; at `due`, time changes the intent."""

    id: str
    created: int
    amount: int
    currency: str
    status: Status
    payment_method: str | None = None
    methods: Methods = Methods.CARD
    capture_method: str = "automatic_async"
    metadata: Metadata = ()
    description: str | None = None
    receipt_email: str | None = None
    statement_descriptor: str | None = None
    statement_descriptor_suffix: str | None = None
    return_url: str | None = None
    amount_received: int = 0
    attempts: int = 0
    charge: Charge | None = None
    last_error: LastError | None = None
    canceled_at: int | None = None
    cancellation_reason: str | None = None
    due: int | None = None

    @property
    def amount_capturable(self) -> int:
        """The amount that a capture may take now."""
        return self.amount if self.status is Status.REQUIRES_CAPTURE else 0


@dataclass(frozen=True, slots=True)
class Refund:
    """A refund. At `due`, time changes it."""

    id: str
    created: int
    intent: str
    charge: str
    payment_method: str
    amount: int
    currency: str
    status: RefundStatus
    reason: str | None = None
    metadata: Metadata = ()
    failure_reason: str | None = None
    due: int | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """An event, with the object as it was then. A `charge.*` event shows the intent's charge."""

    id: str
    created: int
    type: str
    object: Intent | Refund
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Movement:
    """A movement of money, for audits.

    `kind`: authorized; captured, with or without an earlier authorization; released, an authorization or
    the part of it that was not captured; refunded; returned, a refund that failed later.
    """

    kind: str
    intent: str
    charge: str
    amount: int
    currency: str
    refund: str | None = None
    metadata: Metadata = ()
