"""The repositories in memory: the meaning of their ports in dicts of frozen values and a clock.

For tests, and for the explorer and the simulator: each method is one step, as a statement is in
PostgreSQL, and the same calls always lead to the same store.
"""

import operator
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

from chassis.aip.pages import Position
from chassis.aip.resources import Snapshot
from chassis.values import Reference, RequestId
from payment.domain.creation import Conflicts
from payment.domain.errors import InvariantViolation, PaymentNotFound, RefundNotFound
from payment.domain.events import NON_FINANCIAL_EVENTS, EventType, NewEvent, PaymentEvent
from payment.domain.payment import Payment, State
from payment.domain.refund import Refund, RefundState
from payment.domain.schedule import CLAIM_LASTS
from payment.domain.values import PaymentName, RefundName
from payment.domain.webhook_notification import GRACE, KEEP, WebhookNotification
from payment.repository.cursor import StreamPosition, read_cursor, write_cursor
from payment.service_layer.ports import Due, PaymentQuery, RequestRecord

NOW = timedelta(0)
WAITS_FOR_PEOPLE = {State.REQUIRES_ACTION, State.AUTHORIZED}
GENERATION = 1
Listed = TypeVar("Listed", Payment, Refund)


@dataclass(slots=True)
class Store:
    """All data, payments and refunds by their ids. The repositories share one store."""

    clock: Callable[[], datetime]
    payments: dict[UUID, Payment] = field(default_factory=dict)
    refunds: dict[UUID, Refund] = field(default_factory=dict)
    requests: dict[RequestId, RequestRecord] = field(default_factory=dict)
    events: list[PaymentEvent] = field(default_factory=list)
    due: dict[UUID, datetime] = field(default_factory=dict)
    attempts: dict[UUID, int] = field(default_factory=dict)
    notifications: dict[str, datetime] = field(default_factory=dict)

    def write(self, payment: Payment, new_event: NewEvent, refund_id: UUID | None = None) -> None:
        """Store a new version of a payment, and its event."""
        self.payments[payment.id] = payment
        position = StreamPosition(len(self.events) + 1, payment.id, payment.version)
        event = PaymentEvent(
            payment_id=payment.id,
            sequence=payment.version,
            type=new_event.type,
            state=payment.state,
            refund_id=refund_id,
            note=new_event.note,
            event_time=payment.update_time,
            cursor=write_cursor(position, GENERATION),
        )
        self.events.append(event)

    def schedule(self, resource_id: UUID, wait: timedelta | None) -> None:
        self.due.pop(resource_id, None)
        if wait is not None:
            self.due[resource_id] = self.clock() + wait

    def reschedule(self, resource_id: UUID, wait: timedelta | None, attempt: int) -> None:
        """End an attempt, unless a webhook made the resource due soon."""
        if self.is_due_later(resource_id):
            self.attempts[resource_id] = attempt
            self.schedule(resource_id, wait)

    def is_due_later(self, resource_id: UUID) -> bool:
        """Whether it is due, and not within the grace of a webhook."""
        return self.due.get(resource_id, self.clock()) > self.clock() + GRACE

    def expedite(self, resource_id: UUID, wait: timedelta, *, even_if_never: bool = False) -> bool:
        """Make due after `wait` what would be due later or, `even_if_never`, not at all. Returns
        whether it is due now.
        """
        time = self.clock() + wait
        due = self.due.get(resource_id)
        is_later = due > time if due is not None else even_if_never
        if is_later:
            self.due[resource_id] = time
        return is_later and not wait

    def claim(self, among: Container[UUID], limit: int) -> list[UUID]:
        """Claim what is due for as long as a step may last, the longest due first."""
        now = self.clock()
        due = sorted((time, one) for one, time in self.due.items() if one in among)
        claimed = [one for time, one in due if time <= now][:limit]
        for one in claimed:
            self.due[one] = now + CLAIM_LASTS
        return claimed

    def due_with_attempt(self, resource: Listed) -> Due[Listed]:
        """A claimed resource as `claim_due` returns it."""
        return Due(Snapshot(resource, self.clock()), self.attempts.get(resource.id, 0) + 1)


class MemoryPayments:
    """A PaymentRepository."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def find_conflicts(
        self,
        request_id: RequestId,
        reference: Reference | None = None,
        payment_id: UUID | None = None,
    ) -> Conflicts:
        return Conflicts(
            now=self._store.clock(),
            same_request=self._first(lambda one: one.request.request_id == request_id),
            same_id=self._first(lambda one: one.id == payment_id),
            same_reference=self._holder(reference),
            request_id_is_used=request_id in self._store.requests,
        )

    async def insert(self, payment: Payment, insert_by: datetime) -> Payment | None:
        request = payment.request
        found = await self.find_conflicts(request.request_id, request.reference, payment.id)
        same_intent = self._first(lambda one: one.intent_id == payment.intent_id)
        if found.same_request or found.same_id or found.same_reference or same_intent:
            return None
        if found.now >= insert_by:
            return None
        inserted = replace(payment, create_time=found.now, update_time=found.now)
        self._store.write(inserted, NewEvent(EventType.CREATED))
        self._store.schedule(inserted.id, CLAIM_LASTS)
        return inserted

    async def get(self, payment_id: UUID) -> Snapshot[Payment]:
        if payment_id not in self._store.payments:
            raise PaymentNotFound(str(PaymentName(payment_id)))
        return Snapshot(self._store.payments[payment_id], self._store.clock())

    async def save(
        self,
        before: Payment,
        after: Payment,
        event: NewEvent | None,
        request: RequestRecord | None = None,
    ) -> Payment | None:
        row, now = self._store.payments[before.id], self._store.clock()
        holder = self._holder(after.request.reference) if holds_reference(after) else None
        if fence(row) != fence(before):
            return None
        if request and request.request_id in self._store.requests:
            return None
        if holder and holder.id != row.id:
            return None
        saved = replace(after, version=row.version, update_time=row.update_time)
        if event:
            saved = replace(saved, version=row.version + 1, update_time=now)
            self._store.write(saved, event)
            self._store.attempts.pop(row.id, None)
        if request:
            self._store.requests[request.request_id] = request
        self._store.payments[row.id] = saved
        if event is None:
            answer_used_up = saved.idempotency_counter != row.idempotency_counter
            is_scheduled = answer_used_up or self._store.is_due_later(row.id)
        else:
            is_scheduled = event.type not in NON_FINANCIAL_EVENTS
        if is_scheduled:
            self._store.schedule(row.id, None if saved.is_settled else CLAIM_LASTS)
        return saved

    async def find_request(self, request_id: RequestId) -> RequestRecord | None:
        if record := self._store.requests.get(request_id):
            return record
        payment = self._first(lambda one: one.request.request_id == request_id)
        return RequestRecord(request_id, payment.fingerprint, payment.id) if payment else None

    async def list(self, query: PaymentQuery) -> Sequence[Payment]:
        matching = (one for one in self._store.payments.values() if matches(one, query))
        return page(matching, query.after, query.limit, newest_first=query.newest_first)

    async def claim_due(self, limit: int) -> Sequence[Due[Payment]]:
        store = self._store
        claimed = store.claim(store.payments, limit)
        return [store.due_with_attempt(store.payments[one]) for one in claimed]

    async def reschedule(self, read: Payment, wait: timedelta | None, attempt: int) -> None:
        if fence(self._store.payments[read.id]) == fence(read):
            self._store.reschedule(read.id, wait, attempt)

    def _first(self, condition: Callable[[Payment], bool]) -> Payment | None:
        return next(filter(condition, self._store.payments.values()), None)

    def _holder(self, reference: Reference | None) -> Payment | None:
        """The payment that holds the reference."""
        if reference is None:
            return None
        return self._first(lambda one: one.request.reference == reference and holds_reference(one))


class MemoryRefunds:
    """A RefundRepository."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def insert(self, refund: Refund, request: RequestRecord) -> Refund | None:
        payment, now = self._store.payments[refund.payment_id], self._store.clock()
        left = payment.amount_captured - payment.amount_refunded
        if payment.state is not State.SUCCEEDED or refund.amount > left:
            return None
        if request.request_id in self._store.requests or refund.id in self._store.refunds:
            return None
        self._store.requests[request.request_id] = request
        inserted = replace(refund, create_time=now, update_time=now)
        return self._write(inserted, refund.amount, NewEvent(EventType.REFUND_CREATED))

    async def get(self, payment_id: UUID, refund_id: UUID) -> Refund:
        refund = self._store.refunds.get(refund_id)
        if refund is None or refund.payment_id != payment_id:
            raise RefundNotFound(str(RefundName(payment_id, refund_id)))
        return refund

    async def save(
        self, before: Refund, after: Refund, event: NewEvent, by: datetime | None = None
    ) -> Refund | None:
        row, now = self._store.refunds[before.id], self._store.clock()
        if row.version != before.version or (by is not None and now >= by):
            return None
        others = [one for one in self._store.refunds.values() if one.id != row.id]
        if after.processor_id and after.processor_id in {one.processor_id for one in others}:
            raise InvariantViolation("two of our refunds name the same refund of the processor's")
        saved = replace(after, version=row.version + 1, update_time=now)
        fails = saved.state is RefundState.FAILED is not row.state
        self._store.attempts.pop(row.id, None)
        return self._write(saved, -row.amount if fails else 0, event)

    async def list(self, payment_id: UUID, limit: int, after: Position | None) -> Sequence[Refund]:
        refunds = self._store.refunds.values()
        of_payment = (one for one in refunds if one.payment_id == payment_id)
        return page(of_payment, after, limit, newest_first=True)

    async def claim_due(self, limit: int) -> Sequence[Due[Refund]]:
        store = self._store
        claimed = store.claim(store.refunds, limit)
        return [store.due_with_attempt(store.refunds[one]) for one in claimed]

    async def reschedule(self, read: Refund, wait: timedelta | None, attempt: int) -> None:
        if self._store.refunds[read.id].version == read.version:
            self._store.reschedule(read.id, wait, attempt)

    def _write(self, refund: Refund, added: int, event: NewEvent) -> Refund:
        """Store a refund, and with it the change of its payment's sum."""
        self._store.refunds[refund.id] = refund
        self._store.schedule(refund.id, None if refund.is_settled else CLAIM_LASTS)
        row = self._store.payments[refund.payment_id]
        payment = replace(
            row,
            amount_refunded=row.amount_refunded + added,
            version=row.version + 1,
            update_time=refund.update_time,
        )
        self._store.write(payment, event, refund.id)
        return refund


class MemoryNotifications:
    """A NotificationRepository."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def record(self, notification: WebhookNotification) -> bool:
        store, now = self._store, self._store.clock()
        intent_id, refund_id = notification.intent_id, notification.refund_id
        found = [one for one in store.payments.values() if one.intent_id == intent_id]
        if not found or notification.id in store.notifications:
            return False
        kept = store.notifications.items()
        store.notifications = {one: time for one, time in kept if time >= now - KEEP}
        store.notifications[notification.id] = now
        (payment,) = found
        if not refund_id:
            wait = NOW if payment.state in WAITS_FOR_PEOPLE else GRACE
            return store.expedite(payment.id, wait)
        refunds = [one for one in store.refunds.values() if one.payment_id == payment.id]
        expedited = [
            store.expedite(
                one.id,
                NOW if one.processor_id else GRACE,
                even_if_never=one.state is RefundState.SUCCEEDED,
            )
            for one in refunds
            if one.processor_id in {"", refund_id}
        ]
        return any(expedited)


class MemoryEvents:
    """An EventRepository. Nothing is ever half committed here, so the stream needs no bound."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def of_payment(self, payment_id: UUID, limit: int, after: int) -> Sequence[PaymentEvent]:
        return [one for one in self._of(payment_id) if one.sequence > after][:limit]

    async def stream(
        self, payment_id: UUID | None, limit: int, cursor: str
    ) -> Sequence[PaymentEvent]:
        after = read_cursor(cursor, GENERATION)
        events = self._of(payment_id)
        return [one for one in events if read_cursor(one.cursor, GENERATION) > after][:limit]

    def _of(self, payment_id: UUID | None) -> Iterator[PaymentEvent]:
        return (one for one in self._store.events if payment_id in (None, one.payment_id))


def fence(payment: Payment) -> tuple[State, int, int]:
    """What a write tests, so that it changes only the row that was read."""
    return payment.state, payment.idempotency_counter, payment.version


def holds_reference(payment: Payment) -> bool:
    """Whether no other payment may have its reference."""
    return not payment.state.ended_without_money


def matches(payment: Payment, query: PaymentQuery) -> bool:
    """Whether a payment meets every condition of a query."""
    request = payment.request
    return (
        (query.show_deleted or payment.delete_time is None)
        and query.customer in (None, request.customer)
        and query.state in (None, payment.state.public)
        and query.reference in (None, request.reference)
        and query.held in (None, payment.held is not None)
        and all(how.holds(payment.create_time, time) for how, time in query.create_time)
    )


def page(
    resources: Iterable[Listed], after: Position | None, limit: int, *, newest_first: bool
) -> list[Listed]:
    """The first resources after a position, in the order of their creation."""

    def key(one: Listed | Position) -> tuple[datetime, UUID]:
        return one.create_time, one.id

    is_after = operator.lt if newest_first else operator.gt
    found = (one for one in resources if after is None or is_after(key(one), key(after)))
    return sorted(found, key=key, reverse=newest_first)[:limit]
