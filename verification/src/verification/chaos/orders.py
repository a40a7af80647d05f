"""What callers wanted, what they sent, and what they were told: one half of what is compared."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from oncepay.payment.v1.payment_pb2 import Payment

DEFINITE = {"INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "FAILED_PRECONDITION", "ABORTED"}
"""Errors that say: this call did nothing. Every other one means *unknown*."""
FINAL = {"SUCCEEDED", "FAILED", "CANCELED"}


@dataclass(frozen=True, slots=True)
class Told:
    """One answer. `code` is OK or gRPC's; what follows is the payment's, where there was one.

    Attributes:
        asked_at, time: when the call began and ended, seconds since 1970.
    """

    asked_at: float
    time: float
    request_id: str
    code: str
    payment: str = ""
    state: str = ""
    captured: int = 0

    @property
    def is_unknown(self) -> bool:
        return self.code != "OK" and self.code not in DEFINITE


@dataclass(eq=False)
class Order:
    """Something that is to be paid at most once.

    Attributes:
        reference: the shop's number; without one its single request_id is what names it.
        asked: how often each request_id was sent.
        told: every answer, in order.
    """

    amount: int
    currency: str = "EUR"
    method: str = "pm_card_visa"
    manual: bool = False
    reference: str = ""
    asked: dict[str, int] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)
    wishes: list[str] = field(default_factory=list)

    def tell(
        self, asked_at: float, request_id: str, code: str, payment: Payment | None = None
    ) -> Told:
        """Note an answer to a call that began at `asked_at`."""
        told = Told(asked_at, time.time(), request_id, code)
        if payment is not None:
            state = Payment.State.Name(payment.state)
            captured = payment.amount_captured.minor_units
            told = replace(told, payment=payment.name, state=state, captured=captured)
        self.told.append(told)
        return told

    @property
    def name(self) -> str:
        return self.reference or next(iter(self.asked), "?")


@dataclass
class RefundAsked:
    """A refund that was wanted, once. `names`: every name it was answered with."""

    payment: str
    amount: int
    request_id: str
    names: set[str] = field(default_factory=set)
    codes: list[str] = field(default_factory=list)


@dataclass
class OrderBook:
    """Everything that callers know."""

    orders: list[Order] = field(default_factory=list)
    refunds: list[RefundAsked] = field(default_factory=list)

    def acknowledged(self) -> Iterator[tuple[Order, Told]]:
        """Every answer that named a payment."""
        for order in self.orders:
            for told in order.told:
                if told.payment:
                    yield order, told

    def first_unknown(self) -> dict[str, float]:
        """When each request_id was first left without its end: broken, or PROCESSING."""
        found: dict[str, float] = {}
        for order in self.orders:
            for told in order.told:
                if told.is_unknown or told.state == "PROCESSING":
                    found.setdefault(told.request_id, told.time)
        return found
