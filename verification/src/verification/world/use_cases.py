"""The production use cases of one replica, unchanged, on ports that hand every call to a driver."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from payment.domain.errors import (
    CustomerServiceUnavailable,
    InvariantViolation,
    PaymentError,
    ProcessorUnavailable,
    TryAgain,
)
from payment.domain.values import Money
from payment.service_layer.alerts import Alert, RaiseAlert
from payment.service_layer.change_payment import ChangePayment
from payment.service_layer.create_payment import CreatePayment
from payment.service_layer.create_refund import CreateRefund
from payment.service_layer.idempotent_requests import IdempotentRequests
from payment.service_layer.payment_driver import PaymentDriver
from payment.service_layer.ports import (
    Bulkhead,
    CommitUnknown,
    Customers,
    Elapsed,
    EventRepository,
    Jitter,
    NewId,
    PaymentRepository,
    Processor,
    RefundRepository,
)
from payment.service_layer.read_events import ReadEvents
from payment.service_layer.recovery import MAX_CONCURRENT_REFUNDS, MAX_CONCURRENT_STEPS, Lane
from payment.service_layer.refund_driver import RefundDriver
from verification.processor import supports_amount
from verification.world.calls import Call, DatabaseUnavailable
from verification.world.world import INSTALLATION

EXPECTED_ERRORS = (PaymentError, CommitUnknown, DatabaseUnavailable)
"""How a use case may fail. Any other error is a mistake in it."""
UNKNOWN_OUTCOME = (
    *(TryAgain, ProcessorUnavailable, CustomerServiceUnavailable, InvariantViolation),
    *(CommitUnknown, DatabaseUnavailable),
)
"""Errors after which a caller does not know what became of its request. Every other PaymentError is
definite.
"""
OVERDUE_ALERTS = frozenset({Alert.PAYMENT_OVERDUE, Alert.REFUND_OVERDUE})
"""Alerts that faults and time cause. Every other alert means a violation."""
Perform = Callable[[Call], Awaitable[Any]]
"""Performs a call, with or without a fault. Returns or raises its result."""


class Port:
    """Any port: each method becomes a call. It is cast to the port's protocol."""

    def __init__(self, name: str, perform: Perform) -> None:
        self._name = name
        self._perform = perform

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def method(*arguments: Any) -> Any:
            return await self._perform(Call(self._name, name, arguments))

        return method


class ProcessorPort(Port):
    """The processor's port. One of its methods is arithmetic, and makes no call."""

    def supports_amount(self, amount: Money) -> bool:
        return supports_amount(amount)


@dataclass(frozen=True, slots=True)
class Replica:
    """What one replica of the Payment service can do: for callers, and by itself."""

    create_payment: CreatePayment
    change_payment: ChangePayment
    create_refund: CreateRefund
    read_events: ReadEvents
    payment_driver: PaymentDriver
    refund_driver: RefundDriver

    @property
    def lanes(self) -> Sequence[Lane]:
        """The lanes of its recovery."""
        return (
            Lane(self.payment_driver, MAX_CONCURRENT_STEPS - MAX_CONCURRENT_REFUNDS),
            Lane(self.refund_driver, MAX_CONCURRENT_REFUNDS),
        )


def build_replica(
    perform: Perform,
    *,
    alert: RaiseAlert,
    new_id: NewId,
    elapsed: Elapsed,
    jitter: Jitter,
    bulkhead: Bulkhead,
) -> Replica:
    """One replica, composed as the service is (`payment.__main__`)."""
    payments = cast("PaymentRepository", Port("payments", perform))
    refunds = cast("RefundRepository", Port("refunds", perform))
    tools = (cast("Processor", ProcessorPort("processor", perform)), alert, jitter)
    payment_driver = PaymentDriver(payments, *tools)
    refund_driver = RefundDriver(refunds, *tools, elapsed=elapsed)
    requests = IdempotentRequests(payments)
    return Replica(
        create_payment=CreatePayment(
            payments=payments,
            customers=cast("Customers", Port("customers", perform)),
            driver=payment_driver,
            bulkhead=bulkhead,
            new_id=new_id,
            elapsed=elapsed,
            installation=INSTALLATION,
        ),
        change_payment=ChangePayment(payments, payment_driver, requests, bulkhead),
        create_refund=CreateRefund(payments, refund_driver, requests, bulkhead, new_id),
        read_events=ReadEvents(payments, cast("EventRepository", Port("events", perform))),
        payment_driver=payment_driver,
        refund_driver=refund_driver,
    )
