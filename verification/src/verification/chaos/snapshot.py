"""Our side after a run: what the database of the design under test holds, as plain values."""

from dataclasses import dataclass, field
from typing import Any

from verification.chaos.requests import RequestLog
from verification.world.balance import Balance

PUBLIC_STATES = {"CONFIRMING": "PROCESSING", "CAPTURING": "PROCESSING", "CANCELING": "PROCESSING"}
"""How the contract shows the states that are internal."""


@dataclass(frozen=True, slots=True)
class PaymentRow:
    """A payment as the database has it. Baselines leave empty what they do not know."""

    name: str
    request_id: str
    intent: str
    state: str
    captured: int = 0
    refunded: int = 0
    version: int = 0

    @classmethod
    def of(cls, row: Any) -> "PaymentRow":
        """A row of Oncepay's."""
        return cls(
            name=f"payments/{row['id']}",
            request_id=str(row["request_id"]),
            intent=row["intent_id"],
            state=public_state(row["state"]),
            captured=row["amount_captured"],
            refunded=row["amount_refunded"],
            version=row["version"],
        )

    @classmethod
    def of_baseline(cls, row: Any) -> "PaymentRow":
        """A row of a baseline's."""
        return cls(
            name=f"payments/{row['id']}",
            request_id=str(row["request_id"]),
            intent=row["intent_id"] or "",
            state=row["state"],
            captured=row["amount"] if row["state"] == "SUCCEEDED" else 0,
        )


@dataclass(frozen=True, slots=True)
class RefundRow:
    """A refund as the database has it."""

    id: str
    payment: str
    amount: int
    state: str

    @classmethod
    def of(cls, row: Any) -> "RefundRow":
        return cls(str(row["id"]), f"payments/{row['payment_id']}", row["amount"], row["state"])


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event, as the database has it, or as a reader of the stream received it."""

    payment: str
    sequence: int
    type: str
    state: str

    @classmethod
    def of(cls, row: Any) -> "EventRow":
        state = public_state(row["state"])
        return cls(f"payments/{row['payment_id']}", row["sequence"], row["type"], state)


def public_state(state: str) -> str:
    """A state as the contract shows it."""
    return PUBLIC_STATES.get(state, state)


@dataclass
class FinalSnapshot:
    """All sides as they are after a run.

    Attributes:
        money: what moved, by intent, as the processor's ledger has it.
        received: what one reader of the stream received, in its order, over all crashes.
    """

    log: RequestLog
    money: dict[str, Balance]
    payments: list[PaymentRow]
    refunds: list[RefundRow] = field(default_factory=list)
    events: list[EventRow] = field(default_factory=list)
    received: list[EventRow] | None = None
