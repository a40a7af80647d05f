"""How the records of one payment differ between Payment and the processor: pure functions of values.

A payment that is only behind the processor is no difference: recovery moves it on. A difference is
what no rule may repair, and needs manual review.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from payment.domain.evidence import Intent, IntentStatus, ProcessorRefund, RefundStatus
from payment.domain.machine import apply, mismatch_of
from payment.domain.payment import Payment, State
from payment.domain.refund import Refund, RefundState
from payment.domain.values import Money


class Kind(Enum):
    """The kinds of differences; docs/reconciliation.md says what to do about each."""

    CHARGED_WITHOUT_PAYMENT = "CHARGED_WITHOUT_PAYMENT"
    CHARGED_TWICE = "CHARGED_TWICE"
    CONFIRMED_WITHOUT_PAYMENT = "CONFIRMED_WITHOUT_PAYMENT"
    UNKNOWN_TO_PROCESSOR = "UNKNOWN_TO_PROCESSOR"
    STATES_DIFFER = "STATES_DIFFER"
    AMOUNTS_DIFFER = "AMOUNTS_DIFFER"
    HELD = "HELD"
    REFUNDED_ELSEWHERE = "REFUNDED_ELSEWHERE"
    REFUND_UNKNOWN_TO_PROCESSOR = "REFUND_UNKNOWN_TO_PROCESSOR"
    REFUNDS_DIFFER = "REFUNDS_DIFFER"
    UNREADABLE = "UNREADABLE"


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference between the two sides.

    Attributes:
        message: what differs, without names and amounts.
        payment, intent_id, refund: what it is about; empty where there is none.
        internal_amount, processor_amount: the money on each side; None where there is none.
    """

    kind: Kind
    message: str
    payment: str = ""
    intent_id: str = ""
    internal_amount: Money | None = None
    processor_amount: Money | None = None
    refund: str = ""


@dataclass(frozen=True, slots=True)
class ListedIntent:
    """An intent in the processor's listing. `intent` is None where it cannot be read."""

    id: str
    create_time: datetime
    installation: str = ""
    request_id: str = ""
    intent: Intent | None = None
    amount_refunded: int = 0


@dataclass(frozen=True, slots=True)
class ListedRefund:
    """A refund in the processor's listing. `refund` is None where it cannot be read."""

    id: str
    intent_id: str
    create_time: datetime
    currency_code: str
    refund: ProcessorRefund | None = None


@dataclass(frozen=True, slots=True)
class PaymentRecords:
    """The records of one payment on both sides, and when they were read.

    Attributes:
        intent: None where the processor has no such intent.
        processor_refunds: None where one of them cannot be read.
        changed: whether the payment changed each time that both sides were read, so that they
            cannot be compared.
    """

    payment: Payment
    refunds: Sequence[Refund]
    intent: Intent | None
    processor_refunds: Sequence[ProcessorRefund] | None
    read_time: datetime
    changed: bool = False


# ---------------------------------------------------------------- a payment and the listing


def matches_listing(payment: Payment, listed: ListedIntent) -> bool:
    """Whether a final payment is what the listing shows, so that nothing more has to be read."""
    return (
        listed.intent is not None
        and payment.state.is_final
        and not any(payment_differences(payment, listed.intent))
        and payment.amount_refunded == listed.amount_refunded
    )


def is_up_to_date(payment: Payment, listed: ListedIntent) -> bool:
    """Whether a payment is in progress, and the listing shows nothing newer."""
    return (
        listed.intent is not None
        and not payment.is_settled
        and not is_behind(payment, listed.intent, payment.update_time)
    )


# ---------------------------------------------------------------- both sides' records


def differences(records: PaymentRecords) -> Iterator[Difference]:
    """All differences between the records of one payment."""
    payment = records.payment
    if records.intent is None:
        yield Difference(
            Kind.UNKNOWN_TO_PROCESSOR,
            "the processor has no such intent",
            str(payment.name),
            payment.intent_id,
            internal_amount=payment.request.amount,
        )
    elif records.processor_refunds is None:
        yield unreadable(str(payment.name), payment.intent_id)
    else:
        yield from payment_differences(payment, records.intent)
        yield from refund_differences(payment, records.refunds, records.processor_refunds)


def in_progress(records: PaymentRecords) -> Iterator[tuple[Payment | Refund, bool]]:
    """The payment and the refunds that are not at their end, each with whether it is behind the
    processor.
    """
    payment, intent = records.payment, records.intent
    if intent is None or records.processor_refunds is None:
        return
    if not payment.is_settled:
        yield payment, is_behind(payment, intent, records.read_time)
    for refund in records.refunds:
        if is_unfinished(refund, records.processor_refunds):
            yield refund, bool(same_refund(refund, records.processor_refunds))


def payment_differences(payment: Payment, intent: Intent) -> Iterator[Difference]:
    """The differences between a payment and its intent, without their refunds."""
    captured = money(payment.amount_captured, payment.request.amount.currency_code)
    received = money(intent.amount_received, intent.amount.currency_code)

    def difference(
        kind: Kind,
        message: str,
        internal: Money | None = captured,
        processor: Money | None = received,
    ) -> Difference:
        return Difference(kind, message, str(payment.name), intent.id, internal, processor)

    if payment.held is not None:
        yield difference(Kind.HELD, f"it needs manual review: {payment.held.reason}")
    elif mismatch := mismatch_of(payment, intent):
        yield difference(Kind.AMOUNTS_DIFFER, mismatch, payment.request.amount, intent.amount)
    elif payment.state.is_final:
        succeeded = payment.state is State.SUCCEEDED
        if intent.status is not (IntentStatus.SUCCEEDED if succeeded else IntentStatus.CANCELED):
            message = f"the payment is {payment.state.value}, the intent is {intent.status.value}"
            yield difference(Kind.STATES_DIFFER, message)
        elif captured != received:
            yield difference(Kind.AMOUNTS_DIFFER, "the captured amounts differ")


def is_behind(payment: Payment, intent: Intent, now: datetime) -> bool:
    """Whether the intent moves the payment on."""
    return apply(payment, intent, now) != payment


# ---------------------------------------------------------------- refunds


def refund_differences(
    payment: Payment, refunds: Sequence[Refund], processor_refunds: Sequence[ProcessorRefund]
) -> Iterator[Difference]:
    """The differences between all refunds of a payment on both sides."""
    currency_code = payment.request.amount.currency_code

    def difference(
        kind: Kind, message: str, refund: str, internal: int, processor: int
    ) -> Difference:
        amounts = money(internal, currency_code), money(processor, currency_code)
        return Difference(kind, message, str(payment.name), payment.intent_id, *amounts, refund)

    matched: set[str] = set()
    for refund in refunds:
        found = same_refund(refund, processor_refunds)
        matched.update(each.id for each in found)
        name, amount = str(refund.name), refunded_amount(refund)
        paid = sum(map(paid_amount, found))
        if len(found) > 1 and paid > refund.amount:
            yield difference(Kind.REFUNDS_DIFFER, "it was paid more than once", name, amount, paid)
        elif found and found[0].amount != refund.amount:
            yield difference(Kind.REFUNDS_DIFFER, "the amounts differ", name, amount, paid)
        elif refund.state is RefundState.FAILED and paid:
            message = f"the refund is FAILED, the processor says {found[0].status.value}"
            yield difference(Kind.REFUNDS_DIFFER, message, name, 0, paid)
        elif refund.state is RefundState.SUCCEEDED and not found:
            message = "the processor has no such refund"
            yield difference(Kind.REFUND_UNKNOWN_TO_PROCESSOR, message, name, amount, 0)
    for each in processor_refunds:
        if each.id not in matched and paid_amount(each):
            message = "the internal records have no such refund"
            yield difference(Kind.REFUNDED_ELSEWHERE, message, each.id, 0, each.amount)
    if payment.amount_refunded != sum(map(refunded_amount, refunds)):
        message = "the payment's refunded amount is not the sum of its refunds"
        paid = sum(map(paid_amount, processor_refunds))
        yield difference(Kind.REFUNDS_DIFFER, message, "", payment.amount_refunded, paid)


def same_refund(
    refund: Refund, processor_refunds: Sequence[ProcessorRefund]
) -> list[ProcessorRefund]:
    """The processor's records of a refund: at most one, unless something is wrong."""
    return [
        each
        for each in processor_refunds
        if refund.id == each.refund_id or each.id == refund.processor_id
    ]


def is_unfinished(refund: Refund, processor_refunds: Sequence[ProcessorRefund]) -> bool:
    """Whether a refund is PENDING and not at the processor, or the processor changed its state."""
    found = same_refund(refund, processor_refunds)
    if not found:
        return refund.state is RefundState.PENDING
    return found[0].amount == refund.amount and refund.apply(found[0]).state is not refund.state


def refunded_amount(refund: Refund) -> int:
    """What a refund adds to the payment's refunded amount: 0 for a failed one."""
    return 0 if refund.state is RefundState.FAILED else refund.amount


def paid_amount(refund: ProcessorRefund) -> int:
    """What the processor paid out, or is about to: 0 for a refund that it failed or canceled."""
    return refund.amount if refund.status in {RefundStatus.PENDING, RefundStatus.SUCCEEDED} else 0


def money(minor_units: int, currency_code: str) -> Money | None:
    """An amount in a report; None for 0."""
    return Money(minor_units, currency_code) if minor_units > 0 else None


def unreadable(payment: str, intent_id: str, refund: str = "") -> Difference:
    """A record of the processor's that this version cannot read."""
    message = "the processor's record of it cannot be read"
    return Difference(Kind.UNREADABLE, message, payment, intent_id, refund=refund)
