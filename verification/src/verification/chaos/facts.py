"""Our side: what the books of the design under test say, as plain values."""

from dataclasses import dataclass, field
from typing import Any

from verification.chaos.ledger import Money
from verification.chaos.orders import OrderBook

SHOWN = {"CONFIRMING": "PROCESSING", "CAPTURING": "PROCESSING", "CANCELING": "PROCESSING"}
"""How the contract shows the states that are nobody's business."""


@dataclass(frozen=True, slots=True)
class PaymentRow:
    """A payment as the database has it. Baselines leave empty what they do not know."""

    name: str
    request_id: str
    reference: str
    intent: str
    state: str
    amount: int
    captured: int = 0
    refunded: int = 0
    version: int = 0

    @classmethod
    def of(cls, row: dict[str, Any]) -> "PaymentRow":
        """One of Oncepay's."""
        return cls(
            name=f"payments/{row['id']}",
            request_id=str(row["request_id"]),
            reference=row["reference"] or "",
            intent=row["intent_id"],
            state=cls.shown(row["state"]),
            amount=row["amount"],
            captured=row["amount_captured"],
            refunded=row["amount_refunded"],
            version=row["version"],
        )

    @staticmethod
    def shown(state: str) -> str:
        """A state as the contract shows it."""
        return SHOWN.get(state, state)


@dataclass(frozen=True, slots=True)
class RefundRow:
    """A refund as the database has it."""

    id: str
    payment: str
    amount: int
    state: str


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event, as the database has it, or as a reader of the stream saw it."""

    payment: str
    sequence: int
    type: str
    state: str


@dataclass
class Facts:
    """Everything that is compared at the end.

    Attributes:
        seen: what one reader of the stream was sent, in the order it came, over all crashes.
    """

    orders: OrderBook
    money: dict[str, Money]
    payments: list[PaymentRow]
    refunds: list[RefundRow] = field(default_factory=list)
    events: list[EventRow] = field(default_factory=list)
    seen: list[EventRow] | None = None
