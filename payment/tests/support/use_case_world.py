"""The use cases in memory: their repositories, a simulated processor, and a clock that tests set."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from support.examples import INSTALLATION, NOW, REQUEST
from support.faults import FaultyPayments, FaultyProcessor, FaultyRefunds

from chassis.aip.resources import Snapshot
from chassis.values import RequestId
from payment.domain.customer import Customer, CustomerStatus
from payment.domain.events import EventType
from payment.domain.payment import Payment, PaymentRequest
from payment.domain.refund import Refund, RefundRequest
from payment.domain.schedule import StepResult
from payment.domain.values import CustomerName, Money
from payment.repository.memory import MemoryEvents, Store
from payment.service_layer.alerts import Alert
from payment.service_layer.bulkhead import ProcessorBulkhead
from payment.service_layer.change_payment import ChangePayment
from payment.service_layer.create_payment import CreatePayment
from payment.service_layer.create_refund import CreateRefund
from payment.service_layer.idempotent_requests import IdempotentRequests
from payment.service_layer.payment_driver import PaymentDriver
from payment.service_layer.ports import Bulkhead
from payment.service_layer.read_events import ReadEvents
from payment.service_layer.recovery import Lane, Recovery
from payment.service_layer.refund_driver import RefundDriver
from sandbox import objects
from verification.processor import SimulatedProcessor

DECLINED_CARD = "pm_card_visa_chargeDeclined"
AUTHENTICATED_CARD = "pm_card_threeDSecure2Required"


@dataclass
class StubCustomers:
    """A Customer service (the port `Customers`) that gives one answer about every customer."""

    customer: Customer = Customer(CustomerStatus.ACTIVE, '"7"')  # noqa: RUF009 (frozen)

    async def find(self, _name: CustomerName) -> Customer:
        return self.customer


@dataclass
class StubCaller:
    """A caller of CreatePayment (the port `Caller`). `created`: the payment it was notified of."""

    has_left: bool = False
    created: Payment | None = None

    def is_gone(self) -> bool:
        return self.has_left

    def on_created(self, payment: Payment) -> None:
        self.created = payment


class UseCaseWorld:
    """The use cases of Payment, composed as in the service, on ports in memory.

    Attributes:
        now: the database's clock.
        elapsed_seconds: the clock that goes on while the machine sleeps.
        alerts: the alerts raised so far.
        unexpected_errors: the errors that recovery reported.
    """

    def __init__(self, bulkhead: Bulkhead | None = None) -> None:
        """`bulkhead`: what bounds callers; without one no work ever waits for a slot."""
        self.now = NOW
        self.elapsed_seconds = 0.0
        self.alerts: list[Alert] = []
        self.unexpected_errors: list[Exception] = []
        self.store = Store(lambda: self.now)
        self.payments = FaultyPayments(self.store)
        self.refunds = FaultyRefunds(self.store)
        self.customers = StubCustomers()
        self.caller = StubCaller()
        self.simulated = SimulatedProcessor(INSTALLATION, lambda: int(self.now.timestamp()))
        self.processor = FaultyProcessor(self.simulated)
        self.payment_driver = PaymentDriver(
            self.payments, self.processor, self._raise_alert, jitter=lambda: 0.0
        )
        self.refund_driver = RefundDriver(
            self.refunds,
            self.processor,
            self._raise_alert,
            jitter=lambda: 0.0,
            elapsed=lambda: self.elapsed_seconds,
        )
        requests = IdempotentRequests(self.payments)
        slots = bulkhead or ProcessorBulkhead(slots=1_000)
        self.create_payment = CreatePayment(
            payments=self.payments,
            customers=self.customers,
            driver=self.payment_driver,
            bulkhead=slots,
            new_id=uuid4,
            elapsed=lambda: self.elapsed_seconds,
            installation=INSTALLATION,
        )
        self.change_payment = ChangePayment(self.payments, self.payment_driver, requests, slots)
        self.create_refund = CreateRefund(
            self.payments, self.refund_driver, requests, slots, new_id=uuid4
        )
        self.read_events = ReadEvents(self.payments, MemoryEvents(self.store))
        self.recovery = Recovery(
            (Lane(self.payment_driver, 40), Lane(self.refund_driver, 10)),
            self.unexpected_errors.append,
        )

    def advance(self, **duration: float) -> None:
        """Move the database's clock; the arguments are those of timedelta."""
        self.now += timedelta(**duration)

    async def pay(self, **changes: Any) -> Payment:
        """Create a payment with a request_id of its own; `changes` are of its request."""
        return await self.create_payment(new_request(**changes), self.caller)

    async def refund(self, payment: Payment, amount: int | None = 400) -> Refund:
        """Create a refund with a request_id of its own; None: all that is left."""
        return await self.create_refund(refund_request(payment, amount))

    async def current(self, payment: Payment) -> Payment:
        """The payment as it is stored now."""
        return (await self.payments.get(payment.id)).resource

    async def current_refund(self, refund: Refund) -> Refund:
        """The refund as it is stored now."""
        return await self.refunds.get(refund.payment_id, refund.id)

    async def step(self, payment: Payment) -> StepResult[Payment]:
        """Take a step of the payment as it is stored now."""
        return await self.payment_driver.step(await self.payments.get(payment.id))

    async def step_refund(
        self, refund: Refund, not_listed_at: float | None = None
    ) -> StepResult[Refund]:
        """Take a step of this version of a refund."""
        return await self.refund_driver.step(Snapshot(refund, self.now), not_listed_at)

    async def run_recovery(self) -> None:
        """Let recovery claim what is due, once, and attempt it."""
        claimed = [
            (lane, due) for lane in self.recovery.lanes for due in await self.recovery.claim(lane)
        ]
        for lane, due in claimed:
            await self.recovery.take_up(lane, due)

    def due_in(self, resource: Payment | Refund) -> timedelta | None:
        """How soon a payment or refund is due; None: never."""
        due = self.store.due.get(resource.id)
        return None if due is None else due - self.now

    def event_types(self, payment_id: UUID | None = None) -> list[EventType]:
        """The types of all events, or of those of one payment."""
        events = self.store.events
        return [each.type for each in events if payment_id in (None, each.payment_id)]

    @property
    def intents(self) -> Iterator[objects.Intent]:
        """The processor's intents, newest first."""
        found = self.simulated.view.newest("payment_intent", None)
        return (each for each in found if isinstance(each, objects.Intent))

    @property
    def charge_count(self) -> int:
        """How many intents the processor has charged or authorized."""
        charged = {"succeeded", "requires_capture"}
        return sum(intent.status.value in charged for intent in self.intents)

    async def refunded_amount(self, payment: Payment) -> int:
        """The minor units that the processor has refunded of a payment."""
        listed = await self.simulated.refunds(payment.intent_id)
        assert isinstance(listed, list)
        return sum(refund.amount for refund in listed)

    def _raise_alert(self, alert: Alert, about: str, words: str) -> None:  # noqa: ARG002 (the port's)
        self.alerts.append(alert)


def new_request_id() -> RequestId:
    return RequestId(str(uuid4()))


def new_request(**changes: Any) -> PaymentRequest:
    """A request of EUR 10 for the order `order-1`, with a request_id of its own."""
    return replace(REQUEST, **{"request_id": new_request_id(), **changes})


def refund_request(payment: Payment, amount: int | None = 400, **changes: Any) -> RefundRequest:
    """A request to refund a payment, with a request_id of its own; None: all that is left."""
    money = None if amount is None else Money(amount, payment.request.amount.currency_code)
    return RefundRequest(new_request_id(), payment.name, money, **changes)
