"""What a replica can be asked for. Each program runs one production use case, unchanged."""

from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

from chassis.values import RequestId
from payment.domain.payment import PaymentRequest
from payment.domain.refund import RefundRequest
from payment.domain.values import Money, PaymentName
from payment.service_layer.ports import Caller
from verification.world.use_cases import UseCases
from verification.world.world import EPOCH

NO_PAYMENT = UUID(int=0)
"""The payment of a program in a scenario: the search starts it on every payment there is."""


class Program(Protocol):
    """A hashable value: equal programs behave alike."""

    def start(self, replica: UseCases, caller: Caller) -> Coroutine[Any, Any, Any]:
        """The use case, before its first call."""
        ...


@dataclass(frozen=True, slots=True)
class Create:
    """CreatePayment. `number` distinguishes the copies of one request: their payments' ids differ."""

    number: int
    request: PaymentRequest

    def start(self, replica: UseCases, caller: Caller) -> Coroutine[Any, Any, Any]:
        return replica.create(self.request, caller)

    def __str__(self) -> str:
        return f"CreatePayment {self.number}"


@dataclass(frozen=True, slots=True)
class Capture:
    """CapturePayment, of `amount` or everything."""

    number: int
    request_id: RequestId
    amount: Money | None = None
    payment_id: UUID = NO_PAYMENT

    def start(self, replica: UseCases, _caller: Caller) -> Coroutine[Any, Any, Any]:
        return replica.change.capture(PaymentName(self.payment_id), self.request_id, self.amount)

    def __str__(self) -> str:
        return f"CapturePayment {self.number}"


@dataclass(frozen=True, slots=True)
class Cancel:
    """CancelPayment."""

    number: int
    request_id: RequestId
    payment_id: UUID = NO_PAYMENT

    def start(self, replica: UseCases, _caller: Caller) -> Coroutine[Any, Any, Any]:
        return replica.change.cancel(PaymentName(self.payment_id), self.request_id)

    def __str__(self) -> str:
        return f"CancelPayment {self.number}"


@dataclass(frozen=True, slots=True)
class Delete:
    """DeletePayment."""

    number: int
    payment_id: UUID = NO_PAYMENT

    def start(self, replica: UseCases, _caller: Caller) -> Coroutine[Any, Any, Any]:
        return replica.change.delete(PaymentName(self.payment_id))

    def __str__(self) -> str:
        return f"DeletePayment {self.number}"


@dataclass(frozen=True, slots=True)
class CreateRefund:
    """CreateRefund, of `amount`."""

    number: int
    request_id: RequestId
    amount: Money
    payment_id: UUID = NO_PAYMENT

    def start(self, replica: UseCases, _caller: Caller) -> Coroutine[Any, Any, Any]:
        name = PaymentName(self.payment_id)
        return replica.refunds.create(RefundRequest(self.request_id, name, self.amount))

    def __str__(self) -> str:
        return f"CreateRefund {self.number}"


PaymentChange = Capture | Cancel | Delete | CreateRefund
"""The programs that need a payment."""


@dataclass(frozen=True, slots=True)
class StepPayment:
    """A step of a payment, by recovery or after a webhook."""

    payment_id: UUID

    def start(self, replica: UseCases, _caller: Caller) -> Coroutine[Any, Any, Any]:
        return replica.steps.step(self.payment_id)

    def __str__(self) -> str:
        return "recovery"


@dataclass(frozen=True, slots=True)
class StepRefund:
    """A step of a refund by recovery, as the refund was when it was claimed. `pauses`: time may pass
    between the claim and the first call.
    """

    payment_id: UUID
    refund_id: UUID
    pauses: bool = False

    def start(self, replica: UseCases, _caller: Caller) -> Coroutine[Any, Any, Any]:
        return self._step(replica)

    async def _step(self, replica: UseCases) -> None:
        refund = await replica.refunds.refund_repository.get(self.payment_id, self.refund_id)
        now = EPOCH + timedelta(seconds=replica.refunds.elapsed())
        if self.pauses:  # one more call, during which time may pass; its result is not used
            await replica.refunds.refund_repository.get(self.payment_id, self.refund_id)
        await replica.refunds.step(refund, now)

    def __str__(self) -> str:
        return "recovery of a refund"
