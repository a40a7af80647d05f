"""Two stores that are asked the same, and have to answer the same: memory and PostgreSQL.

Each call runs in a transaction of its own, whose `now()` is read first and is the time of the store
in memory, too: so even the times in the answers are equal.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from support.repositories import in_transaction, moved

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

NEXT = {
    State.CONFIRMING: (
        *(State.SUCCEEDED, State.REQUIRES_ACTION, State.AUTHORIZED),
        *(State.CANCELING, State.CANCELED),
    ),
    State.REQUIRES_ACTION: (State.SUCCEEDED, State.AUTHORIZED, State.CANCELING, State.CANCELED),
    State.AUTHORIZED: (State.CAPTURING, State.CANCELING, State.SUCCEEDED, State.CANCELED),
    State.CAPTURING: (State.SUCCEEDED, State.CANCELED),
    State.CANCELING: (State.FAILED, State.CANCELED, State.SUCCEEDED),
}
"""Where a payment may go from a state; from the others, nowhere."""


@dataclass
class Side:
    """One store. `cursors` are the places in its stream that it has named, in that order."""

    payments: PaymentRepository
    refunds: RefundRepository
    events: EventRepository
    notifications: NotificationRepository
    cursors: list[str] = field(default_factory=lambda: ["", "no cursor"])

    async def find_conflicts(self, payment: Payment) -> Conflicts:
        """What conflicts with this payment, its own row among it."""
        request = payment.request
        return await self.payments.find_conflicts(request.request_id, request.reference, payment.id)

    async def stream(self, payment_id: Any, limit: int, place: int) -> list[PaymentEvent]:
        """A page of the stream behind a place that was met before."""
        cursor = self.cursors[place % len(self.cursors)]
        page = [*await self.events.stream(payment_id, limit, cursor)]
        self.cursors += [event.cursor for event in page]
        return page


class BothRepositories:
    """Both stores. The one in memory is new, the other's tables have to be empty."""

    def __init__(self, pool: Pool, generation: int) -> None:
        self._pool = pool
        self._era = generation
        self._now = datetime(2026, 1, 1, tzinfo=UTC)
        store = Store(lambda: self._now)
        self._memory = Side(
            MemoryPayments(store),
            MemoryRefunds(store),
            MemoryEvents(store),
            MemoryNotifications(store),
        )
        self._postgres_cursors = [*self._memory.cursors]

    async def ask(self, call: Callable[[Side], Awaitable[Answer]]) -> Answer | None:
        """What both stores answer; None where both refuse with the same error."""
        async with in_transaction(self._pool) as connection:
            self._now = (await connection.fetchrow("SELECT now()"))["now"]
            postgres = Side(
                PostgresPayments(connection),
                PostgresRefunds(connection),
                PostgresEvents(connection, self._era),
                PostgresNotifications(connection),
                self._postgres_cursors,
            )
            real, refusal = await outcome(call(postgres))
        assert (real, refusal) == await outcome(call(self._memory))
        return real

    async def settled(self) -> None:
        """Waits until no transaction is open, of anybody in the cluster, below which the stream in
        PostgreSQL would end: statistics are gathered in one, now and then.
        """
        bound = "SELECT pg_snapshot_xmin(s) = pg_snapshot_xmax(s) FROM pg_current_snapshot() AS s"
        while not await self._pool.fetchval(bound):  # noqa: ASYNC110 (the database tells nobody)
            await asyncio.sleep(0.01)


async def outcome(work: Awaitable[Answer]) -> tuple[Answer | None, str]:
    """An answer, without what may differ between the stores, or the refusal in its place."""
    try:
        answer: Any = await work
    except (InvariantViolation, InvalidValue, PaymentNotFound, RefundNotFound) as error:
        return None, repr(error)
    if isinstance(answer, list) and answer and isinstance(answer[0], PaymentEvent):
        answer = [without_cursor(event) for event in answer]
    return answer, ""


def without_cursor(event: PaymentEvent) -> Any:
    """An event, but not its place: transactions have other numbers than a list's entries."""
    return tuple(getattr(event, name) for name in PaymentEvent.__slots__ if name != "cursor")


def changes(payment: Payment, reference: Reference | None) -> list[tuple[Payment, NewEvent | None]]:
    """What a payment may become by one save, with what is told of it; the last is the likeliest."""
    asked = payment.request
    told = replace(asked, description=asked.description + "!", metadata=Metadata((("a", "b"),)))
    after = [payment, replace(payment, request=told)]
    if asked.reference is None:
        after.append(replace(payment, request=replace(asked, reference=reference)))
    if payment.held is None and not payment.state.is_final:
        after.append(replace(payment, held=Held("it does not fit", payment.create_time)))
    elif payment.held is not None:
        after.append(payment.release())
    if payment.delete_time is not None:
        after.append(payment.undelete())
    elif payment.state in {State.FAILED, State.CANCELED} and payment.held is None:
        after.append(payment.delete(payment.update_time))
    used_up = replace(payment, idempotency_counter=payment.idempotency_counter + 1)
    after += [used_up, *(moved(payment, state) for state in reversed(NEXT.get(payment.state, ())))]
    return [(each, event_for(payment, each)) for each in after]


async def inserted_by(payment: Payment, insert_by: datetime, side: Side) -> Payment | None:
    return await side.payments.insert(payment, insert_by)


async def saved_by(
    before: Payment,
    after: Payment,
    what: NewEvent | None,
    record: RequestRecord | None,
    side: Side,
) -> Payment | None:
    return await side.payments.save(before, after, what, record)


async def postponed_by(payment: Payment, wait: timedelta | None, attempt: int, side: Side) -> None:
    await side.payments.reschedule(payment, wait, attempt)


async def refund_saved_by(
    before: Refund, after: Refund, what: NewEvent, side: Side
) -> Refund | None:
    return await side.refunds.save(before, after, what)


async def refund_postponed_by(
    refund: Refund, wait: timedelta | None, attempt: int, side: Side
) -> None:
    await side.refunds.reschedule(refund, wait, attempt)


async def hint_taken_by(hint: WebhookNotification, side: Side) -> bool:
    return await side.notifications.record(hint)


async def as_list(found: Awaitable[Sequence[Answer]]) -> list[Answer]:
    return [*await found]
