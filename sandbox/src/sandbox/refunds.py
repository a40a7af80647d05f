"""Decisions on refunds: creation within the captured amount, and the later outcome of some cards."""

from collections.abc import Iterable
from dataclasses import replace

from sandbox import errors
from sandbox.actions import CreateRefund
from sandbox.cards import CARDS, RefundOutcome
from sandbox.errors import ApiError
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
    """Create a refund. The refunds that have not failed never exceed the captured amount."""
    charge = intent.charge
    if intent.status is not Status.SUCCEEDED or charge is None:
        raise ApiError(errors.nothing_to_refund(intent))
    refunded = sum(other.amount for other in others if other.status is not RefundStatus.FAILED)
    left = charge.amount_captured - refunded
    if left == 0:
        raise ApiError(errors.already_refunded(charge.id))
    amount = left if action.amount is None else action.amount
    if amount > left:
        raise ApiError(errors.refund_too_large(amount, left, intent.currency))
    card = CARDS[charge.payment_method]
    pending = card.refund is RefundOutcome.SUCCEEDS_LATER
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
        due=None if card.refund is RefundOutcome.SUCCEEDS else now + rules.delay,
    )
    intent = replace(intent, charge=replace(charge, amount_refunded=refunded + amount))
    return Outcome(
        intent,
        (("refund.created", refund), ("charge.refunded", intent)),
        (_movement("refunded", refund),),
        refund=refund,
    )


def passed_due(refund: Refund, intent: Intent) -> Outcome:
    """A pending refund succeeds, or one that succeeded fails."""
    if refund.status is RefundStatus.PENDING:
        refund = replace(refund, status=RefundStatus.SUCCEEDED, due=None)
        return Outcome(intent, (("refund.updated", refund),), refund=refund)
    refund = replace(
        refund, status=RefundStatus.FAILED, failure_reason="expired_or_canceled_card", due=None
    )
    charge = intent.charge
    assert charge is not None  # noqa: S101 - every refund has a charge
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
