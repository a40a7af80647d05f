"""What the processor may reply, as values: no library's type, no exception.

Safety rests on one distinction: a reply is evidence of an intent, or a definite refusal, or it is
*unknown*. A time-out, a broken connection, a 409, a 429, a 401, a 403, any 5xx but 500 are unknown:
they prove nothing (Stripe docs: "Low-level error handling"). A 404 to a creation is a refusal; one to a
retrieval is `NotFound`, and proves nothing of a payment either.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Generic, TypeVar
from uuid import UUID

from payment.domain.values import Failure, Money, RequestPart

Item = TypeVar("Item")


class IntentStatus(Enum):
    """The statuses of a payment intent (Stripe docs: "How PaymentIntents work")."""

    REQUIRES_PAYMENT_METHOD = "requires_payment_method"
    REQUIRES_CONFIRMATION = "requires_confirmation"
    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"
    REQUIRES_CAPTURE = "requires_capture"
    CANCELED = "canceled"
    SUCCEEDED = "succeeded"


@dataclass(frozen=True, slots=True)
class Intent:
    """A payment intent as the processor reports it.

    Attributes:
        amount: what was asked for.
        amount_received: minor units that moved.
        payment_id: our UUID from its metadata; None where there is none that can be read.
        installation: whose it is, from its metadata.
    """

    id: str
    status: IntentStatus
    amount: Money
    amount_received: int = 0
    payment_id: UUID | None = None
    installation: str = ""
    failure: Failure | None = None
    redirect_url: str = ""
    capture_before: datetime | None = None


class RefundStatus(Enum):
    """The statuses of a refund (Stripe docs: "The Refund object"). `requires_action` counts as
    pending: it occurs only where the customer has to give a bank account.
    """

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class ProcessorRefund:
    """A refund as the processor reports it. `refund_id` is our UUID from its metadata."""

    id: str
    status: RefundStatus
    amount: int
    refund_id: UUID | None = None
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Rejection:
    """A definite refusal: a 400, a 402 or (to a creation) a 404 with the processor's error in its
    body. `part`: the part of the caller's request that it names; None where it is our own mistake.
    """

    code: str
    part: RequestPart | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class NotFound:
    """The processor says that it has no intent of this id. Of a payment it proves nothing: our key
    may be of another account. Reconciliation reports it.
    """


@dataclass(frozen=True, slots=True)
class ServerError:
    """A 500: recorded under the key and replayed from then on, whether or not it had an effect."""


@dataclass(frozen=True, slots=True)
class IdempotencyKeyConflict:
    """The key came with other parameters before: a mistake of ours."""


@dataclass(frozen=True, slots=True)
class OutcomeUnknown:
    """Nothing is known. `unreachable`: there was no reply at all, so asking soon again may help."""

    why: str
    unreachable: bool = False


Reply = Intent | Rejection | NotFound | ServerError | IdempotencyKeyConflict | OutcomeUnknown
"""The reply to a call about an intent."""

RefundReply = ProcessorRefund | Rejection | ServerError | IdempotencyKeyConflict | OutcomeUnknown
"""The reply to a call about a refund."""


def is_unreachable(reply: object) -> bool:
    """Whether the processor did not reply at all."""
    return isinstance(reply, OutcomeUnknown) and reply.unreachable


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """A page of one of the processor's lists, the newest item first."""

    items: Sequence[Item]
    has_more: bool
