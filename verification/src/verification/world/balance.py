"""What money moved under one intent, by the movements of the processor's ledger."""

from collections import defaultdict
from dataclasses import dataclass, field


@dataclass
class Balance:
    """The sum of the movements under one intent, in its currency's minor unit.

    Attributes:
        request_id: who requested it, as the intent's metadata has it.
        times: how often money was taken or held anew: more than once is a card charged twice.
        refunds: what was paid out under each of our refunds' ids, one entry a movement.
    """

    intent: str
    request_id: str
    times: int = 0
    held: int = 0
    captured: int = 0
    refunds: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    @property
    def was_taken(self) -> bool:
        """Whether the card was charged, or money on it is held. A refund does not undo it."""
        return self.captured > 0 or self.held > 0

    def move(self, kind: str, amount: int, refund: str) -> None:
        """Add one movement."""
        match kind:
            case "authorized":
                self.held += amount
                self.times += 1
            case "released":
                self.held -= amount
            case "captured" if self.held:
                self.held -= amount
                self.captured += amount
            case "captured":
                self.captured += amount
                self.times += 1
            case "refunded":
                self.refunds[refund].append(amount)
            case "returned":
                self.refunds[refund].append(-amount)
