"""The oracle: the processor's ledger, our database and the clients' answers, compared with each other.

It knows nothing of how a payment is made, and shares no code with the services: the same rules
hold for the baselines. Each finding is one sentence of one kind.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from verification.chaos.requests import DEFINITE, FINAL, Answer, Order
from verification.chaos.snapshot import EventRow, FinalSnapshot, PaymentRow

DOUBLE = "double"  # one order, two charges
LOST = "lost"  # a charge without a payment, or a payment that was named and is gone
UNPAID = "unpaid"  # a payment that SUCCEEDED, and no money came
AMOUNT = "amount"
REFUND = "refund"
ANSWER = "answer"  # what a client was answered did not stay true
EVENT = "event"
INVARIANT = "invariant"  # of the explorer and the simulator (verification.world.invariants)
KINDS = (DOUBLE, LOST, UNPAID, AMOUNT, REFUND, ANSWER, EVENT, INVARIANT)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that must never be."""

    kind: str
    message: str


def findings(snapshot: FinalSnapshot) -> list[Finding]:
    """All that is wrong."""
    checks = {
        DOUBLE: double_charges,
        LOST: lost_payments,
        UNPAID: unpaid_successes,
        AMOUNT: wrong_amounts,
        REFUND: wrong_refunds,
        ANSWER: wrong_answers,
        EVENT: wrong_events,
    }
    return [Finding(kind, message) for kind, check in checks.items() for message in check(snapshot)]


def double_charges(snapshot: FinalSnapshot) -> Iterator[str]:
    """An order is charged once: by the ledger, and by what clients know of their own orders."""
    order_of = _orders_by_request(snapshot)
    charged: dict[str, list[str]] = defaultdict(list)
    for money in snapshot.money.values():
        order = order_of.get(money.request_id)
        name = order.name if order else money.request_id
        if money.was_taken:
            charged[name] += [money.intent] * max(money.times, 1)
    for name, intents in charged.items():
        if len(intents) > 1:
            yield f"{name} was charged {len(intents)} times: {', '.join(intents)}"


def _orders_by_request(snapshot: FinalSnapshot) -> dict[str, Order]:
    return {name: order for order in snapshot.log.orders for name in order.attempts}


def lost_payments(snapshot: FinalSnapshot) -> Iterator[str]:
    """Where money is, a payment says so; and what was named to a client is there."""
    by_intent = {row.intent: row for row in snapshot.payments if row.intent}
    payment_by_request = {row.request_id: row for row in snapshot.payments if not row.intent}
    by_name = {row.name for row in snapshot.payments}
    for money in snapshot.money.values():
        row = by_intent.get(money.intent) or payment_by_request.get(money.request_id)
        state = row.state if row else "nothing"
        if money.captured and state != "SUCCEEDED":
            yield f"{money.intent} took {money.captured}, and our database says {state}"
        elif money.held and state not in ("AUTHORIZED", "PROCESSING", "REQUIRES_ACTION"):
            yield f"{money.intent} holds {money.held}, and our database says {state}"
    named = {answer.payment for _, answer in snapshot.log.acknowledged()}
    yield from (f"{name} was named to a client, and is gone" for name in sorted(named - by_name))


def unpaid_successes(snapshot: FinalSnapshot) -> Iterator[str]:
    """What SUCCEEDED has its money."""
    for row in snapshot.payments:
        money = snapshot.money.get(row.intent)
        if row.state == "SUCCEEDED" and (money is None or not money.captured):
            yield f"{row.name} SUCCEEDED, and no money came"


def wrong_amounts(snapshot: FinalSnapshot) -> Iterator[str]:
    """What was taken is what was asked for, and what our database says."""
    order_of = _orders_by_request(snapshot)
    for row in snapshot.payments:
        money = snapshot.money.get(row.intent)
        if money is None or not money.captured:
            continue
        if row.state == "SUCCEEDED" and money.captured != row.captured:
            yield f"{row.name} says {row.captured}, the processor took {money.captured}"
        order = order_of.get(row.request_id)
        allowed = (order.captures if order.manual else [order.amount]) if order else None
        if order and allowed is not None and money.captured not in allowed:
            yield f"{row.name} took {money.captured} where {order.amount} was asked"


def wrong_refunds(snapshot: FinalSnapshot) -> Iterator[str]:
    """Each refund is paid out once at most, all together are within what was captured, and what was
    named to a client is there.
    """
    paid = {
        name: parts for money in snapshot.money.values() for name, parts in money.refunds.items()
    }
    sums: Counter[str] = Counter()
    for refund in snapshot.refunds:
        parts = paid.get(refund.id, [])
        out = sum(parts)
        if len([part for part in parts if part > 0]) > 1:
            yield f"refund {refund.id} was paid out {parts}"
        if refund.state == "FAILED" and out:
            yield f"refund {refund.id} FAILED, and {out} was paid out"
        if refund.state == "SUCCEEDED" and out != refund.amount:
            yield f"refund {refund.id} of {refund.amount} SUCCEEDED, and {out} was paid out"
        if refund.state != "FAILED":
            sums[refund.payment] += refund.amount
    named = {attempt.name for attempt in snapshot.log.refunds if attempt.name}
    there = {f"{refund.payment}/refunds/{refund.id}" for refund in snapshot.refunds}
    yield from (f"{name} was named to a client, and is gone" for name in sorted(named - there))
    known = {refund.id for refund in snapshot.refunds}
    yield from (f"{sum(paid[name])} went back without a refund" for name in paid.keys() - known)
    for row in snapshot.payments:
        if row.refunded != sums[row.name] or row.refunded > row.captured:
            yield f"{row.name} says {row.refunded} of {sums[row.name]} refunded, {row.captured} captured"
        money = snapshot.money.get(row.intent)
        back = sum(part for parts in money.refunds.values() for part in parts) if money else 0
        if money and back > money.captured:
            yield f"{row.name} took {money.captured}, and {back} went back"


def wrong_answers(snapshot: FinalSnapshot) -> Iterator[str]:
    """One request, one payment, and a final answer stays true; an error that says "nothing was done"
    is true of the one call that it answered.
    """
    rows = {row.name: row for row in snapshot.payments}
    payment_by_request = {row.request_id: row for row in snapshot.payments}
    for order in snapshot.log.orders:
        for request_id, attempts in order.attempts.items():
            answers = [answer for answer in order.answers if answer.request_id == request_id]
            names = {answer.payment for answer in answers if answer.payment}
            if len(names) > 1:
                yield f"request {request_id} was answered with {', '.join(sorted(names))}"
            was_refused = attempts == 1 and any(answer.code in DEFINITE for answer in answers)
            if was_refused and request_id in payment_by_request:
                yield f"request {request_id} was refused, and {payment_by_request[request_id].name} is there"
        yield from _changed_answers(order, rows)


def _changed_answers(order: Order, rows: dict[str, PaymentRow]) -> Iterator[str]:
    final: dict[str, Answer] = {}
    named = [answer for answer in order.answers if answer.payment]
    for answer in sorted(named, key=lambda answer: answer.received_at):
        first = final.get(answer.payment)
        if first and answer.sent_at > first.received_at and answer.state != first.state:
            yield f"{answer.payment} was {first.state}, and later {answer.state}"
        if answer.state in FINAL:
            final.setdefault(answer.payment, answer)
    for name, answer in final.items():
        if name in rows and rows[name].state != answer.state:
            yield f"{name} was answered {answer.state}, and is {rows[name].state}"
    missing = {answer.request_id for answer in order.answers if answer.code == "NOT_FOUND"}
    yield from (f"{name} was not found" for name in missing if name.startswith("payments/"))


def wrong_events(snapshot: FinalSnapshot) -> Iterator[str]:
    """Numbered without gaps, the last one with the payment's state; and a reader that resumed from its
    cursor after every crash received each of them once, a payment's in their order.
    """
    chains: dict[str, list[EventRow]] = defaultdict(list)
    for event in snapshot.events:
        chains[event.payment].append(event)
    for row in snapshot.payments if snapshot.events else []:
        chain = sorted(chains[row.name], key=lambda event: event.sequence)
        if [event.sequence for event in chain] != list(range(1, row.version + 1)):
            yield f"{row.name} has version {row.version} and events {[e.sequence for e in chain]}"
        elif chain[-1].state != row.state:
            yield f"{row.name} is {row.state}, its last event says {chain[-1].state}"
    if snapshot.received is not None:
        yield from _wrong_deliveries(snapshot.events, snapshot.received)


def _wrong_deliveries(written: list[EventRow], received: list[EventRow]) -> Iterator[str]:
    times, last = Counter(received), Counter[str]()
    yield from (f"{event} was sent {n} times" for event, n in times.items() if n > 1)
    yield from (f"{event} was never sent" for event in set(written) - times.keys())
    yield from (f"{event} was sent, and is not there" for event in times.keys() - set(written))
    for event in received:
        if event.sequence <= last[event.payment]:
            yield f"{event} came after the event {last[event.payment]} of its payment"
        last[event.payment] = event.sequence
