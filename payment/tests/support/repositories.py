"""Repositories to test, all of one store, and payments to put into them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4

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
INSERT_WITHIN = timedelta(hours=1)
"""Longer than any test takes, on however busy a machine. The service has a minute."""
ACTION = {"redirect_url": "https://bank.example/3ds"}
DECLINE = {"cancel_reason": CancelReason.DECLINE, "failure": Failure("card_declined")}
PATHS_TO: dict[State, tuple[State, ...]] = {
    State.CONFIRMING: (),
    State.REQUIRES_ACTION: (State.REQUIRES_ACTION,),
    State.AUTHORIZED: (State.AUTHORIZED,),
    State.CAPTURING: (State.AUTHORIZED, State.CAPTURING),
    State.CANCELING: (State.CANCELING,),
    State.SUCCEEDED: (State.SUCCEEDED,),
    State.FAILED: (State.CANCELING, State.FAILED),
    State.CANCELED: (State.CANCELED,),
}
"""The states that a new payment goes through to get into a state."""
DELETE_ALL = """
SET session_replication_role = replica;
DELETE FROM webhook_notifications;
DELETE FROM payment_events;
DELETE FROM requests;
DELETE FROM refunds;
DELETE FROM payments;
SET session_replication_role = origin
"""
"""Empties the tables, without the triggers that refuse that; for a superuser."""
PAYMENT_FIELDS = frozenset(Payment.__dataclass_fields__)

Value = TypeVar("Value")


def not_none(value: Value | None) -> Value:
    """The value, which is there."""
    assert value is not None
    return value


def new_request_id() -> RequestId:
    return RequestId(str(uuid4()))


def unsaved_payment(**changes: Any) -> Payment:
    """A payment that is in no repository; `changes` are of it or of its request."""
    new_id = uuid7()
    of_request = {name: changes.pop(name) for name in [*changes] if name not in PAYMENT_FIELDS}
    of_payment: dict[str, Any] = {"id": new_id, "intent_id": f"pi_{new_id}"} | changes
    of_request = {"reference": None, "request_id": new_request_id()} | of_request
    payment = a_payment(**of_payment)
    return replace(payment, request=replace(payment.request, **of_request))


def moved_to(payment: Payment, state: State) -> Payment:
    """The payment in its next state, with the fields that a row in that state has."""
    fields_of_state: dict[State, dict[str, Any]] = {
        State.REQUIRES_ACTION: {"action_by": payment.create_time + timedelta(hours=24)} | ACTION,
        State.AUTHORIZED: {"capture_before": payment.create_time + timedelta(days=7)},
        State.CAPTURING: {"amount_capturing": payment.request.amount.minor_units},
        State.CANCELING: DECLINE,
        State.SUCCEEDED: {"amount_captured": payment.request.amount.minor_units},
    }
    return replace(payment, state=state, **fields_of_state.get(state, {}))


def unsaved_refund(payment: Payment, amount: int = 400) -> Refund:
    """A refund that is in no repository."""
    return a_refund(id=uuid7(), payment_id=payment.id, intent_id=payment.intent_id, amount=amount)


def request_record(
    payment: Payment, refund: Refund | None = None, content: str = ""
) -> RequestRecord:
    """The record of a new request."""
    refund_id = refund.id if refund else None
    return RequestRecord(new_request_id(), fingerprint("test", content), payment.id, refund_id)


@dataclass(frozen=True, slots=True)
class Repositories:
    """The repositories of one store."""

    payments: PaymentRepository
    refunds: RefundRepository
    events: EventRepository

    # ------------------------------------------------------------ writing

    async def insert(self, payment: Payment) -> Payment | None:
        now = (await self.payments.find_conflicts(payment.request.request_id)).now
        return await self.payments.insert(payment, now + INSERT_WITHIN)

    async def create(self, **changes: Any) -> Payment:
        """Insert a new payment; `changes` are of it or of its request."""
        return not_none(await self.insert(unsaved_payment(**changes)))

    async def create_in(self, state: State, **changes: Any) -> Payment:
        """Insert a new payment, and bring it into a state."""
        return await self.move(await self.create(**changes), *PATHS_TO[state])

    async def save(self, before: Payment, after: Payment, note: str = "") -> Payment | None:
        """Save a change with its event."""
        return await self.payments.save(before, after, event_for(before, after, note))

    async def move(self, payment: Payment, *states: State) -> Payment:
        for state in states:
            payment = not_none(await self.save(payment, moved_to(payment, state)))
        return payment

    async def hold(self, payment: Payment) -> Payment:
        held = replace(payment, held=Held("another amount", payment.create_time))
        return not_none(await self.save(payment, held))

    async def delete(self, payment: Payment) -> Payment:
        read = await self.snapshot(payment)
        return not_none(await self.save(read.resource, read.resource.delete(read.now)))

    async def create_refund(self, payment: Payment, amount: int = 400) -> Refund:
        refund = unsaved_refund(payment, amount)
        return not_none(await self.refunds.insert(refund, request_record(payment, refund)))

    async def make_due(self, payment: Payment, attempt: int = 1) -> None:
        """End the attempt of this number, with no wait for the next."""
        await self.payments.reschedule(await self.current(payment), -SECOND, attempt)

    # ------------------------------------------------------------ reading

    async def snapshot(self, payment: Payment) -> Snapshot[Payment]:
        return await self.payments.get(payment.id)

    async def current(self, payment: Payment) -> Payment:
        """The payment as it is stored now."""
        return (await self.snapshot(payment)).resource

    async def find_conflicts(self, payment: Payment) -> Conflicts:
        """What conflicts with this payment, its own row among it."""
        request = payment.request
        return await self.payments.find_conflicts(request.request_id, request.reference, payment.id)

    async def events_of(self, payment: Payment) -> list[PaymentEvent]:
        return [*await self.events.of_payment(payment.id, 10_000, 0)]

    async def claim(self, limit: int = 10) -> list[UUID]:
        """The ids of the payments that are due, which are then claimed."""
        return [due.snapshot.resource.id for due in await self.payments.claim_due(limit)]

    async def claim_refunds(self, limit: int = 10) -> list[UUID]:
        """The ids of the refunds that are due, which are then claimed."""
        return [due.snapshot.resource.id for due in await self.refunds.claim_due(limit)]


@asynccontextmanager
async def in_transaction(pool: Any) -> AsyncIterator[Any]:
    """A transaction that is open until the block ends, for repositories to write in as in a pool."""
    async with pool.acquire() as connection, connection.transaction():
        yield OneConnection(connection)


class OneConnection:
    """What a repository needs of a pool, on one connection."""

    def __init__(self, connection: Any) -> None:
        self.fetch = connection.fetch
        self.fetchrow = connection.fetchrow
        self.fetchval = connection.fetchval
        self.execute = connection.execute
        self._connection = connection

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Any]:
        yield self._connection
