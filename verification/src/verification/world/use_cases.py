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
from payment.processors.stripe.currencies import to_stripe
from payment.service_layer.change_payment import ChangePayment
from payment.service_layer.create_payment import CreatePayment
from payment.service_layer.events import Events
from payment.service_layer.ports import (
    Alarms,
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
from payment.service_layer.refunds import Refunds
from payment.service_layer.step import Steps
from verification.world.calls import Call, DatabaseUnavailable

EXPECTED_ERRORS = (PaymentError, CommitUnknown, DatabaseUnavailable)
"""How a use case may fail. Any other error is a mistake in it."""
UNKNOWN_OUTCOME = (
    *(TryAgain, ProcessorUnavailable, CustomerServiceUnavailable, InvariantViolation),
    *(CommitUnknown, DatabaseUnavailable),
)
"""Errors after which a caller does not know what became of its request. Every other PaymentError is
definite.
"""
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
        """Whether the sandbox can express this amount, as Stripe does."""
        return isinstance(to_stripe(amount.minor_units, amount.currency_code), int)


@dataclass(frozen=True, slots=True)
class UseCases:
    """What one replica of the Payment service can do."""

    steps: Steps
    create: CreatePayment
    change: ChangePayment
    refunds: Refunds
    events: Events


def build_use_cases(
    perform: Perform,
    *,
    alarm: Alarms,
    new_id: NewId,
    elapsed: Elapsed,
    jitter: Jitter,
    installation: str,
) -> UseCases:
    """Compose one replica, as `payment.__main__` does."""
    payments = cast("PaymentRepository", Port("payments", perform))
    refund_repository = cast("RefundRepository", Port("refunds", perform))
    events = cast("EventRepository", Port("events", perform))
    customers = cast("Customers", Port("customers", perform))
    processor = cast("Processor", ProcessorPort("processor", perform))
    steps = Steps(payments, processor, alarm, jitter)
    return UseCases(
        steps=steps,
        create=CreatePayment(
            payments=payments,
            customers=customers,
            processor=processor,
            steps=steps,
            alarm=alarm,
            new_id=new_id,
            elapsed=elapsed,
            installation=installation,
        ),
        change=ChangePayment(payments, processor, steps),
        refunds=Refunds(payments, refund_repository, processor, alarm, new_id, elapsed, jitter),
        events=Events(payments, events),
    )
