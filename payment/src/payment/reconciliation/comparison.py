"""What the processor's books and ours say of the same money, compared: pure functions of values.

What only has not been told yet is no difference: evidence that would move a payment on is for the
machine to take. A difference is what no rule may mend, and a person has to see.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from payment.domain.evidence import Intent, IntentStatus, ProcessorRefund, RefundStatus
from payment.domain.machine import apply, mismatch_of
from payment.domain.payment import Payment, State
from payment.domain.refund import Refund, RefundState
from payment.domain.values import Money

ORPHAN_AGE = timedelta(hours=24)
"""From when on an unconfirmed intent without a payment is canceled: by then the insert that could
still bind it has long run into its deadline (docs/decisions/0001-intent-first-creation.md).
"""
COMMIT_WITHIN = timedelta(hours=1)
"""How long a commit may hang, for a standby that does not answer. While one hangs for longer, the row
that binds an intent may yet appear: no orphan is canceled.
"""


class Kind(Enum):
    """What a difference is."""

    CHARGED_WITHOUT_PAYMENT = "CHARGED_WITHOUT_PAYMENT"
    CHARGED_TWICE = "CHARGED_TWICE"
    CONFIRMED_WITHOUT_PAYMENT = "CONFIRMED_WITHOUT_PAYMENT"
    UNKNOWN_TO_PROCESSOR = "UNKNOWN_TO_PROCESSOR"
    STATES_CONTRADICT = "STATES_CONTRADICT"
    AMOUNTS_DIFFER = "AMOUNTS_DIFFER"
    HELD = "HELD"
    REFUNDED_ELSEWHERE = "REFUNDED_ELSEWHERE"
    REFUND_UNKNOWN_TO_PROCESSOR = "REFUND_UNKNOWN_TO_PROCESSOR"
    REFUNDS_DIFFER = "REFUNDS_DIFFER"
    UNREADABLE = "UNREADABLE"


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that a person has to look at. `ours` and `theirs`: the money on each side, where
    there is some; `words` say what is wrong, without names and amounts.
    """

    kind: Kind
    words: str
    payment: str = ""
    intent_id: str = ""
    ours: Money | None = None
    theirs: Money | None = None
    refund: str = ""


@dataclass(frozen=True, slots=True)
class ListedIntent:
    """An intent as a list of the processor's tells it, somebody else's among them. `intent` is None
    where it cannot be read.
    """

    id: str
    create_time: datetime
    installation: str = ""
    request_id: str = ""
    intent: Intent | None = None
    amount_refunded: int = 0


@dataclass(frozen=True, slots=True)
class ListedRefund:
    """A refund out of such a list."""

    id: str
    intent_id: str
    create_time: datetime
    currency_code: str
    refund: ProcessorRefund | None = None


def agrees(payment: Payment, listed: ListedIntent) -> bool:
    """Whether the list alone shows that nothing is to be looked at."""
    intent = listed.intent
    return (
        intent is not None
        and payment.state.is_final
        and not any(differences(payment, intent))
        and payment.amount_refunded == listed.amount_refunded
    )


def waits(payment: Payment, listed: ListedIntent) -> bool:
    """Whether a payment is not at its end, and the list shows that the processor is no further."""
    intent = listed.intent
    return (
        intent is not None
        and not payment.is_settled
        and not moves(payment, intent, payment.update_time)
    )


def differences(payment: Payment, intent: Intent) -> Iterator[Difference]:
    """What of a payment and its intent, each as it is now, cannot both be."""
    received = money(intent.amount_received, intent.amount.currency_code)
    captured = money(payment.amount_captured, payment.request.amount.currency_code)

    def told(kind: Kind, words: str, ours: Money | None, theirs: Money | None) -> Difference:
        return Difference(kind, words, str(payment.name), intent.id, ours, theirs)

    if payment.held is not None:
        yield told(Kind.HELD, f"it waits for a person: {payment.held.reason}", captured, received)
    elif mismatch := mismatch_of(payment, intent):
        yield told(Kind.AMOUNTS_DIFFER, mismatch, payment.request.amount, intent.amount)
    elif payment.state.is_final:
        ended = (
            IntentStatus.SUCCEEDED if payment.state is State.SUCCEEDED else IntentStatus.CANCELED
        )
        if intent.status is not ended:
            words = f"it is {payment.state.value} here, and {intent.status.value} there"
            yield told(Kind.STATES_CONTRADICT, words, captured, received)
        elif captured != received:
            yield told(Kind.AMOUNTS_DIFFER, "another amount was captured", captured, received)


def moves(payment: Payment, intent: Intent, now: datetime) -> bool:
    """Whether the machine has something to do with what the processor says."""
    return apply(payment, intent, now) != payment


def refund_differences(
    payment: Payment, ours: Sequence[Refund], theirs: Sequence[ProcessorRefund]
) -> Iterator[Difference]:
    """What of a payment's refunds on both sides, all of them, cannot both be."""
    currency_code = payment.request.amount.currency_code

    def told(kind: Kind, words: str, refund: str, mine: int, its: int) -> Difference:
        sums = money(mine, currency_code), money(its, currency_code)
        return Difference(kind, words, str(payment.name), payment.intent_id, *sums, refund)

    known: set[str] = set()
    for refund in ours:
        made = matching(refund, theirs)
        known.update(each.id for each in made)
        name, amount = str(refund.name), amount_in_sums(refund)
        moved = sum(each.amount for each in made if is_money(each))
        if len(made) > 1 and moved > refund.amount:
            yield told(Kind.REFUNDS_DIFFER, "it was made more than once", name, amount, moved)
        elif made and made[0].amount != refund.amount:
            yield told(Kind.REFUNDS_DIFFER, "another amount was refunded", name, amount, moved)
        elif refund.state is RefundState.FAILED and moved:
            yield told(Kind.REFUNDS_DIFFER, "it FAILED here, and was made there", name, 0, moved)
        elif refund.state is RefundState.SUCCEEDED and not made:
            unknown = Kind.REFUND_UNKNOWN_TO_PROCESSOR
            yield told(unknown, "the processor knows of no such refund", name, amount, 0)
    for each in theirs:
        if each.id not in known and is_money(each):
            words = "it was made at the processor, and not by us"
            yield told(Kind.REFUNDED_ELSEWHERE, words, each.id, 0, each.amount)
    total = sum(map(amount_in_sums, ours))
    if total != payment.amount_refunded:
        words = "our own refunds are not the sum that the payment says"
        yield told(Kind.REFUNDS_DIFFER, words, "", payment.amount_refunded, total)


def refund_moves(refund: Refund, theirs: Sequence[ProcessorRefund]) -> bool:
    """Whether a refund is not at its end yet, or the processor has changed its mind about it."""
    made = matching(refund, theirs)
    if not made:
        return refund.state is RefundState.PENDING
    return made[0].amount == refund.amount and refund.apply(made[0]).state is not refund.state


def matching(refund: Refund, theirs: Sequence[ProcessorRefund]) -> list[ProcessorRefund]:
    """What the processor has of a refund: one at most, if nothing is wrong."""
    return [
        each for each in theirs if refund.id == each.refund_id or each.id == refund.processor_id
    ]


def is_money(made: ProcessorRefund) -> bool:
    return made.status in {RefundStatus.PENDING, RefundStatus.SUCCEEDED}


def amount_in_sums(refund: Refund) -> int:
    """What a refund counts in sums: a failed one nothing."""
    return 0 if refund.state is RefundState.FAILED else refund.amount


def money(minor_units: int, currency_code: str) -> Money | None:
    """None where nothing moved."""
    return Money(minor_units, currency_code) if minor_units > 0 else None


def stray(listed: ListedIntent, intent: Intent, holder: str) -> Difference | None:
    """What it means that an intent of ours has no payment; None where no card was tried with it.
    `holder` is what has its request_id: a payment, or another such intent.
    """
    theirs = money(intent.amount_received, intent.amount.currency_code) or intent.amount
    kind, words = Kind.CHARGED_WITHOUT_PAYMENT, "there is no payment of it here"
    match intent.status:
        case IntentStatus.CANCELED | IntentStatus.REQUIRES_CONFIRMATION:
            return None
        case IntentStatus.REQUIRES_PAYMENT_METHOD if intent.failure is None:
            return None
        case IntentStatus.SUCCEEDED if listed.amount_refunded >= intent.amount_received:
            return None  # and all of it was given back
        case IntentStatus.SUCCEEDED | IntentStatus.REQUIRES_CAPTURE:
            held = intent.status is IntentStatus.REQUIRES_CAPTURE
            did = "the money is held at the processor" if held else "the card was charged"
        case status:
            kind, did = Kind.CONFIRMED_WITHOUT_PAYMENT, f"the card was tried ({status.value})"
    if holder and kind is Kind.CHARGED_WITHOUT_PAYMENT:
        kind, words = Kind.CHARGED_TWICE, f"{words}, and {holder} is of the same request_id"
    return Difference(kind, f"{did}, and {words}", intent_id=intent.id, theirs=theirs)


def is_unconfirmed(intent: Intent) -> bool:
    """Whether no card was tried with it, and none can be without us."""
    untried = {IntentStatus.REQUIRES_CONFIRMATION, IntentStatus.REQUIRES_PAYMENT_METHOD}
    return intent.status in untried and intent.failure is None
