"""The judge: the processor's ledger, our books and what callers were told, against each other.

It knows nothing of how a payment is made, and shares no code with the services: the same rules
judge the baselines. Each finding is one sentence of one kind.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from verification.chaos.facts import EventRow, Facts, PaymentRow
from verification.chaos.orders import DEFINITE, FINAL, Order, Told

DOUBLE = "double"  # one order, two charges
LOST = "lost"  # a charge that no payment stands for, or a payment that was named and is gone
PHANTOM = "phantom"  # a payment that SUCCEEDED, and no money came
AMOUNT = "amount"
REFUND = "refund"
ANSWER = "answer"  # what was said did not stay so
EVENT = "event"
RULE = "rule"  # of the shared invariants (verification.world.invariants)
KINDS = (DOUBLE, LOST, PHANTOM, AMOUNT, REFUND, ANSWER, EVENT, RULE)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that must never be."""

    kind: str
    words: str


def judge(facts: Facts) -> list[Finding]:
    """All that is wrong."""
    return [
        *(Finding(DOUBLE, words) for words in doubles(facts)),
        *(Finding(LOST, words) for words in losses(facts)),
        *(Finding(PHANTOM, words) for words in phantoms(facts)),
        *(Finding(AMOUNT, words) for words in amounts(facts)),
        *(Finding(REFUND, words) for words in refunds(facts)),
        *(Finding(ANSWER, words) for words in answers(facts)),
        *(Finding(EVENT, words) for words in events(facts)),
    ]


def doubles(facts: Facts) -> Iterator[str]:
    """An order is charged once: by the ledger, and by what callers know of their own orders."""
    order_of = {name: order for order in facts.orders.orders for name in order.asked}
    charged: dict[str, list[str]] = defaultdict(list)
    for money in facts.money.values():
        order = order_of.get(money.request_id)
        name = order.name if order else money.request_id
        if money.has_money:
            charged[name] += [money.intent] * max(money.times, 1)
    for name, intents in charged.items():
        if len(intents) > 1:
            yield f"{name} was charged {len(intents)} times: {', '.join(intents)}"


def losses(facts: Facts) -> Iterator[str]:
    """Where money is, a payment says so; and what was named to a caller is there."""
    by_intent = {row.intent: row for row in facts.payments if row.intent}
    same_request = {row.request_id: row for row in facts.payments if not row.intent}
    by_name = {row.name for row in facts.payments}
    for money in facts.money.values():
        row = by_intent.get(money.intent) or same_request.get(money.request_id)
        says = row.state if row else "nothing"
        if money.captured and says != "SUCCEEDED":
            yield f"{money.intent} took {money.captured}, and our books say {says}"
        elif money.held and says not in ("AUTHORIZED", "PROCESSING", "REQUIRES_ACTION"):
            yield f"{money.intent} holds {money.held}, and our books say {says}"
    named = {told.payment for _, told in facts.orders.acknowledged()}
    yield from (f"{name} was named to a caller, and is gone" for name in sorted(named - by_name))


def phantoms(facts: Facts) -> Iterator[str]:
    """What SUCCEEDED has its money."""
    for row in facts.payments:
        money = facts.money.get(row.intent)
        if row.state == "SUCCEEDED" and (money is None or not money.captured):
            yield f"{row.name} SUCCEEDED, and no money came"


def amounts(facts: Facts) -> Iterator[str]:
    """What was taken is what was asked, and what our books say."""
    order_of = {name: order for order in facts.orders.orders for name in order.asked}
    for row in facts.payments:
        money = facts.money.get(row.intent)
        if money is None or not money.captured:
            continue
        if row.state == "SUCCEEDED" and money.captured != row.captured:
            yield f"{row.name} says {row.captured}, the processor took {money.captured}"
        order = order_of.get(row.request_id)
        if order and money.captured not in _asked(order):
            yield f"{row.name} took {money.captured} where {order.amount} was asked"


def _asked(order: Order) -> set[int]:
    parts = {int(wish.split()[1]) for wish in order.wishes if wish.startswith("capture")}
    return parts if order.manual else {order.amount}


def refunds(facts: Facts) -> Iterator[str]:
    """Each refund is paid out once at most, and all together are within what was captured."""
    paid = {name: parts for money in facts.money.values() for name, parts in money.refunds.items()}
    sums: Counter[str] = Counter()
    for refund in facts.refunds:
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
    known = {refund.id for refund in facts.refunds}
    yield from (
        f"{sum(paid[name])} went back, and no refund stands for it" for name in paid.keys() - known
    )
    for row in facts.payments:
        if row.refunded != sums[row.name] or row.refunded > row.captured:
            yield f"{row.name} says {row.refunded} of {sums[row.name]} refunded, {row.captured} captured"
        money = facts.money.get(row.intent)
        back = sum(part for parts in money.refunds.values() for part in parts) if money else 0
        if money and back > money.captured:
            yield f"{row.name} took {money.captured}, and {back} went back"


def answers(facts: Facts) -> Iterator[str]:
    """One request, one payment, and a final answer stays; an error that says "nothing was done" is
    true of the one call that it answered.
    """
    rows = {row.name: row for row in facts.payments}
    same_request = {row.request_id: row for row in facts.payments}
    for order in facts.orders.orders:
        for request_id, times in order.asked.items():
            told = [one for one in order.told if one.request_id == request_id]
            names = {one.payment for one in told if one.payment}
            if len(names) > 1:
                yield f"request {request_id} was answered with {', '.join(sorted(names))}"
            refused = times == 1 and any(one.code in DEFINITE for one in told)
            if refused and request_id in same_request:
                yield f"request {request_id} was refused, and {same_request[request_id].name} is there"
        yield from _stays(order, rows)


def _stays(order: Order, rows: dict[str, PaymentRow]) -> Iterator[str]:
    final: dict[str, Told] = {}
    for told in sorted((one for one in order.told if one.payment), key=lambda one: one.time):
        first = final.get(told.payment)
        if first and told.asked_at > first.time and told.state != first.state:
            yield f"{told.payment} was {first.state}, and later {told.state}"
        if told.state in FINAL:
            final.setdefault(told.payment, told)
    for name, told in final.items():
        if name in rows and rows[name].state != told.state:
            yield f"{name} was told {told.state}, and is {rows[name].state}"
    lost = {one.request_id for one in order.told if one.code == "NOT_FOUND"}
    yield from (f"{name} was not found" for name in lost if name.startswith("payments/"))


def events(facts: Facts) -> Iterator[str]:
    """Numbered without gaps, the last one telling the state; and a reader that went on from its
    cursor over every crash was sent each of them once, a payment's in their order.
    """
    chains: dict[str, list[EventRow]] = defaultdict(list)
    for event in facts.events:
        chains[event.payment].append(event)
    for row in facts.payments if facts.events else []:
        chain = sorted(chains[row.name], key=lambda event: event.sequence)
        if [event.sequence for event in chain] != list(range(1, row.version + 1)):
            yield f"{row.name} has version {row.version} and events {[e.sequence for e in chain]}"
        elif chain[-1].state != row.state:
            yield f"{row.name} is {row.state}, its last event says {chain[-1].state}"
    if facts.seen is not None:
        yield from _seen_once(facts.events, facts.seen)


def _seen_once(written: list[EventRow], seen: list[EventRow]) -> Iterator[str]:
    times, last = Counter(seen), Counter[str]()
    yield from (f"{event} was sent {n} times" for event, n in times.items() if n > 1)
    yield from (f"{event} was never sent" for event in set(written) - times.keys())
    yield from (f"{event} was sent, and is not there" for event in times.keys() - set(written))
    for event in seen:
        if event.sequence <= last[event.payment]:
            yield f"{event} came after the event {last[event.payment]} of its payment"
        last[event.payment] = event.sequence
