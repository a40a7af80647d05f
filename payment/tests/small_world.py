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

from chassis.values import RequestId
from payment.domain.creation import CreationAttempt
from payment.domain.evidence import OutcomeUnknown, ProcessorRefund, RefundReply, Reply
from payment.domain.machine import Post
from payment.domain.payment import Payment, PaymentRequest
from payment.domain.refund import Refund
from payment.domain.values import CustomerName, Money
from payment.repository.memory import MemoryEvents, MemoryPayments, MemoryRefunds, Store
from payment.service_layer.change_payment import ChangePayment
from payment.service_layer.create_payment import CreatePayment
from payment.service_layer.events import Events
from payment.service_layer.ports import CommitUnknown, CustomerCheck, CustomerStatus, RequestRecord
from payment.service_layer.recovery import Recovery
from payment.service_layer.refunds import Refunds
from payment.service_layer.step import Steps
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

    says: CustomerCheck = CustomerCheck(CustomerStatus.MAY_PAY, '"7"')  # noqa: RUF009 (frozen)

    async def standing(self, _customer: CustomerName) -> CustomerCheck:
        return self.says


@dataclass
class Caller:
    """Whoever waits."""

    gone: bool = False
    told: Payment | None = None

    def is_gone(self) -> bool:
        return self.gone

    def build_payment(self, payment: Payment) -> None:
        self.told = payment


class SmallWorld:
    """The use cases, and the world that they are in."""

    def __init__(self) -> None:
        self.now = NOW
        self.seconds = 0.0
        self.alarms: list[str] = []
        self.surprises: list[Exception] = []
        self.store = Store(lambda: self.now)
        self.payments = TroubledPayments(self.store)
        self.refund_store = TroubledRefunds(self.store)
        self.customers = OneCustomer()
        self.caller = Caller()
        inner = SimulatedProcessor(INSTALLATION, lambda: int(self.now.timestamp()))
        self.processor = TroubledProcessor(inner)
        self.steps = Steps(self.payments, self.processor, self.alarm, lambda: 0.0)
        self.create = CreatePayment(
            payments=self.payments,
            customers=self.customers,
            processor=self.processor,
            steps=self.steps,
            alarm=self.alarm,
            new_id=uuid4,
            elapsed=lambda: self.seconds,
            installation=INSTALLATION,
        )
        self.change = ChangePayment(self.payments, self.processor, self.steps)
        self.refunds = Refunds(
            payments=self.payments,
            refund_repository=self.refund_store,
            processor=self.processor,
            alarm=self.alarm,
            new_id=uuid4,
            elapsed=lambda: self.seconds,
            jitter=lambda: 0.0,
        )
        self.recovery = Recovery(
            steps=self.steps,
            refunds=self.refunds,
            alarm=self.alarm,
            on_unexpected_error=self.surprises.append,
        )
        self.events = Events(self.payments, MemoryEvents(self.store))

    def alarm(self, name: str, about: str, words: str) -> None:  # noqa: ARG002 - the port's names
        self.alarms.append(name)

    def later(self, **how_much: float) -> None:
        self.now += timedelta(**how_much)

    async def pay(self, **said: Any) -> Payment:
        """Execute a payment; each with a request_id of its own, unless it is said."""
        return await self.create(a_request(**said), self.caller)

    async def payment(self, payment_id: UUID) -> Payment:
        return (await self.payments.get(payment_id)).payment

    async def recover(self) -> None:
        """One look of recovery at what is due."""
        for work in (*await self.recovery.claim(40), *await self.recovery.claim_refunds(10)):
            await work

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
