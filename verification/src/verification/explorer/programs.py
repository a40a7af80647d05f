"""What can be asked of a replica. Each program runs one production use case, as it is."""

from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

from chassis.values import RequestId
from payment.domain.payment import Payment, PaymentRequest
from payment.domain.refund import RefundRequest
from payment.domain.values import Money, PaymentName
from verification.world.use_cases import UseCases
from verification.world.world import BEGINNING


class Caller(Protocol):
    """As the use case sees it (`ports.Caller`)."""

    def is_gone(self) -> bool:
        """Whether nobody waits any more."""
        ...

    def build_payment(self, payment: Payment) -> None:
        """The payment is recorded."""
        ...


class Program(Protocol):
    """Hashable: two of the same value behave alike, and need not be told apart."""

    def begin(self, replica: UseCases, caller: Caller) -> Coroutine[Any, Any, Any]:
        """The use case, not yet started."""
        ...


@dataclass(frozen=True, slots=True)
class Create:
    """CreatePayment. `number` tells the sendings of one request apart: their ids differ."""

    number: int
    request: PaymentRequest

    def begin(self, replica: UseCases, caller: Caller) -> Coroutine[Any, Any, Any]:
        """The use case, not yet started."""
        return replica.create(self.request, caller)

    def __str__(self) -> str:
        return f"CreatePayment {self.number}"


@dataclass(frozen=True, slots=True)
class Capture:
    """CapturePayment, of `amount` or all of it."""

    number: int
    request_id: RequestId
    amount: Money | None = None
    payment_id: UUID | None = None

    def begin(self, replica: UseCases, _caller: Caller) -> Coroutine[Any, Any, Any]:
        """The use case, not yet started."""
        assert self.payment_id is not None  # noqa: S101 - it is started on a payment
        return replica.change.capture(PaymentName(self.payment_id), self.request_id, self.amount)

    def __str__(self) -> str:
        return f"CapturePayment {self.number}"


@dataclass(frozen=True, slots=True)
class Cancel:
    """CancelPayment."""

    number: int
    request_id: RequestId
    payment_id: UUID | None = None

    def begin(self, replica: UseCases, _caller: Caller) -> Coroutine[Any, Any, Any]:
        """The use case, not yet started."""
        assert self.payment_id is not None  # noqa: S101 - it is started on a payment
        return replica.change.cancel(PaymentName(self.payment_id), self.request_id)

    def __str__(self) -> str:
        return f"CancelPayment {self.number}"


@dataclass(frozen=True, slots=True)
class Delete:
    """DeletePayment."""

    number: int
    payment_id: UUID | None = None

    def begin(self, replica: UseCases, _caller: Caller) -> Coroutine[Any, Any, Any]:
        """The use case, not yet started."""
        assert self.payment_id is not None  # noqa: S101 - it is started on a payment
        return replica.change.delete(PaymentName(self.payment_id))

    def __str__(self) -> str:
        return f"DeletePayment {self.number}"


@dataclass(frozen=True, slots=True)
class GiveBack:
    """CreateRefund."""

    number: int
    request_id: RequestId
    amount: Money | None = None
    payment_id: UUID | None = None

    def begin(self, replica: UseCases, _caller: Caller) -> Coroutine[Any, Any, Any]:
        """The use case, not yet started."""
        assert self.payment_id is not None  # noqa: S101 - it is started on a payment
        name = PaymentName(self.payment_id)
        return replica.refunds.create(RefundRequest(self.request_id, name, self.amount))

    def __str__(self) -> str:
        return f"CreateRefund {self.number}"


OnPayment = Capture | Cancel | Delete | GiveBack


@dataclass(frozen=True, slots=True)
class Step:
    """Recovery's, or a webhook's hint: a step of a payment."""

    payment_id: UUID

    def begin(self, replica: UseCases, _caller: Caller) -> Coroutine[Any, Any, Any]:
        """The use case, not yet started."""
        return replica.steps.step(self.payment_id)

    def __str__(self) -> str:
        return "recovery"


@dataclass(frozen=True, slots=True)
class StepRefund:
    """Recovery's: a step of a refund, as it was read when it was claimed. `sleeps`: whether time may
    pass before its first call.
    """

    payment_id: UUID
    refund_id: UUID
    sleeps: bool = False

    def begin(self, replica: UseCases, _caller: Caller) -> Coroutine[Any, Any, Any]:
        """The use case, not yet started."""
        return self._step(replica)

    async def _step(self, replica: UseCases) -> None:
        refund = await replica.refunds.refund_repository.get(self.payment_id, self.refund_id)
        now = BEGINNING + timedelta(seconds=replica.refunds.elapsed())
        if self.sleeps:  # until this is answered; what it says is not used
            await replica.refunds.refund_repository.get(self.payment_id, self.refund_id)
        await replica.refunds.step(refund, now)

    def __str__(self) -> str:
        return "recovery of a refund"
