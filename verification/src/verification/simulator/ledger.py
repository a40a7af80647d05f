"""The oracle: the processor's own ledger. What moved, moved; no row of ours is asked.

Each movement is looked at when it is made. So "at most one charge" is tested at every instant, and
not only on what is left in the end.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from payment.domain.payment import Payment, State
from payment.domain.refund import Refund, RefundState
from payment.repository.memory import Store
from sandbox.mutable_world import MutableWorld
from sandbox.objects import Movement

if TYPE_CHECKING:
    from uuid import UUID


class Ledger:
    """What an intent holds or has taken, and a refund has given back, by the movements."""

    def __init__(self, books: MutableWorld, store: Store, broken: Callable[[str], None]) -> None:
        self._books = books
        self._store = store
        self._broken = broken
        self.seen = 0
        self.held: dict[str, int] = defaultdict(int)
        self.taken: dict[str, int] = defaultdict(int)
        self.returned: dict[str, int] = defaultdict(int)
        self._request_of: dict[str, str] = {}

    def read_on(self) -> None:
        """Take in what has moved since."""
        movements = self._books.movements
        for movement in movements[self.seen :]:
            self._take(movement)
        self.seen = len(movements)

    def _take(self, movement: Movement) -> None:
        name, amount = movement.intent, movement.amount
        match movement.kind:
            case "authorized":
                self.held[name] += amount
            case "captured":
                self.taken[name] += amount
                self.held[name] = max(0, self.held[name] - amount)
            case "released":
                self.held[name] -= amount
            case "refunded":
                self.returned[movement.refund or ""] += amount
            case "returned":
                self.returned[movement.refund or ""] -= amount
        if movement.kind in ("authorized", "captured"):
            self._request_of[name] = dict(movement.metadata).get("request_id", "")
            self._look_for_a_second(name)

    def _look_for_a_second(self, name: str) -> None:
        """A second intent with money, for the same request or the same reference."""
        row = self._row(name)
        reference = row.request.reference if row else None
        for other in {*self.held, *self.taken}:
            if other == name or not (self.held[other] or self.taken[other]):
                continue
            if self._request_of.get(other) == self._request_of[name]:
                self._broken(f"request {self._request_of[name]} is charged twice: {other}, {name}")
            theirs = self._row(other)
            if reference and theirs and theirs.request.reference == reference:
                self._broken(f"{reference} is charged twice: {other}, {name}")
        if row is None:
            self._broken(f"{name} is charged, and no payment is bound to it")

    def _row(self, intent: str) -> Payment | None:
        rows = self._store.payments.values()
        return next((row for row in rows if row.intent_id == intent), None)

    def disagreements(self) -> Iterator[str]:
        """Where the rows tell another story than the movements, at rest."""
        self.read_on()
        for payment in self._store.payments.values():
            taken, held = self.taken[payment.intent_id], self.held[payment.intent_id]
            if taken != payment.amount_captured:
                yield f"{payment.name} says {payment.amount_captured} captured, the ledger {taken}"
            if held and payment.state not in {State.AUTHORIZED} and payment.held is None:
                yield f"{payment.name} is {payment.state.value}, and {held} are still held"
        known: set[UUID] = set()
        for refund in self._store.refunds.values():
            known.add(refund.id)
            yield from self._of_refund(refund)

    def _of_refund(self, refund: Refund) -> Iterator[str]:
        words = [
            word
            for word in self._books.newest("refund", None)
            if dict(getattr(word, "metadata", ())).get("refund") == str(refund.id)
        ]
        given = sum(self.returned[word.id] for word in words)
        sent_back = refund.state is RefundState.SUCCEEDED and len(words) == 1 and given == 0
        if sent_back:
            return  # by a bank, after it had succeeded: it is looked at weekly
        expected = 0 if refund.state is RefundState.FAILED else refund.amount
        if given != expected:
            yield f"{refund.name} is {refund.state.value}, the ledger gave {given} back"
