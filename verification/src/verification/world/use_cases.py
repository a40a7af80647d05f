"""The production use cases of one replica, unchanged, on ports that hand every call to a driver."""

from collections.abc import Awaitable, Callable
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
from payment.service_layer.composition import Drivers, UseCases, build_drivers, build_use_cases
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

    use_cases: UseCases
    drivers: Drivers


def build_replica(
    perform: Perform,
    *,
    alert: RaiseAlert,
    new_id: NewId,
    elapsed: Elapsed,
    jitter: Jitter,
    bulkhead: Bulkhead,
) -> Replica:
    """One replica, composed as the service is."""
    drivers = build_drivers(
        cast("PaymentRepository", Port("payments", perform)),
        cast("RefundRepository", Port("refunds", perform)),
        cast("Processor", ProcessorPort("processor", perform)),
        alert=alert,
        elapsed=elapsed,
        jitter=jitter,
    )
    use_cases = build_use_cases(
        drivers,
        events=cast("EventRepository", Port("events", perform)),
        customers=cast("Customers", Port("customers", perform)),
        bulkhead=bulkhead,
        new_id=new_id,
        installation=INSTALLATION,
    )
    return Replica(use_cases, drivers)
