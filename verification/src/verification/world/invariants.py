"""Invariants of payments, refunds and the processor's own objects.

The oracle is the processor: an intent is money that moved, a row is what we report of it. Each violation
is one sentence. `safety` must hold at every instant, `quiescence` once nothing is in progress and
recovery has had its time, `transition` between two versions of a row.
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
UNCONFIRMED = {Status.REQUIRES_CONFIRMATION, Status.CANCELED}
NOT_AS_REQUESTED, WITHOUT_CAUSE = "not the requested", "without a cause"
"""Words of the two violations that a merchant at the processor's dashboard can cause."""
ORPHAN_AGE_SECONDS = 24 * 3600
"""The age at which reconciliation cancels an intent without a payment."""


@dataclass(frozen=True)
class Records:
    """The records of both sides at one instant: our rows, and the processor's objects."""

    payments: Collection[Payment]
    refunds: Collection[Refund]
    intents: Collection[objects.Intent]
    processor_refunds: Collection[objects.Refund]

    @cached_property
    def intents_of(self) -> dict[str, list[objects.Intent]]:
        """Intents by the payment's id in their metadata."""
        found: dict[str, list[objects.Intent]] = defaultdict(list)
        for intent in self.intents:
            found[dict(intent.metadata).get("payment", "")].append(intent)
        return found

    @cached_property
    def intent_by_id(self) -> dict[str, objects.Intent]:
        return {intent.id: intent for intent in self.intents}

    @cached_property
    def payment_by_intent(self) -> dict[str, Payment]:
        """Payments by the id of the intent that they are bound to."""
        return {payment.intent_id: payment for payment in self.payments}

    def orphans(self, unix_now: int) -> list[objects.Intent]:
        """Intents that reconciliation cancels: never confirmed, bound to nothing, a day old."""
        return [
            intent
            for intent in self.intents
            if intent.status is Status.REQUIRES_CONFIRMATION
            and unix_now - intent.created >= ORPHAN_AGE_SECONDS
            and intent.id not in self.payment_by_intent
        ]


# ---------------------------------------------------------------- safety


def safety(records: Records) -> Iterator[str]:
    """Violations of what must hold at every instant."""
    yield from at_most_one_charge(records)
    yield from unique_keys(records)
    yield from only_bound_intents_confirmed(records)
    for payment in records.payments:
        yield from payment_matches_intent(records, payment)
    yield from refunds_paid_once(records)
    yield from refund_sums_match(records)


def at_most_one_charge(records: Records) -> Iterator[str]:
    """For each request_id and each reference at most one intent is charged, or holds money."""
    requests: Counter[str] = Counter()
    references: Counter[Reference] = Counter()
    for intent in records.intents:
        if intent.status not in CHARGED:
            continue
        requests[dict(intent.metadata).get("request_id", "")] += 1
        payment = records.payment_by_intent.get(intent.id)
        if payment and payment.request.reference:
            references[payment.request.reference] += 1
    yield from (f"request {name} is charged {n} times" for name, n in requests.items() if n > 1)
    yield from (f"{name} is charged {n} times" for name, n in references.items() if n > 1)


def unique_keys(records: Records) -> Iterator[str]:
    """A request_id names one payment for ever, a reference one living payment."""
    requests = Counter(payment.request.request_id.text for payment in records.payments)
    yield from (f"request {name} names {n} payments" for name, n in requests.items() if n > 1)
    living = Counter(
        payment.request.reference.text
        for payment in records.payments
        if payment.request.reference and payment.state not in (State.FAILED, State.CANCELED)
    )
    yield from (f"{name} names {n} living payments" for name, n in living.items() if n > 1)


def only_bound_intents_confirmed(records: Records) -> Iterator[str]:
    """An intent that was ever confirmed is bound to a row, and carries that row's id."""
    for intent in records.intents:
        if intent.status in UNCONFIRMED and not intent.attempts:
            continue
        payment = records.payment_by_intent.get(intent.id)
        if payment is None:
            yield f"{intent.id} was confirmed ({intent.status.value}), and no payment is bound to it"
        elif dict(intent.metadata).get("payment") != str(payment.id):
            yield f"{intent.id} is bound to another payment than its metadata names"


def payment_matches_intent(records: Records, payment: Payment) -> Iterator[str]:
    """A final state is proven by the bound intent; no other intent of the payment has money."""
    intent = records.intent_by_id.get(payment.intent_id)
    charged = [each for each in records.intents_of[str(payment.id)] if each.status in CHARGED]
    if intent is None:
        yield f"{payment.name} is bound to an intent that does not exist"
        return
    if any(each.id != payment.intent_id for each in charged):
        yield f"another intent than the bound one of {payment.name} is charged"
    match payment.state:
        case State.SUCCEEDED:
            received = from_stripe(intent.amount_received, intent.currency.upper())
            if intent.status is not Status.SUCCEEDED or received != payment.amount_captured:
                yield (
                    f"{payment.name} SUCCEEDED with {payment.amount_captured}, the processor has "
                    f"{intent.status.value} with {received}"
                )
            requested = payment.amount_capturing or payment.request.amount.minor_units
            if payment.amount_captured != requested:
                captured = payment.amount_captured
                yield f"{payment.name} captured {captured}, {NOT_AS_REQUESTED} {requested}"
        case State.FAILED | State.CANCELED:
            if intent.status is not Status.CANCELED or charged:
                yield f"{payment.name} {payment.state.value}, the intent is {intent.status.value}"
    yield from end_has_cause(payment, intent)
    if payment.create_time > payment.start_by - START_WITHIN + INSERT_WITHIN:
        yield f"{payment.name} was inserted after its deadline"


def end_has_cause(payment: Payment, intent: objects.Intent) -> Iterator[str]:
    """FAILED has a decline as its cause; CANCELED the caller, a deadline or the processor."""
    declined = payment.cancel_reason is CancelReason.DECLINE
    if payment.state is State.FAILED and not declined:
        yield f"{payment.name} FAILED without a decline"
    if payment.state is State.CANCELED:
        if declined:
            yield f"{payment.name} was declined, and is CANCELED"
        if payment.cancel_reason is None and intent.cancellation_reason != "automatic":
            yield f"{payment.name} is CANCELED {WITHOUT_CAUSE}"


def refunds_paid_once(records: Records) -> Iterator[str]:
    """Each refund takes effect at most once."""
    effects: Counter[str] = Counter()
    known = {dict(each.metadata).get("refund", "") for each in records.processor_refunds}
    for each in records.processor_refunds:
        if each.status is not RefundStatus.FAILED:
            effects[dict(each.metadata).get("refund", "")] += 1
    for refund in records.refunds:
        count = effects[str(refund.id)]
        if count > 1:
            yield f"{refund.name} was paid out {count} times"
        if refund.state is RefundState.FAILED and count:
            yield f"{refund.name} FAILED, and was paid out"
        if refund.state is RefundState.SUCCEEDED and str(refund.id) not in known:
            yield f"{refund.name} SUCCEEDED, and the processor does not know it"


def refund_sums_match(records: Records) -> Iterator[str]:
    """The sum in the payment's row is that of its refunds, and within what was captured."""
    open_sums: Counter[UUID] = Counter()
    for refund in records.refunds:
        if refund.state is not RefundState.FAILED:
            open_sums[refund.payment_id] += refund.amount
    for payment in records.payments:
        if payment.amount_refunded != open_sums[payment.id]:
            yield f"{payment.name} has {payment.amount_refunded} refunded, its refunds are {open_sums[payment.id]}"
        if payment.amount_refunded > payment.amount_captured:
            yield f"{payment.name} refunds more than it captured"
    paid_out: Counter[str] = Counter()
    for each in records.processor_refunds:
        if each.status is not RefundStatus.FAILED:
            paid_out[each.intent] += each.amount
    for name, amount in paid_out.items():
        received = records.intent_by_id[name].amount_received
        if amount > received:
            yield f"{amount} of {received} was paid out of {name}"


# ---------------------------------------------------------------- quiescence

RECOVERY_SLACK = timedelta(minutes=5)
"""How long after its deadline a waiting payment may still wait."""
DEADLINES: dict[State, Callable[[Payment], datetime | None]] = {
    State.REQUIRES_ACTION: lambda payment: payment.action_by,
    State.AUTHORIZED: lambda payment: payment.capture_before,
}
SETTLED_STATUS = {
    State.SUCCEEDED: Status.SUCCEEDED,
    State.FAILED: Status.CANCELED,
    State.CANCELED: Status.CANCELED,
    State.REQUIRES_ACTION: Status.REQUIRES_ACTION,
    State.AUTHORIZED: Status.REQUIRES_CAPTURE,
}
"""The states in which a payment may stay, and the status of its intent."""


def quiescence(records: Records, now: datetime) -> Iterator[str]:
    """Violations of what must hold once nothing is in progress: every payment is final, or waits for
    its payer or merchant within its deadline, or is held for manual review.
    """
    for payment in records.payments:
        if payment.held is not None:
            continue
        status = records.intent_by_id[payment.intent_id].status
        deadline_of = DEADLINES.get(payment.state)
        deadline = deadline_of(payment) if deadline_of else None
        if deadline is not None and deadline + RECOVERY_SLACK < now:
            yield f"{payment.name} is still {payment.state.value} after its deadline"
        if SETTLED_STATUS.get(payment.state) is not status:
            yield f"{payment.name} stays {payment.state.value}, its intent {status.value}"
    for refund in records.refunds:
        if refund.state is RefundState.PENDING and not is_pending_at_processor(records, refund):
            yield f"{refund.name} stays PENDING"


def is_pending_at_processor(records: Records, refund: Refund) -> bool:
    """Whether the processor has a refund, and has not decided on it."""
    return any(
        dict(each.metadata).get("refund") == str(refund.id) and each.status is RefundStatus.PENDING
        for each in records.processor_refunds
    )


# ---------------------------------------------------------------- transitions


def transition(before: Iterable[Payment], after: Iterable[Payment]) -> Iterator[str]:
    """What no step may do: remove a payment, change its intent, or change a final state."""
    rows = {payment.id: payment for payment in after}
    for old in before:
        new = rows.get(old.id)
        if new is None:
            yield f"{old.name} is gone"
        elif new.intent_id != old.intent_id:
            yield f"{old.name} changed its intent"
        elif old.cancel_reason and new.cancel_reason is not old.cancel_reason:
            yield f"{old.name} changed its cancel reason"
        elif old.state.is_final and new.state is not old.state:
            yield f"{old.name} went from {old.state.value} to {new.state.value}"
        elif old.state is State.CAPTURING and not (new.state.is_final or new.state is old.state):
            yield f"{old.name} went back from CAPTURING to {new.state.value}"
