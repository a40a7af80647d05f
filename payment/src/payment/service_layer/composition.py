"""Builds the use cases from their ports: for the service, the tests, the explorer and the simulator."""

from collections.abc import Sequence
from dataclasses import dataclass

from payment.domain.payment import Payment
from payment.domain.refund import Refund
from payment.service_layer.alerts import Alert, RaiseAlert
from payment.service_layer.change_payment import ChangePayment
from payment.service_layer.create_payment import CreatePayment
from payment.service_layer.create_refund import CreateRefund
from payment.service_layer.driver import Driver
from payment.service_layer.idempotent_requests import IdempotentRequests
from payment.service_layer.payment_steps import PaymentSteps
from payment.service_layer.ports import (
    Bulkhead,
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
from payment.service_layer.refund_steps import RefundSteps


@dataclass(frozen=True, slots=True)
class Drivers:
    """What brings payments and refunds to their final state."""

    payment_steps: PaymentSteps
    refund_steps: RefundSteps
    payments: Driver[Payment]
    refunds: Driver[Refund]

    @property
    def lanes(self) -> Sequence[Lane]:
        """The lanes of recovery: neither kind can take the other's slots."""
        return (
            Lane(self.payments, MAX_CONCURRENT_STEPS - MAX_CONCURRENT_REFUNDS),
            Lane(self.refunds, MAX_CONCURRENT_REFUNDS),
        )


@dataclass(frozen=True, slots=True)
class UseCases:
    """What callers can ask for."""

    create_payment: CreatePayment
    change_payment: ChangePayment
    create_refund: CreateRefund
    read_events: ReadEvents


def build_drivers(
    payments: PaymentRepository,
    refunds: RefundRepository,
    processor: Processor,
    *,
    alert: RaiseAlert,
    elapsed: Elapsed,
    jitter: Jitter,
) -> Drivers:
    """The drivers on these ports."""
    payment_steps = PaymentSteps(payments, processor, alert)
    refund_steps = RefundSteps(refunds, processor, alert, elapsed)
    return Drivers(
        payment_steps,
        refund_steps,
        Driver(payments, payment_steps.step, alert, Alert.PAYMENT_OVERDUE, jitter),
        Driver(refunds, refund_steps.step, alert, Alert.REFUND_OVERDUE, jitter),
    )


def build_use_cases(
    drivers: Drivers,
    *,
    events: EventRepository,
    customers: Customers,
    bulkhead: Bulkhead,
    new_id: NewId,
    installation: str,
) -> UseCases:
    """The use cases on the ports of these drivers, and those given."""
    steps, refund_steps = drivers.payment_steps, drivers.refund_steps
    payments, refunds = steps.payments, refund_steps.refunds
    requests = IdempotentRequests(payments)
    return UseCases(
        CreatePayment(
            payments=payments,
            customers=customers,
            processor=steps.processor,
            steps=steps,
            driver=drivers.payments,
            bulkhead=bulkhead,
            alert=steps.alert,
            new_id=new_id,
            elapsed=refund_steps.elapsed,
            installation=installation,
        ),
        ChangePayment(payments, steps.processor, requests, steps, drivers.payments, bulkhead),
        CreateRefund(payments, refunds, requests, refund_steps, drivers.refunds, bulkhead, new_id),
        ReadEvents(payments, events),
    )
