"""The oracle: the processor's ledger of movements. No row of ours is asked what has moved.

Each movement is checked when it is made. So "at most one charge" is tested at every instant, and not
only on what is left in the end.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator

from payment.domain.payment import Payment, State
from payment.domain.refund import Refund, RefundState
from payment.repository.memory import Store
from sandbox.books import InternalRecords
from sandbox.objects import Movement


class Ledger:
    """Minor units by intent that are held and captured, and by the processor's refund that were paid
    out.
    """

    def __init__(
        self, books: InternalRecords, store: Store, violation: Callable[[str], None]
    ) -> None:
        self._books = books
        self._store = store
        self._violation = violation
        self._read = 0
        self._held: dict[str, int] = defaultdict(int)
        self._captured: dict[str, int] = defaultdict(int)
        self._paid_out: dict[str, int] = defaultdict(int)
        self._request_of: dict[str, str] = {}

    def read_new(self) -> None:
        """Add the movements since the last time."""
        movements = self._books.movements
        for movement in movements[self._read :]:
            self._add(movement)
        self._read = len(movements)

    def _add(self, movement: Movement) -> None:
        name, amount = movement.intent, movement.amount
        match movement.kind:
            case "authorized":
                self._held[name] += amount
            case "captured":
                self._captured[name] += amount
                self._held[name] = max(0, self._held[name] - amount)
            case "released":
                self._held[name] -= amount
            case "refunded":
                self._paid_out[movement.refund or ""] += amount
            case "returned":
                self._paid_out[movement.refund or ""] -= amount
        if movement.kind in ("authorized", "captured"):
            self._request_of[name] = dict(movement.metadata).get("request_id", "")
            self._check_charge(name)

    def _check_charge(self, name: str) -> None:
        """No second intent has money of the same request or the same reference."""
        row = self._row(name)
        reference = row.request.reference if row else None
        for other in {*self._held, *self._captured}:
            if other == name or not (self._held[other] or self._captured[other]):
                continue
            if self._request_of.get(other) == self._request_of[name]:
                request = self._request_of[name]
                self._violation(f"request {request} is charged twice: {other}, {name}")
            other_row = self._row(other)
            if reference and other_row and other_row.request.reference == reference:
                self._violation(f"{reference} is charged twice: {other}, {name}")
        if row is None:
            self._violation(f"{name} is charged, and no payment is bound to it")

    def _row(self, intent: str) -> Payment | None:
        rows = self._store.payments.values()
        return next((row for row in rows if row.intent_id == intent), None)

    def differences(self) -> Iterator[str]:
        """Where the rows differ from the movements, at quiescence."""
        self.read_new()
        for payment in self._store.payments.values():
            captured, held = self._captured[payment.intent_id], self._held[payment.intent_id]
            if captured != payment.amount_captured:
                yield f"{payment.name} has {payment.amount_captured} captured, the ledger {captured}"
            if held and payment.state is not State.AUTHORIZED and payment.held is None:
                yield f"{payment.name} is {payment.state.value}, and {held} are still held"
        for refund in self._store.refunds.values():
            yield from self._refund_difference(refund)

    def _refund_difference(self, refund: Refund) -> Iterator[str]:
        names = [
            each.id
            for each in self._books.newest("refund", None)
            if dict(getattr(each, "metadata", ())).get("refund") == str(refund.id)
        ]
        paid_out = sum(self._paid_out[name] for name in names)
        if refund.state is RefundState.SUCCEEDED and len(names) == 1 and paid_out == 0:
            return  # returned by the bank after it had succeeded: it is looked at weekly
        expected = 0 if refund.state is RefundState.FAILED else refund.amount
        if paid_out != expected:
            yield f"{refund.name} is {refund.state.value}, the ledger paid out {paid_out}"
