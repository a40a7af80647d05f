"""What must hold of payments and of the processor's own objects, whatever happened to either.

The oracle is the processor: an intent is money that moved, a row is what we say of it. Each broken
rule is one sentence. `always` holds at every instant, `at_rest` once nothing is under way.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from payment.domain.payment import INSERT_WITHIN, START_WITHIN, CancelReason, Payment, State
from payment.domain.refund import Refund, RefundState
from payment.processors.stripe.currencies import from_stripe
from sandbox import objects
from sandbox.objects import RefundStatus, Status

if TYPE_CHECKING:
    from uuid import UUID

    from chassis.values import Reference

CHARGED = {Status.SUCCEEDED, Status.REQUIRES_CAPTURE}
UNTRIED = {Status.REQUIRES_CONFIRMATION, Status.CANCELED}


@dataclass(frozen=True)
class InternalRecords:
    """Both sides. `returned` are the processor's refunds."""

    payments: Collection[Payment]
    refunds: Collection[Refund]
    intents: Collection[objects.Intent]
    returned: Collection[objects.Refund]

    @cached_property
    def intents_of(self) -> dict[str, list[objects.Intent]]:
        """By the payment's id in their metadata."""
        found: dict[str, list[objects.Intent]] = defaultdict(list)
        for intent in self.intents:
            found[dict(intent.metadata).get("payment", "")].append(intent)
        return found

    @cached_property
    def intent(self) -> dict[str, objects.Intent]:
        """By its id."""
        return {intent.id: intent for intent in self.intents}

    @cached_property
    def bound(self) -> dict[str, Payment]:
        """Payments by their intents' ids."""
        return {payment.intent_id: payment for payment in self.payments}


def always(books: InternalRecords) -> Iterator[str]:
    """What holds at every instant."""
    yield from one_charge(books)
    yield from one_name(books)
    yield from only_bound_intents_are_tried(books)
    for payment in books.payments:
        yield from payment_agrees(books, payment)
    yield from refunds_agree(books)


def one_charge(books: InternalRecords) -> Iterator[str]:
    """For each request_id and each reference at most one intent is charged, or holds money."""
    requests: Counter[str] = Counter()
    references: Counter[Reference] = Counter()
    for intent in books.intents:
        if intent.status not in CHARGED:
            continue
        requests[dict(intent.metadata).get("request_id", "")] += 1
        payment = books.bound.get(intent.id)
        if payment and payment.request.reference:
            references[payment.request.reference] += 1
    yield from (f"request {name} is charged {n} times" for name, n in requests.items() if n > 1)
    yield from (f"{name} is charged {n} times" for name, n in references.items() if n > 1)


def one_name(books: InternalRecords) -> Iterator[str]:
    """A request_id names one payment for ever, a reference one that lives."""
    requests = Counter(payment.request.request_id.text for payment in books.payments)
    yield from (f"request {name} names {n} payments" for name, n in requests.items() if n > 1)
    living = Counter(
        payment.request.reference.text
        for payment in books.payments
        if payment.request.reference and payment.state not in (State.FAILED, State.CANCELED)
    )
    yield from (f"{name} is {n} living payments" for name, n in living.items() if n > 1)


def only_bound_intents_are_tried(books: InternalRecords) -> Iterator[str]:
    """An intent that was ever confirmed is bound by a row, and says that row's id."""
    for intent in books.intents:
        if intent.status in UNTRIED and not intent.attempts:
            continue
        payment = books.bound.get(intent.id)
        if payment is None:
            yield f"{intent.id} was confirmed ({intent.status.value}), and no payment is bound to it"
        elif dict(intent.metadata).get("payment") != str(payment.id):
            yield f"{intent.id} is bound to another payment than it says"


def payment_agrees(books: InternalRecords, payment: Payment) -> Iterator[str]:
    """A final state is proven by the bound intent; no other intent of the payment has money."""
    intent = books.intent.get(payment.intent_id)
    charged = [one for one in books.intents_of[str(payment.id)] if one.status in CHARGED]
    if intent is None:
        yield f"{payment.name} is bound to an intent that does not exist"
        return
    if any(one.id != payment.intent_id for one in charged):
        yield f"another intent than the bound one of {payment.name} is charged"
    match payment.state:
        case State.SUCCEEDED:
            received = from_stripe(intent.amount_received, intent.currency.upper())
            if intent.status is not Status.SUCCEEDED or received != payment.amount_captured:
                yield (
                    f"{payment.name} SUCCEEDED with {payment.amount_captured}, the processor says "
                    f"{intent.status.value} with {received}"
                )
            asked = payment.amount_capturing or payment.request.amount.minor_units
            if payment.amount_captured != asked:
                yield f"{payment.name} captured {payment.amount_captured} where {asked} were asked"
        case State.FAILED | State.CANCELED:
            if intent.status is not Status.CANCELED or charged:
                yield f"{payment.name} {payment.state.value}, the intent is {intent.status.value}"
    yield from end_has_a_cause(payment, intent)
    if payment.create_time > payment.start_by - START_WITHIN + INSERT_WITHIN:
        yield f"{payment.name} was build_payment behind its fence"


def end_has_a_cause(payment: Payment, intent: objects.Intent) -> Iterator[str]:
    """FAILED is a decline; CANCELED is the caller's wish, a deadline's, or the processor's."""
    declined = payment.cancel_reason is CancelReason.DECLINE
    if payment.state is State.FAILED and not declined:
        yield f"{payment.name} FAILED without a decline"
    if payment.state is State.CANCELED:
        if declined:
            yield f"{payment.name} was declined, and says CANCELED"
        if payment.cancel_reason is None and intent.cancellation_reason != "automatic":
            yield f"{payment.name} was CANCELED, and nobody canceled it"


def refunds_agree(books: InternalRecords) -> Iterator[str]:
    """Each refund takes effect at most once; their sum stays within what was captured."""
    effects: dict[str, list[objects.Refund]] = defaultdict(list)
    known = {dict(word.metadata).get("refund") for word in books.returned}
    for word in books.returned:
        if word.status is not RefundStatus.FAILED:
            effects[dict(word.metadata).get("refund", "")].append(word)
    for refund in books.refunds:
        count = len(effects[str(refund.id)])
        if count > 1:
            yield f"{refund.name} was paid out {count} times"
        if refund.state is RefundState.FAILED and count:
            yield f"{refund.name} FAILED, and was paid out"
        if refund.state is RefundState.SUCCEEDED and str(refund.id) not in known:
            yield f"{refund.name} SUCCEEDED, and the processor does not know it"
    yield from sums_agree(books)


def sums_agree(books: InternalRecords) -> Iterator[str]:
    """The sum in the payment's row is that of its refunds, and within what was captured."""
    open_sums: Counter[UUID] = Counter()
    for refund in books.refunds:
        if refund.state is not RefundState.FAILED:
            open_sums[refund.payment_id] += refund.amount
    for payment in books.payments:
        if payment.amount_refunded != open_sums[payment.id]:
            yield f"{payment.name} says {payment.amount_refunded} of {open_sums[payment.id]} refunded"
        if payment.amount_refunded > payment.amount_captured:
            yield f"{payment.name} refunds more than it captured"
    paid_out: Counter[str] = Counter()
    for word in books.returned:
        if word.status is not RefundStatus.FAILED:
            paid_out[word.intent] += word.amount
    for name, amount in paid_out.items():
        if amount > books.intent[name].amount_received:
            yield f"{amount} of {books.intent[name].amount_received} was paid out of {name}"


A_LITTLE = timedelta(minutes=5)
WAITS_UNTIL: dict[State, Callable[[Payment], datetime | None]] = {
    State.REQUIRES_ACTION: lambda payment: payment.action_by,
    State.AUTHORIZED: lambda payment: payment.capture_before,
}
AGREED = {
    State.SUCCEEDED: Status.SUCCEEDED,
    State.FAILED: Status.CANCELED,
    State.CANCELED: Status.CANCELED,
    State.REQUIRES_ACTION: Status.REQUIRES_ACTION,
    State.AUTHORIZED: Status.REQUIRES_CAPTURE,
}


def at_rest(books: InternalRecords, now: datetime) -> Iterator[str]:
    """What holds besides, once nothing is under way and recovery has had its time: every payment
    is final, or waits for its payer or its merchant until their time is over, or for a person who
    has to release it.
    """
    for payment in books.payments:
        status = books.intent[payment.intent_id].status
        waits = WAITS_UNTIL.get(payment.state)
        until = waits(payment) if waits else None
        if payment.held is None and until is not None and until + A_LITTLE < now:
            yield f"{payment.name} still waits, {payment.state.value}, when its time is over"
        if payment.held is None and AGREED.get(payment.state) is not status:
            yield f"{payment.name} rests {payment.state.value}, its intent {status.value}"
    for refund in books.refunds:
        if refund.state is RefundState.PENDING and not waits_for_the_processor(books, refund):
            yield f"{refund.name} rests PENDING"


def waits_for_the_processor(books: InternalRecords, refund: Refund) -> bool:
    """Whether the processor has a refund, and has not decided on it."""
    return any(
        dict(word.metadata).get("refund") == str(refund.id) and word.status is RefundStatus.PENDING
        for word in books.returned
    )


def moved(before: Iterable[Payment], after: Iterable[Payment]) -> Iterator[str]:
    """What no step may do: take a payment away, give it another intent, or change a final state."""
    now = {payment.id: payment for payment in after}
    for old in before:
        new = now.get(old.id)
        if new is None:
            yield f"{old.name} is gone"
        elif new.intent_id != old.intent_id:
            yield f"{old.name} changed its intent"
        elif old.cancel_reason and new.cancel_reason is not old.cancel_reason:
            yield f"{old.name} changed why it is called off"
        elif old.state.is_final and new.state is not old.state:
            yield f"{old.name} went from {old.state.value} to {new.state.value}"
        elif old.state is State.CAPTURING and not (new.state.is_final or new.state is old.state):
            yield f"{old.name} went back from CAPTURING to {new.state.value}"
