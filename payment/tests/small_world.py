"""A small world for the use cases: everything in memory, the processor the sandbox's own decision,
and whatever a test wants to go wrong.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4

from payment_examples import INSTALLATION, NOW, REQUEST

from chassis.aip.resources import Snapshot
from chassis.values import RequestId
from payment.domain.creation import CreationAttempt
from payment.domain.customer import Customer, CustomerStatus
from payment.domain.evidence import OutcomeUnknown, ProcessorRefund, RefundReply, Reply
from payment.domain.machine import Post
from payment.domain.payment import Payment, PaymentRequest
from payment.domain.refund import Refund
from payment.domain.schedule import StepResult
from payment.domain.values import CustomerName, Money
from payment.repository.memory import MemoryEvents, MemoryPayments, MemoryRefunds, Store
from payment.service_layer.alerts import Alert
from payment.service_layer.bulkhead import ProcessorBulkhead
from payment.service_layer.change_payment import ChangePayment
from payment.service_layer.create_payment import CreatePayment
from payment.service_layer.create_refund import CreateRefund
from payment.service_layer.idempotent_requests import IdempotentRequests
from payment.service_layer.payment_driver import PaymentDriver
from payment.service_layer.ports import Bulkhead, CommitUnknown, RequestRecord
from payment.service_layer.read_events import ReadEvents
from payment.service_layer.recovery import Lane, Recovery
from payment.service_layer.refund_driver import RefundDriver
from sandbox import objects
from verification.processor import SimulatedProcessor

Said = TypeVar("Said")

SILENCE = OutcomeUnknown("time-out", unreachable=True)
LOST = "the reply is lost, after the effect"
BREAKS = "the database breaks the connection before it has done anything"
BREAKS_AFTER = "the database commits, and breaks the connection"


@dataclass
class TroubledProcessor:
    """The simulated processor; `troubles` holds, by the call's name, what goes wrong next: a reply
    to give instead of asking, LOST, or something to do before it (and a reply, if it has one).
    """

    inner: SimulatedProcessor
    troubles: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    made: list[str] = field(default_factory=list)

    async def _make(self, name: str, call: Callable[[], Awaitable[Said]]) -> Said | OutcomeUnknown:
        self.made.append(name)
        trouble = self.troubles[name].pop(0) if self.troubles[name] else None
        if trouble is LOST:
            await call()
            return SILENCE
        reply: Any = await trouble() if callable(trouble) else trouble
        return await call() if reply is None else reply

    def supports_amount(self, amount: Money) -> bool:
        return self.inner.supports_amount(amount)

    async def create(self, attempt: CreationAttempt) -> Reply:
        return await self._make("create", lambda: self.inner.create(attempt))

    async def retrieve(self, intent_id: str) -> Reply:
        return await self._make("retrieve", lambda: self.inner.retrieve(intent_id))

    async def post(self, payment: Payment, post: Post) -> Reply:
        name = post.operation.value
        return await self._make(name, lambda: self.inner.post(payment, post))

    async def refund(self, refund: Refund) -> RefundReply:
        return await self._make("refund", lambda: self.inner.refund(refund))

    async def refunds(self, intent_id: str) -> Sequence[ProcessorRefund] | OutcomeUnknown:
        return await self._make("refunds", lambda: self.inner.refunds(intent_id))


class TroubledPayments(MemoryPayments):
    """The store in memory; `troubles` holds what goes wrong with the next inserts and saves."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.troubles: dict[str, list[Any]] = defaultdict(list)
        self.inserts = 0

    async def insert(self, payment: Payment, insert_by: datetime) -> Payment | None:
        self.inserts += 1
        trouble = self.troubles["insert"].pop(0) if self.troubles["insert"] else None
        if trouble is BREAKS:
            raise CommitUnknown
        if trouble is BREAKS_AFTER:
            await super().insert(payment, insert_by)
            raise CommitUnknown
        if trouble == "nothing":
            return None
        if callable(trouble):
            await trouble()
        return await super().insert(payment, insert_by)

    async def save(self, before: Payment, after: Payment, *rest: Any) -> Payment | None:
        if self.troubles["save"]:
            await self.troubles["save"].pop(0)()
        return await super().save(before, after, *rest)


class TroubledRefunds(MemoryRefunds):
    """The same for refunds."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.troubles: list[Any] = []

    async def insert(self, refund: Refund, request: RequestRecord) -> Refund | None:
        trouble = self.troubles.pop(0) if self.troubles else None
        if trouble is BREAKS:
            raise CommitUnknown
        if trouble is BREAKS_AFTER:
            await super().insert(refund, request)
            raise CommitUnknown
        if callable(trouble):
            await trouble()
        return await super().insert(refund, request)


@dataclass
class OneCustomer:
    """A Customer service that says the same of everybody."""

    says: Customer = Customer(CustomerStatus.ACTIVE, '"7"')  # noqa: RUF009 (frozen)

    async def find(self, _name: CustomerName) -> Customer:
        return self.says


@dataclass
class Caller:
    """Whoever waits."""

    gone: bool = False
    told: Payment | None = None

    def is_gone(self) -> bool:
        return self.gone

    def on_created(self, payment: Payment) -> None:
        self.told = payment


class SmallWorld:
    """The use cases, and the world that they are in.

    Callers have so many slots that none ever waits, unless a test says otherwise.
    """

    def __init__(self, bulkhead: Bulkhead | None = None) -> None:
        self.now = NOW
        self.seconds = 0.0
        self.alerts: list[Alert] = []
        self.unexpected_errors: list[Exception] = []
        self.store = Store(lambda: self.now)
        self.payments = TroubledPayments(self.store)
        self.refunds = TroubledRefunds(self.store)
        self.customers = OneCustomer()
        self.caller = Caller()
        inner = SimulatedProcessor(INSTALLATION, lambda: int(self.now.timestamp()))
        self.processor = TroubledProcessor(inner)
        self.payment_driver = PaymentDriver(self.payments, self.processor, self.alert, lambda: 0.0)
        self.refund_driver = RefundDriver(
            self.refunds, self.processor, self.alert, lambda: 0.0, elapsed=lambda: self.seconds
        )
        requests = IdempotentRequests(self.payments)
        slots = bulkhead or ProcessorBulkhead(1_000)
        self.create_payment = CreatePayment(
            payments=self.payments,
            customers=self.customers,
            driver=self.payment_driver,
            bulkhead=slots,
            new_id=uuid4,
            elapsed=lambda: self.seconds,
            installation=INSTALLATION,
        )
        self.change = ChangePayment(self.payments, self.payment_driver, requests, slots)
        self.create_refund = CreateRefund(
            self.payments, self.refund_driver, requests, slots, new_id=uuid4
        )
        self.events = ReadEvents(self.payments, MemoryEvents(self.store))
        self.recovery = Recovery(
            (Lane(self.payment_driver, 40), Lane(self.refund_driver, 10)),
            self.unexpected_errors.append,
        )

    def alert(self, alert: Alert, about: str, words: str) -> None:  # noqa: ARG002 - the port's names
        self.alerts.append(alert)

    def later(self, **how_much: float) -> None:
        self.now += timedelta(**how_much)

    async def pay(self, **said: Any) -> Payment:
        """Execute a payment; each with a request_id of its own, unless it is said."""
        return await self.create_payment(a_request(**said), self.caller)

    async def payment(self, payment_id: UUID) -> Payment:
        return (await self.payments.get(payment_id)).resource

    async def refund(self, refund: Refund) -> Refund:
        return await self.refunds.get(refund.payment_id, refund.id)

    async def step(self, payment: Payment) -> StepResult[Payment]:
        """A step of the payment as it is now."""
        return await self.payment_driver.step(await self.payments.get(payment.id))

    async def step_refund(
        self, refund: Refund, not_listed_at: float | None = None
    ) -> StepResult[Refund]:
        """A step of this version of the refund."""
        return await self.refund_driver.step(Snapshot(refund, self.now), not_listed_at)

    async def recover(self) -> None:
        """One look of recovery at what is due."""
        claimed = [
            (lane, due) for lane in self.recovery.lanes for due in await self.recovery.claim(lane)
        ]
        for lane, due in claimed:
            await self.recovery.take_up(lane, due)

    @property
    def intents(self) -> Iterator[objects.Intent]:
        """What the processor has, the newest first."""
        found = self.processor.inner.view.newest("payment_intent", None)
        return (each for each in found if isinstance(each, objects.Intent))

    @property
    def charges(self) -> int:
        """How often the processor took money or holds it: the truth."""
        return sum(
            intent.status.value in {"succeeded", "requires_capture"} for intent in self.intents
        )


def a_request(**said: Any) -> PaymentRequest:
    return replace(REQUEST, **{"request_id": RequestId(str(uuid4())), **said})
