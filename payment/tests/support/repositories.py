"""Repositories to test: a service's three repositories at once, and payments to put into them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, TypeVar
from uuid import uuid4

from support.examples import a_payment, a_refund

from chassis.aip.resources import Snapshot
from chassis.identifiers import uuid7
from chassis.values import RequestId
from payment.domain.creation import Conflicts
from payment.domain.events import PaymentEvent, event_for
from payment.domain.payment import CancelReason, Held, Payment, State
from payment.domain.refund import Refund
from payment.domain.values import Failure, fingerprint
from payment.service_layer.ports import (
    EventRepository,
    PaymentRepository,
    RefundRepository,
    RequestRecord,
)

SECOND = timedelta(seconds=1)
INSERT_WITHIN = timedelta(seconds=60)
ACTION = {"redirect_url": "https://bank.example/3ds"}
DECLINE = {"cancel_reason": CancelReason.DECLINE, "failure": Failure("card_declined")}
PATHS: dict[State, tuple[State, ...]] = {
    State.CONFIRMING: (),
    State.REQUIRES_ACTION: (State.REQUIRES_ACTION,),
    State.AUTHORIZED: (State.AUTHORIZED,),
    State.CAPTURING: (State.AUTHORIZED, State.CAPTURING),
    State.CANCELING: (State.CANCELING,),
    State.SUCCEEDED: (State.SUCCEEDED,),
    State.FAILED: (State.CANCELING, State.FAILED),
    State.CANCELED: (State.CANCELED,),
}
"""How a payment gets into a state."""

Some = TypeVar("Some")


def some(value: Some | None) -> Some:
    assert value is not None
    return value


def new_request_id() -> RequestId:
    return RequestId(str(uuid4()))


def unsaved_payment(**changes: Any) -> Payment:
    """A payment that nobody has recorded; `changes` are of it or of its request."""
    new_id = uuid7()
    of_request = {name: changes.pop(name) for name in [*changes] if name not in PAYMENT}
    of_payment: dict[str, Any] = {"id": new_id, "intent_id": f"pi_{new_id}"} | changes
    of_request = {"reference": None, "request_id": new_request_id()} | of_request
    payment = a_payment(**of_payment)
    return replace(payment, request=replace(payment.request, **of_request))


PAYMENT = frozenset(Payment.__dataclass_fields__)


def moved(payment: Payment, state: State) -> Payment:
    """The payment one state further, with what a row in that state has."""
    of_its_state: dict[State, dict[str, Any]] = {
        State.REQUIRES_ACTION: {"action_by": payment.create_time + timedelta(hours=24)} | ACTION,
        State.AUTHORIZED: {"capture_before": payment.create_time + timedelta(days=7)},
        State.CAPTURING: {"amount_capturing": payment.request.amount.minor_units},
        State.CANCELING: DECLINE,
        State.SUCCEEDED: {"amount_captured": payment.request.amount.minor_units},
    }
    return replace(payment, state=state, **of_its_state.get(state, {}))


def unsaved_refund(payment: Payment, amount: int = 400) -> Refund:
    return a_refund(id=uuid7(), payment_id=payment.id, intent_id=payment.intent_id, amount=amount)


def request_record(
    payment: Payment, refund: Refund | None = None, content: str = ""
) -> RequestRecord:
    """The record of a request that nobody has sent."""
    refund_id = refund.id if refund else None
    return RequestRecord(new_request_id(), fingerprint("test", content), payment.id, refund_id)


@dataclass(frozen=True, slots=True)
class Repositories:
    """The three repositories of one store."""

    payments: PaymentRepository
    refunds: RefundRepository
    events: EventRepository

    async def insert(self, payment: Payment) -> Payment | None:
        now = (await self.payments.find_conflicts(payment.request.request_id)).now
        return await self.payments.insert(payment, now + INSERT_WITHIN)

    async def build_payment(self, **changes: Any) -> Payment:
        return some(await self.insert(unsaved_payment(**changes)))

    async def save(self, before: Payment, after: Payment, note: str = "") -> Payment | None:
        """Save with the event that belongs to the change."""
        return await self.payments.save(before, after, event_for(before, after, note))

    async def move(self, payment: Payment, *states: State) -> Payment:
        for state in states:
            payment = some(await self.save(payment, moved(payment, state)))
        return payment

    async def payment_in(self, state: State, **changes: Any) -> Payment:
        return await self.move(await self.build_payment(**changes), *PATHS[state])

    async def hold(self, payment: Payment) -> Payment:
        held = replace(payment, held=Held("it does not fit", payment.create_time))
        return some(await self.save(payment, held))

    async def delete(self, payment: Payment) -> Payment:
        seen = await self.seen(payment)
        return some(await self.save(seen.resource, seen.resource.delete(seen.now)))

    async def seen(self, payment: Payment) -> Snapshot[Payment]:
        return await self.payments.get(payment.id)

    async def now(self, payment: Payment) -> Payment:
        return (await self.seen(payment)).resource

    async def find_conflicts(self, payment: Payment) -> Conflicts:
        """What conflicts with this payment, its own row among it."""
        request = payment.request
        return await self.payments.find_conflicts(request.request_id, request.reference, payment.id)

    async def make_due(self, payment: Payment, attempt: int = 1) -> None:
        """End the attempt of this number, with no wait for the next."""
        seen = await self.seen(payment)
        await self.payments.reschedule(seen.resource, -SECOND, attempt)

    async def refund(self, payment: Payment, amount: int = 400) -> Refund:
        refund = unsaved_refund(payment, amount)
        return some(await self.refunds.insert(refund, request_record(payment, refund)))

    async def told_of(self, payment: Payment) -> list[PaymentEvent]:
        return [*await self.events.of_payment(payment.id, 10_000, 0)]


@asynccontextmanager
async def in_transaction(pool: Any) -> AsyncIterator[Any]:
    """A transaction that is open until the block ends, for repositories to write in as in a pool."""
    async with pool.acquire() as connection, connection.transaction():
        yield OneConnection(connection)


class OneConnection:
    """What a repository needs of a pool, on a connection that a test has in its hands."""

    def __init__(self, connection: Any) -> None:
        self.fetch = connection.fetch
        self.fetchrow = connection.fetchrow
        self.fetchval = connection.fetchval
        self.execute = connection.execute
        self._connection = connection

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Any]:
        yield self._connection
