"""Money on its way back.

The refunds of a payment that have not failed never pass what was captured: the sum stands in the
payment's row, and the database refuses more. A refund keeps one key for ever, states its amount,
and is looked for in the processor's whole list before it is posted again.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Self
from uuid import UUID

from chassis.values import RequestId
from payment.domain.errors import AmountTooLarge, PaymentHeld, WrongState
from payment.domain.evidence import ProcessorRefund, RefundStatus
from payment.domain.payment import Failure, Payment, State
from payment.domain.values import Money, PaymentName, RefundName

POST_WITHIN = timedelta(seconds=10)
"""How soon after the list that did not name it a refund must leave (assumption Z, docs/payment.md): the processor
forgets a key after 24 h, and a POST that leaves late could meet a forgotten one.
"""
REFUSED_WITHIN = timedelta(seconds=60)
"""How soon after a step began, on the database's clock, a refusal must be written down. The processor
remembers it under the key for 24 h, and so pays no other copy of the call out before; but whoever slept
in between may have been passed by one that was.
"""
WATCH_FOR = timedelta(days=30)
"""How long a refund that succeeded is looked at: a bank may send it back days later."""


class RefundState(Enum):
    """Where a refund stands. FAILED is final; SUCCEEDED becomes FAILED by the processor alone."""

    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


class RefundReason(Enum):
    """Why money goes back, in the processor's words (Stripe docs: "The Refund object")."""

    DUPLICATE = "duplicate"
    FRAUDULENT = "fraudulent"
    REQUESTED_BY_CUSTOMER = "requested_by_customer"


@dataclass(frozen=True, slots=True)
class RefundRequest:
    """What a caller asks for with CreateRefund; without an amount, all that is left."""

    request_id: RequestId
    payment: PaymentName
    amount: Money | None = None
    reason: RefundReason | None = None


@dataclass(frozen=True, slots=True)
class Refund:
    """One refund. `amount` in minor units of the payment's currency."""

    id: UUID
    payment_id: UUID
    intent_id: str
    amount: int
    currency_code: str
    reason: RefundReason | None
    create_time: datetime
    update_time: datetime
    state: RefundState = RefundState.PENDING
    failure: Failure | None = None
    processor_id: str = ""
    version: int = 1

    @property
    def name(self) -> RefundName:
        return RefundName(self.payment_id, self.id)

    @property
    def etag(self) -> str:
        return f'"{self.version}"'

    def key(self, installation: str) -> str:
        """The idempotency key of its one POST; it never changes."""
        return f"{installation}:{self.id}:refund"

    def apply(self, word: ProcessorRefund) -> Self:
        """The refund after the processor's word on it. Failed stays failed."""
        if self.state is RefundState.FAILED:
            return self
        seen = replace(self, processor_id=word.id)
        match word.status:
            case RefundStatus.FAILED | RefundStatus.CANCELED:
                return seen.fail(word.failure or Failure(f"refund_{word.status.value}"))
            case RefundStatus.SUCCEEDED:
                return replace(seen, state=RefundState.SUCCEEDED)
        return seen

    def fail(self, failure: Failure) -> Self:
        """It did not happen, or was sent back: its amount can be refunded anew."""
        return replace(self, state=RefundState.FAILED, failure=failure)


def refundable(payment: Payment, asked: Money | None) -> int:
    """The minor units that a refund of `asked` (None: all that is left) gives back.

    Raises WrongState, PaymentHeld or AmountTooLarge. The database has the last word on the sum.
    """
    name = str(payment.name)
    if payment.held is not None:
        raise PaymentHeld(name, payment.held.reason)
    if payment.state is not State.SUCCEEDED:
        raise WrongState(name, "refunded", payment.state.value)
    left = payment.amount_captured - payment.amount_refunded
    currency_code = payment.request.amount.currency_code
    amount = left if asked is None else asked.minor_units
    if not 0 < amount <= left or (asked is not None and asked.currency_code != currency_code):
        raise AmountTooLarge(name, "refunded", left, currency_code)
    return amount
