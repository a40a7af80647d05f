"""What becomes of a refund: made within what was captured, and for some cards settled later."""

from collections.abc import Iterable
from dataclasses import replace

from sandbox import errors
from sandbox.actions import CreateRefund
from sandbox.cards import CARDS, RefundFate
from sandbox.errors import Rejection
from sandbox.intents import Outcome
from sandbox.objects import Intent, Movement, Refund, RefundStatus, Status
from sandbox.world import Rules


def create(
    action: CreateRefund,
    identifier: str,
    intent: Intent,
    others: Iterable[Refund],
    rules: Rules,
    now: int,
) -> Outcome:
    """Give back; the refunds that have not failed never pass what was captured."""
    charge = intent.charge
    if intent.status is not Status.SUCCEEDED or charge is None:
        raise Rejection(errors.nothing_to_refund(intent))
    given = sum(one.amount for one in others if one.status is not RefundStatus.FAILED)
    left = charge.amount_captured - given
    if left == 0:
        raise Rejection(errors.already_refunded(charge.id))
    amount = left if action.amount is None else action.amount
    if amount > left:
        raise Rejection(errors.refund_too_large(amount, left, intent.currency))
    card = CARDS[charge.payment_method]
    pending = card.refund is RefundFate.SUCCEEDS_LATER
    refund = Refund(
        id=identifier,
        created=now,
        intent=intent.id,
        charge=charge.id,
        payment_method=charge.payment_method,
        amount=amount,
        currency=intent.currency,
        status=RefundStatus.PENDING if pending else RefundStatus.SUCCEEDED,
        reason=action.reason,
        metadata=action.metadata,
        due=None if card.refund is RefundFate.SUCCEEDS else now + rules.delay,
    )
    intent = replace(intent, charge=replace(charge, amount_refunded=given + amount))
    return Outcome(
        intent,
        (("refund.created", refund), ("charge.refunded", intent)),
        (_movement("refunded", refund),),
        refund=refund,
    )


def passed_due(refund: Refund, intent: Intent) -> Outcome:
    """A pending refund arrives, or one that was reported as succeeded comes back."""
    if refund.status is RefundStatus.PENDING:
        refund = replace(refund, status=RefundStatus.SUCCEEDED, due=None)
        return Outcome(intent, (("refund.updated", refund),), refund=refund)
    refund = replace(
        refund, status=RefundStatus.FAILED, failure_reason="expired_or_canceled_card", due=None
    )
    charge = intent.charge
    assert charge is not None  # noqa: S101 - there is no refund without a charge
    left = charge.amount_refunded - refund.amount
    intent = replace(intent, charge=replace(charge, amount_refunded=left))
    return Outcome(
        intent,
        (("refund.updated", refund), ("refund.failed", refund)),
        (_movement("returned", refund),),
        refund=refund,
    )


def _movement(kind: str, refund: Refund) -> Movement:
    return Movement(
        kind,
        refund.intent,
        refund.charge,
        refund.amount,
        refund.currency,
        refund.id,
        refund.metadata,
    )
