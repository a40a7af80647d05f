"""What clients asked for and what they were answered: one half of what the oracle compares."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from oncepay.payment.v1.payment_pb2 import Payment

DEFINITE = {"INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "FAILED_PRECONDITION", "ABORTED"}
"""Errors that say: this call did nothing. After every other one the outcome is *unknown*."""
FINAL = {"SUCCEEDED", "FAILED", "CANCELED"}


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: `code` is OK or gRPC's; what follows is the payment's, where there was one.

    Attributes:
        sent_at, received_at: when the call began and ended, seconds since 1970.
    """

    sent_at: float
    received_at: float
    request_id: str
    code: str
    payment: str = ""
    state: str = ""

    @property
    def is_unknown(self) -> bool:
        return self.code != "OK" and self.code not in DEFINITE


@dataclass(eq=False)
class Order:
    """A merchant's order, which is to be paid at most once.

    Attributes:
        reference: the merchant's number; without one its single request_id is what names it.
        attempts: how often each request_id was sent.
        answers: every answer, in order.
        captures: the amounts that CapturePayment was asked for.
    """

    amount: int
    currency: str = "EUR"
    method: str = "pm_card_visa"
    manual: bool = False
    reference: str = ""
    attempts: dict[str, int] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    captures: list[int] = field(default_factory=list)

    def record(
        self, sent_at: float, request_id: str, code: str, payment: Payment | None = None
    ) -> Answer:
        """Record the answer to a call that began at `sent_at`."""
        answer = Answer(sent_at, time.time(), request_id, code)
        if payment is not None:
            state = Payment.State.Name(payment.state)
            answer = replace(answer, payment=payment.name, state=state)
        self.answers.append(answer)
        return answer

    @property
    def name(self) -> str:
        return self.reference or next(iter(self.attempts), "?")


@dataclass(eq=False)
class RefundAttempt:
    """A refund that was asked for once. `name`: what it was answered with; `codes`: of every answer."""

    name: str = ""
    codes: list[str] = field(default_factory=list)


@dataclass
class RequestLog:
    """Everything that the clients know."""

    orders: list[Order] = field(default_factory=list)
    refunds: list[RefundAttempt] = field(default_factory=list)

    def acknowledged(self) -> Iterator[tuple[Order, Answer]]:
        """Every answer that named a payment."""
        for order in self.orders:
            for answer in order.answers:
                if answer.payment:
                    yield order, answer

    def first_unknown(self) -> dict[str, float]:
        """When each request_id was first left without its outcome: broken, or PROCESSING."""
        found: dict[str, float] = {}
        for order in self.orders:
            for answer in order.answers:
                if answer.is_unknown or answer.state == "PROCESSING":
                    found.setdefault(answer.request_id, answer.received_at)
        return found
