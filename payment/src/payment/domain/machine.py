"""The state machine of payments: what evidence makes of a payment, and the one call that may follow.

Pure functions of values, and the heart of Oncepay. `apply` only moves forward, is idempotent, does not
depend on order, and changes nothing that the table does not list. The only proof of FAILED or
CANCELED is the bound intent with the status `canceled`. So a decline is first canceled at the
processor, and only then answered.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from uuid import UUID

from payment.domain.evidence import (
    IdempotencyKeyConflict,
    Intent,
    IntentStatus,
    Rejection,
    Reply,
    ServerError,
)
from payment.domain.payment import (
    ACT_WITHIN,
    CAPTURE_WITHIN,
    CancelReason,
    Held,
    Payment,
    State,
)
from payment.domain.values import Failure

Transition = Callable[[Payment, Intent, datetime], Payment]


def apply(payment: Payment, intent: Intent, now: datetime, *, accepting: bool = False) -> Payment:
    """The payment after this evidence, whoever asked for it: a request, recovery or a release.

    Args:
        accepting: a person released the payment and accepts the captured amount that the processor
            reports.
    """
    if intent.id != payment.intent_id or payment.is_settled:
        return payment
    if mismatch := mismatch_of(payment, intent):
        return hold(payment, mismatch, now)
    transition = TRANSITIONS.get((payment.state, intent.status))
    if transition is None:
        return payment
    if intent.status is IntentStatus.SUCCEEDED and not accepting:
        expected = expected_amount(payment)
        if expected not in (None, intent.amount_received):
            reason = f"captured {intent.amount_received} minor units where {expected} were asked"
            return hold(payment, reason, now)
    return transition(payment, intent, now)


def mismatch_of(payment: Payment, intent: Intent) -> str:
    """What of a bound intent contradicts the payment, in words; empty where nothing does."""
    if intent.payment_id != payment.id:
        return "the processor's intent carries another payment's id"
    if intent.amount != payment.request.amount:
        return "the processor's intent is for another amount or currency"
    if intent.amount_received > payment.request.amount.minor_units:
        return "the processor captured more than the payment's amount"
    if intent.status is IntentStatus.SUCCEEDED and intent.amount_received < 1:
        return "the processor says succeeded, but captured nothing"
    return ""


def expected_amount(payment: Payment) -> int | None:
    """The minor units that a success must have moved; None where somebody else may have captured
    a part of an authorized payment before us.
    """
    if payment.state is State.CAPTURING:
        return payment.amount_capturing
    if payment.state in {State.AUTHORIZED, State.CANCELING}:
        return None
    return payment.request.amount.minor_units


def hold(payment: Payment, reason: str, now: datetime) -> Payment:
    """Leave the payment to manual review: from now on no call is made for it."""
    return replace(payment, held=Held(reason, now))


def incident_of(payment: Payment, intent: Intent) -> str:
    """What of this evidence must never occur, in words, to raise an alert; empty where it may.

    Final states are never overwritten; a contradiction is reported.
    """
    if intent.id != payment.intent_id:
        return "evidence of an intent that is not this payment's"
    charged = intent.status in {IntentStatus.SUCCEEDED, IntentStatus.REQUIRES_CAPTURE}
    if payment.state is State.SUCCEEDED and intent.status is IntentStatus.CANCELED:
        return "the processor says canceled of a payment that succeeded"
    if payment.state.ended_without_money and charged:
        return f"the processor says {intent.status.value} of a payment that ended without money"
    if payment.state is State.AUTHORIZED and intent.status is IntentStatus.SUCCEEDED:
        return "the payment was captured by somebody else"
    return ""


def require_action(payment: Payment, intent: Intent, now: datetime) -> Payment:
    return replace(
        payment,
        state=State.REQUIRES_ACTION,
        redirect_url=intent.redirect_url,
        action_by=now + ACT_WITHIN,
    )


def authorize(payment: Payment, intent: Intent, now: datetime) -> Payment:
    return replace(
        payment,
        state=State.AUTHORIZED,
        capture_before=intent.capture_before or now + CAPTURE_WITHIN,
    )


def succeed(payment: Payment, intent: Intent, _now: datetime) -> Payment:
    return replace(
        payment, state=State.SUCCEEDED, amount_captured=intent.amount_received, failure=None
    )


def decline(payment: Payment, intent: Intent, _now: datetime) -> Payment:
    """Not yet FAILED: a late confirmation, or the browser, could still charge the card."""
    return replace(
        payment,
        state=State.CANCELING,
        cancel_reason=CancelReason.DECLINE,
        failure=intent.failure or Failure("card_declined"),
    )


def end_without_money(payment: Payment, _intent: Intent, _now: datetime) -> Payment:
    declined = payment.cancel_reason is CancelReason.DECLINE
    return replace(payment, state=State.FAILED if declined else State.CANCELED)


TRANSITIONS: dict[tuple[State, IntentStatus], Transition] = {
    (State.CONFIRMING, IntentStatus.REQUIRES_ACTION): require_action,
    (State.CONFIRMING, IntentStatus.REQUIRES_CAPTURE): authorize,
    (State.CONFIRMING, IntentStatus.SUCCEEDED): succeed,
    (State.CONFIRMING, IntentStatus.REQUIRES_PAYMENT_METHOD): decline,
    (State.CONFIRMING, IntentStatus.CANCELED): end_without_money,
    (State.REQUIRES_ACTION, IntentStatus.REQUIRES_CAPTURE): authorize,
    (State.REQUIRES_ACTION, IntentStatus.SUCCEEDED): succeed,
    (State.REQUIRES_ACTION, IntentStatus.REQUIRES_PAYMENT_METHOD): decline,
    (State.REQUIRES_ACTION, IntentStatus.CANCELED): end_without_money,
    (State.AUTHORIZED, IntentStatus.SUCCEEDED): succeed,
    (State.AUTHORIZED, IntentStatus.CANCELED): end_without_money,
    (State.CAPTURING, IntentStatus.SUCCEEDED): succeed,
    (State.CAPTURING, IntentStatus.CANCELED): end_without_money,
    (State.CANCELING, IntentStatus.SUCCEEDED): succeed,
    (State.CANCELING, IntentStatus.CANCELED): end_without_money,
}
"""The whole table. CAPTURING never goes back; CANCELING never confirms again."""


def expire(payment: Payment, status: IntentStatus, now: datetime) -> Payment:
    """Cancel what took too long: a card not tried in time, an action that nobody took."""
    unstarted = (
        payment.state is State.CONFIRMING
        and status is IntentStatus.REQUIRES_CONFIRMATION
        and now > payment.start_by
    )
    unanswered = (
        payment.state is State.REQUIRES_ACTION
        and payment.action_by is not None
        and now > payment.action_by
    )
    if payment.held is None and (unstarted or unanswered):
        return replace(payment, state=State.CANCELING, cancel_reason=CancelReason.EXPIRED)
    return payment


class Operation(Enum):
    """The calls that move a payment at the processor."""

    CONFIRM = "confirm"
    CAPTURE = "capture"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Post:
    """A call to make. `amount`: minor units of a capture, 0 for the others."""

    operation: Operation
    idempotency_counter: int
    amount: int = 0

    def key(self, installation: str, payment_id: UUID) -> str:
        """The idempotency key: the same call has the same key until its answer is used up."""
        return f"{installation}:{payment_id}:{self.operation.value}:{self.idempotency_counter}"


UNFINISHED = frozenset(
    {
        IntentStatus.REQUIRES_CONFIRMATION,
        IntentStatus.REQUIRES_PAYMENT_METHOD,
        IntentStatus.REQUIRES_ACTION,
        IntentStatus.REQUIRES_CAPTURE,
    }
)


def next_post(payment: Payment, status: IntentStatus, idempotency_counter: int) -> Post | None:
    """The one call that may follow, or None.

    Confirm only what requires confirmation: anything else would try a card again after a decline.
    Never a call on `processing`: its refusal would be recorded, and then the bank declines.

    Args:
        idempotency_counter: as it was read before the intent was asked for.
    """
    if payment.is_settled:
        return None
    if payment.state is State.CONFIRMING and status is IntentStatus.REQUIRES_CONFIRMATION:
        return Post(Operation.CONFIRM, idempotency_counter)
    if payment.state is State.CAPTURING and status is IntentStatus.REQUIRES_CAPTURE:
        return Post(Operation.CAPTURE, idempotency_counter, payment.amount_capturing)
    if payment.state is State.CANCELING and status in UNFINISHED:
        return Post(Operation.CANCEL, idempotency_counter)
    return None


def answer(payment: Payment, post: Post, reply: Reply, now: datetime) -> Payment:
    """The payment after the reply to a call.

    The processor records a 500 and a refusal under the key and would replay them for ever, so they
    use the key up. An unknown outcome changes nothing: the same call is made again under its key.
    """
    match reply:
        case Intent():
            return apply(payment, reply, now)
        case ServerError() | Rejection() if payment.idempotency_counter == post.idempotency_counter:
            return replace(payment, idempotency_counter=post.idempotency_counter + 1)
        case IdempotencyKeyConflict() if not payment.is_settled:
            return hold(payment, "an idempotency key was used with other parameters", now)
    return payment
