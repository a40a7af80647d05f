"""The refund of a payment.

The refunds of a payment that have not failed never pass what was captured: the sum stands in the
payment's row, and the database refuses more. A refund keeps one idempotency key for ever, states its
amount, and is looked for in the processor's whole list before it is posted again.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Self
from uuid import UUID

from chassis.values import RequestId
from payment.domain.errors import AmountTooLarge, PaymentHeld, WrongState
from payment.domain.evidence import ProcessorRefund, RefundStatus
from payment.domain.payment import Payment, State
from payment.domain.values import Failure, Money, PaymentName, RefundName, fingerprint

POST_WITHIN = timedelta(seconds=10)
"""How soon after the list that did not name it a refund must be posted (assumption Z,
docs/payment.md): the processor forgets a key after 24 h, and a late POST could meet a forgotten one.
"""
FAIL_WITHIN = timedelta(seconds=60)
"""How soon after a step began, on the database's clock, a refusal must be stored. The processor
remembers the refusal under the key for 24 h, and pays out no other copy of the call before. But a
suspended replica may have been overtaken by one that posted later.
"""
WATCH_FOR = timedelta(days=30)
"""How long a refund that succeeded is checked: a bank may send it back days later."""


class RefundState(Enum):
    """The state of a refund. FAILED is final; only the processor can turn SUCCEEDED into FAILED."""

    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


class RefundReason(Enum):
    """Why money goes back, in Stripe's terms (Stripe docs: "The Refund object")."""

    DUPLICATE = "duplicate"
    FRAUDULENT = "fraudulent"
    REQUESTED_BY_CUSTOMER = "requested_by_customer"


@dataclass(frozen=True, slots=True)
class RefundRequest:
    """The content of CreateRefund; without an amount, all that is left."""

    request_id: RequestId
    payment: PaymentName
    amount: Money | None = None
    reason: RefundReason | None = None

    @property
    def fingerprint(self) -> bytes:
        """Every field counts, except for the request_id itself."""
        return fingerprint(
            "refund",
            str(self.payment),
            str(self.amount.minor_units) if self.amount else "",
            self.amount.currency_code if self.amount else "",
            self.reason.value if self.reason else "",
        )


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

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to do. A refund that succeeded may still be sent back."""
        return self.state is RefundState.FAILED

    def key(self, installation: str) -> str:
        """The idempotency key of its one POST; it never changes."""
        return f"{installation}:{self.id}:refund"

    def find_in(self, listed: Iterable[ProcessorRefund]) -> ProcessorRefund | None:
        """What the processor has of this refund: by the processor's id once that is known. Ours
        stands in the metadata, which people may edit.
        """
        if self.processor_id:
            return next((one for one in listed if one.id == self.processor_id), None)
        return next((one for one in listed if one.refund_id == self.id), None)

    def apply(self, reported: ProcessorRefund) -> Self:
        """The refund after what the processor reports of it. Failed stays failed."""
        if self.state is RefundState.FAILED:
            return self
        known = replace(self, processor_id=reported.id)
        match reported.status:
            case RefundStatus.FAILED | RefundStatus.CANCELED:
                return known.fail(reported.failure or Failure(f"refund_{reported.status.value}"))
            case RefundStatus.SUCCEEDED:
                return replace(known, state=RefundState.SUCCEEDED)
        return known

    def fail(self, failure: Failure) -> Self:
        """It did not happen, or was sent back: its amount can be refunded again."""
        return replace(self, state=RefundState.FAILED, failure=failure)


def refundable(payment: Payment, asked: Money | None) -> int:
    """The minor units of a refund of `asked`, or of all that is left (None). The database checks
    the sum again.

    Raises:
        WrongState, PaymentHeld, AmountTooLarge.
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
