"""What a replica can be asked for. Each program runs one production use case, unchanged."""

from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

from chassis.aip.resources import Snapshot
from chassis.values import RequestId
from payment.domain.payment import PaymentRequest
from payment.domain.refund import RefundRequest
from payment.domain.values import Money, PaymentName
from payment.service_layer.ports import Caller, Due
from verification.world.use_cases import Replica
from verification.world.world import EPOCH

NO_PAYMENT = UUID(int=0)
"""The payment of a program in a scenario: the search starts it on every payment there is."""


class Program(Protocol):
    """A hashable value: equal programs behave alike."""

    def start(self, replica: Replica, caller: Caller) -> Coroutine[Any, Any, Any]:
        """The use case, before its first call."""
        ...


@dataclass(frozen=True, slots=True)
class Create:
    """CreatePayment. `number` distinguishes the copies of one request: their payments' ids differ."""

    number: int
    request: PaymentRequest

    def start(self, replica: Replica, caller: Caller) -> Coroutine[Any, Any, Any]:
        return replica.create_payment(self.request, caller)

    def __str__(self) -> str:
        return f"CreatePayment {self.number}"


@dataclass(frozen=True, slots=True)
class Capture:
    """CapturePayment, of `amount` or everything."""

    number: int
    request_id: RequestId
    amount: Money | None = None
    payment_id: UUID = NO_PAYMENT

    def start(self, replica: Replica, _caller: Caller) -> Coroutine[Any, Any, Any]:
        return replica.change_payment.capture(
            PaymentName(self.payment_id), self.request_id, self.amount
        )

    def __str__(self) -> str:
        return f"CapturePayment {self.number}"


@dataclass(frozen=True, slots=True)
class Cancel:
    """CancelPayment."""

    number: int
    request_id: RequestId
    payment_id: UUID = NO_PAYMENT

    def start(self, replica: Replica, _caller: Caller) -> Coroutine[Any, Any, Any]:
        return replica.change_payment.cancel(PaymentName(self.payment_id), self.request_id)

    def __str__(self) -> str:
        return f"CancelPayment {self.number}"


@dataclass(frozen=True, slots=True)
class Delete:
    """DeletePayment."""

    number: int
    payment_id: UUID = NO_PAYMENT

    def start(self, replica: Replica, _caller: Caller) -> Coroutine[Any, Any, Any]:
        return replica.change_payment.delete(PaymentName(self.payment_id))

    def __str__(self) -> str:
        return f"DeletePayment {self.number}"


@dataclass(frozen=True, slots=True)
class CreateRefund:
    """CreateRefund, of `amount`."""

    number: int
    request_id: RequestId
    amount: Money
    payment_id: UUID = NO_PAYMENT

    def start(self, replica: Replica, _caller: Caller) -> Coroutine[Any, Any, Any]:
        name = PaymentName(self.payment_id)
        return replica.create_refund(RefundRequest(self.request_id, name, self.amount))

    def __str__(self) -> str:
        return f"CreateRefund {self.number}"


PaymentChange = Capture | Cancel | Delete | CreateRefund
"""The programs that need a payment."""


@dataclass(frozen=True, slots=True)
class StepPayment:
    """Recovery's attempt at a payment. The first call is the claim: it reads the payment."""

    payment_id: UUID

    def start(self, replica: Replica, _caller: Caller) -> Coroutine[Any, Any, Any]:
        return self._attempt(replica)

    async def _attempt(self, replica: Replica) -> None:
        claimed = await replica.payment_driver.repository.get(self.payment_id)
        await replica.payment_driver.take_up(Due(claimed, attempt=1))

    def __str__(self) -> str:
        return "recovery"


@dataclass(frozen=True, slots=True)
class StepRefund:
    """Recovery's attempt at a refund. The first call is the claim: it reads the refund. `pauses`: time
    may pass between the claim and the next call.
    """

    payment_id: UUID
    refund_id: UUID
    pauses: bool = False

    def start(self, replica: Replica, _caller: Caller) -> Coroutine[Any, Any, Any]:
        return self._attempt(replica)

    async def _attempt(self, replica: Replica) -> None:
        driver = replica.refund_driver
        refund = await driver.repository.get(self.payment_id, self.refund_id)
        claimed = Snapshot(refund, EPOCH + timedelta(seconds=driver.elapsed()))
        if self.pauses:  # one more call, during which time may pass; its result is not used
            await driver.repository.get(self.payment_id, self.refund_id)
        await replica.refund_driver.take_up(Due(claimed, attempt=1))

    def __str__(self) -> str:
        return "recovery of a refund"
