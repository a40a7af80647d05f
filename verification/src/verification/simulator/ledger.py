"""The oracle: the processor's ledger of movements. No row of ours is asked what has moved.

Each movement is checked when it is made. So "at most one charge" is tested at every instant, and not
only on what is left in the end.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from payment.domain.payment import Payment, State
from payment.domain.refund import Refund, RefundState
from payment.repository.memory import Store
from sandbox.mutable_world import MutableWorld
from verification.world.balance import Balance


@dataclass(slots=True)
class Ledger:
    """The balance of every intent, read from the movements as they are made."""

    processor: MutableWorld
    store: Store
    violation: Callable[[str], None]
    balances: dict[str, Balance] = field(default_factory=dict)
    count: int = 0

    def read_new(self) -> None:
        """Add the movements since the last time."""
        movements = self.processor.movements
        for movement in movements[self.count :]:
            metadata = dict(movement.metadata)
            first = Balance(movement.intent, metadata.get("request_id", ""))
            balance = self.balances.setdefault(movement.intent, first)
            balance.move(movement.kind, movement.amount, metadata.get("refund", ""))
            if movement.kind in ("authorized", "captured"):
                self._check_charge(balance)
        self.count = len(movements)

    def _check_charge(self, balance: Balance) -> None:
        """No second intent has money of the same request or the same reference."""
        row = self._row(balance.intent)
        reference = row.request.reference if row else None
        for other in self.balances.values():
            if other is balance or not other.was_taken:
                continue
            twice = f"is charged twice: {other.intent}, {balance.intent}"
            if other.request_id == balance.request_id:
                self.violation(f"request {balance.request_id} {twice}")
            other_row = self._row(other.intent)
            if reference and other_row and other_row.request.reference == reference:
                self.violation(f"{reference} {twice}")
        if row is None:
            self.violation(f"{balance.intent} is charged, and no payment is bound to it")
        if balance.times > 1:
            self.violation(f"{balance.intent} is charged {balance.times} times")

    def _row(self, intent: str) -> Payment | None:
        rows = self.store.payments.values()
        return next((row for row in rows if row.intent_id == intent), None)

    def differences(self) -> Iterator[str]:
        """Where the rows differ from the movements, at quiescence."""
        self.read_new()
        for payment in self.store.payments.values():
            balance = self.balances.get(payment.intent_id, Balance(payment.intent_id, ""))
            captured, held = balance.captured, balance.held
            if captured != payment.amount_captured:
                yield f"{payment.name} has {payment.amount_captured} captured, the ledger {captured}"
            if held and payment.state is not State.AUTHORIZED and payment.held is None:
                yield f"{payment.name} is {payment.state.value}, and {held} are still held"
        for refund in self.store.refunds.values():
            yield from self._refund_difference(refund)

    def _refund_difference(self, refund: Refund) -> Iterator[str]:
        balances = self.balances.values()
        moved = [each for one in balances for each in one.refunds.get(str(refund.id), ())]
        paid_out = sum(moved)
        if refund.state is RefundState.SUCCEEDED and len(moved) == 2 and paid_out == 0:
            return  # returned by the bank after it had succeeded: it is looked at weekly
        expected = 0 if refund.state is RefundState.FAILED else refund.amount
        if paid_out != expected:
            yield f"{refund.name} is {refund.state.value}, the ledger paid out {paid_out}"
