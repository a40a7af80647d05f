"""The repositories in memory and those in PostgreSQL, called alike: their answers have to be equal.

Each call runs in a transaction of its own. Its `now()` is read first and set as the time in memory, so
that even the times in the answers are equal.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from support.repositories import in_transaction, moved_to

from chassis.database import Pool
from chassis.values import InvalidValue, Metadata, Reference
from payment.domain.creation import Conflicts
from payment.domain.errors import InvariantViolation, PaymentNotFound, RefundNotFound
from payment.domain.events import NewEvent, PaymentEvent, event_for
from payment.domain.payment import Held, Payment, State
from payment.domain.refund import Refund
from payment.domain.webhook_notification import WebhookNotification
from payment.repository.memory import (
    MemoryEvents,
    MemoryNotifications,
    MemoryPayments,
    MemoryRefunds,
    Store,
)
from payment.repository.postgresql.events import PostgresEvents
from payment.repository.postgresql.payments import PostgresPayments
from payment.repository.postgresql.refunds import PostgresRefunds
from payment.repository.postgresql.webhook_notifications import PostgresNotifications
from payment.service_layer.ports import (
    EventRepository,
    NotificationRepository,
    PaymentRepository,
    RefundRepository,
    RequestRecord,
)

Answer = TypeVar("Answer")

NEXT_STATES = {
    State.CONFIRMING: (
        *(State.SUCCEEDED, State.REQUIRES_ACTION, State.AUTHORIZED),
        *(State.CANCELING, State.CANCELED),
    ),
    State.REQUIRES_ACTION: (State.SUCCEEDED, State.AUTHORIZED, State.CANCELING, State.CANCELED),
    State.AUTHORIZED: (State.CAPTURING, State.CANCELING, State.SUCCEEDED, State.CANCELED),
    State.CAPTURING: (State.SUCCEEDED, State.CANCELED),
    State.CANCELING: (State.FAILED, State.CANCELED, State.SUCCEEDED),
}
"""The next states of each state; the others have none."""


@dataclass
class Implementation:
    """All repositories of one kind. `cursors`: those that its stream has given, in order."""

    payments: PaymentRepository
    refunds: RefundRepository
    events: EventRepository
    notifications: NotificationRepository
    cursors: list[str] = field(default_factory=lambda: ["", "no cursor"])

    async def find_conflicts(self, payment: Payment) -> Conflicts:
        """What conflicts with this payment, its own row among it."""
        request = payment.request
        return await self.payments.find_conflicts(request.request_id, request.reference, payment.id)

    async def stream(self, payment_id: Any, limit: int, index: int) -> list[PaymentEvent]:
        """A page of the stream after one of the cursors it has given."""
        cursor = self.cursors[index % len(self.cursors)]
        page = [*await self.events.stream(payment_id, limit, cursor)]
        self.cursors += [event.cursor for event in page]
        return page


class BothRepositories:
    """Both kinds. Those in memory are new; the tables of the others have to be empty."""

    def __init__(self, pool: Pool, generation: int) -> None:
        self._pool = pool
        self._generation = generation
        self._now = datetime(2026, 1, 1, tzinfo=UTC)
        store = Store(lambda: self._now)
        self._memory = Implementation(
            MemoryPayments(store),
            MemoryRefunds(store),
            MemoryEvents(store),
            MemoryNotifications(store),
        )
        self._postgres_cursors = [*self._memory.cursors]

    async def call(self, call: Callable[[Implementation], Awaitable[Answer]]) -> Answer | None:
        """The answer of both; None where both raise the same error."""
        async with in_transaction(self._pool) as connection:
            self._now = (await connection.fetchrow("SELECT now()"))["now"]
            postgres = Implementation(
                PostgresPayments(connection),
                PostgresRefunds(connection),
                PostgresEvents(connection, self._generation),
                PostgresNotifications(connection),
                self._postgres_cursors,
            )
            answer, error = await outcome(call(postgres))
        assert (answer, error) == await outcome(call(self._memory))
        return answer

    async def until_stream_is_complete(self) -> None:
        """Wait until no transaction is open in the whole cluster, before which the stream in PostgreSQL would
        end. PostgreSQL gathers statistics in one now and then.
        """
        bound = "SELECT pg_snapshot_xmin(s) = pg_snapshot_xmax(s) FROM pg_current_snapshot() AS s"
        while not await self._pool.fetchval(bound):  # noqa: ASYNC110 (the database tells nobody)
            await asyncio.sleep(0.01)


async def outcome(call: Awaitable[Answer]) -> tuple[Answer | None, str]:
    """The answer of a call, without what may differ between both kinds; or the error that it raised."""
    try:
        answer: Any = await call
    except (InvariantViolation, InvalidValue, PaymentNotFound, RefundNotFound) as error:
        return None, repr(error)
    if isinstance(answer, list) and answer and isinstance(answer[0], PaymentEvent):
        answer = [without_cursor(event) for event in answer]
    return answer, ""


def without_cursor(event: PaymentEvent) -> Any:
    """An event without its cursor: transactions have other numbers than the entries of a list."""
    return tuple(getattr(event, name) for name in PaymentEvent.__slots__ if name != "cursor")


def changes(payment: Payment, reference: Reference | None) -> list[tuple[Payment, NewEvent | None]]:
    """What one save may make of a payment, each with its event; the likeliest is last."""
    request = payment.request
    described = replace(
        request, description=request.description + "!", metadata=Metadata((("a", "b"),))
    )
    after = [payment, replace(payment, request=described)]
    if request.reference is None:
        after.append(replace(payment, request=replace(request, reference=reference)))
    if payment.held is None and not payment.state.is_final:
        after.append(replace(payment, held=Held("another amount", payment.create_time)))
    elif payment.held is not None:
        after.append(payment.release())
    if payment.delete_time is not None:
        after.append(payment.undelete())
    elif payment.state in {State.FAILED, State.CANCELED} and payment.held is None:
        after.append(payment.delete(payment.update_time))
    key_used_up = replace(payment, idempotency_counter=payment.idempotency_counter + 1)
    after += [
        key_used_up,
        *(moved_to(payment, state) for state in reversed(NEXT_STATES.get(payment.state, ()))),
    ]
    return [(each, event_for(payment, each)) for each in after]


async def insert_payment(
    payment: Payment, insert_by: datetime, implementation: Implementation
) -> Payment | None:
    return await implementation.payments.insert(payment, insert_by)


async def save_payment(
    before: Payment,
    after: Payment,
    event: NewEvent | None,
    record: RequestRecord | None,
    implementation: Implementation,
) -> Payment | None:
    return await implementation.payments.save(before, after, event, record)


async def reschedule_payment(
    payment: Payment, wait: timedelta | None, attempt: int, implementation: Implementation
) -> None:
    await implementation.payments.reschedule(payment, wait, attempt)


async def save_refund(
    before: Refund, after: Refund, event: NewEvent, implementation: Implementation
) -> Refund | None:
    return await implementation.refunds.save(before, after, event)


async def reschedule_refund(
    refund: Refund, wait: timedelta | None, attempt: int, implementation: Implementation
) -> None:
    await implementation.refunds.reschedule(refund, wait, attempt)


async def record_notification_of(
    notification: WebhookNotification, implementation: Implementation
) -> bool:
    return await implementation.notifications.record(notification)


async def as_list(found: Awaitable[Sequence[Answer]]) -> list[Answer]:
    return [*await found]
