"""Domain events of payments and refunds. An event is written in the commit of the change that it
reports, and never changes.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from uuid import UUID

from payment.domain.payment import CancelReason, Payment, State
from payment.domain.refund import Refund, RefundState


class EventType(Enum):
    """The kinds of events, as the contract names them."""

    CREATED = "payment.created"
    REQUIRES_ACTION = "payment.requires_action"
    AUTHORIZED = "payment.authorized"
    CAPTURE_REQUESTED = "payment.capture_requested"
    CANCEL_REQUESTED = "payment.cancel_requested"
    DECLINED = "payment.declined"
    EXPIRED = "payment.expired"
    SUCCEEDED = "payment.succeeded"
    FAILED = "payment.failed"
    CANCELED = "payment.canceled"
    HELD = "payment.held"
    RELEASED = "payment.released"
    UPDATED = "payment.updated"
    DELETED = "payment.deleted"
    UNDELETED = "payment.undeleted"
    REFUND_CREATED = "refund.created"
    REFUND_UPDATED = "refund.updated"
    REFUND_SUCCEEDED = "refund.succeeded"
    REFUND_FAILED = "refund.failed"


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event that is about to be written with its row. `note`: a remark for people."""

    type: EventType
    note: str = ""


@dataclass(frozen=True, slots=True)
class PaymentEvent:
    """A committed event.

    Attributes:
        sequence: counts a payment's events from 1, without gaps.
        cursor: its position in the stream of all events, opaque outside the repository.
    """

    payment_id: UUID
    sequence: int
    type: EventType
    state: State
    refund_id: UUID | None
    note: str
    event_time: datetime
    cursor: str


NON_FINANCIAL_EVENTS = frozenset({EventType.UPDATED, EventType.DELETED, EventType.UNDELETED})
"""Changes that move no money, and do not change when a payment is due."""
EVENT_BY_STATE = {
    State.REQUIRES_ACTION: EventType.REQUIRES_ACTION,
    State.AUTHORIZED: EventType.AUTHORIZED,
    State.CAPTURING: EventType.CAPTURE_REQUESTED,
    State.SUCCEEDED: EventType.SUCCEEDED,
    State.FAILED: EventType.FAILED,
    State.CANCELED: EventType.CANCELED,
}
CANCEL_EVENTS = {
    CancelReason.DECLINE: EventType.DECLINED,
    CancelReason.USER: EventType.CANCEL_REQUESTED,
    CancelReason.EXPIRED: EventType.EXPIRED,
}


def event_for(before: Payment, after: Payment, note: str = "") -> NewEvent | None:
    """The event between two versions of a payment; None where there is none (an answer of the
    processor was used up, or nothing changed).
    """
    if after.held is not None and after.held != before.held:
        return NewEvent(
            EventType.HELD, f"{note}; {after.held.reason}" if note else after.held.reason
        )
    if before.held is not None and after.held is None:
        return NewEvent(EventType.RELEASED, note)
    if after.state is not before.state:
        if after.state is State.CANCELING and after.cancel_reason is not None:
            return NewEvent(CANCEL_EVENTS[after.cancel_reason])
        return NewEvent(EVENT_BY_STATE[after.state])
    if (after.delete_time is None) is not (before.delete_time is None):
        return NewEvent(EventType.DELETED if after.delete_time else EventType.UNDELETED)
    if after.request != before.request:
        return NewEvent(EventType.UPDATED)
    return None


def refund_event_for(before: Refund, after: Refund) -> NewEvent | None:
    """The event between two versions of a refund."""
    if after.state is RefundState.FAILED and before.state is not RefundState.FAILED:
        return NewEvent(EventType.REFUND_FAILED, after.failure.code if after.failure else "")
    if after.state is RefundState.SUCCEEDED and before.state is not RefundState.SUCCEEDED:
        return NewEvent(EventType.REFUND_SUCCEEDED)
    if after != before:
        return NewEvent(EventType.REFUND_UPDATED)
    return None
