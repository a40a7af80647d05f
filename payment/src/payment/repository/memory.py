"""The ports' meaning in plain Python: dicts of frozen values and a clock, nothing else.

For tests, and for what tries every interleaving of the use cases: each method is one step, as a
statement is in PostgreSQL, and the same calls always lead to the same store.
"""

import operator
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

from chassis.aip.pages import Position
from chassis.values import Reference, RequestId
from payment.domain.creation import Conflicts
from payment.domain.errors import InvariantViolation, PaymentNotFound, RefundNotFound
from payment.domain.events import NON_FINANCIAL_EVENTS, EventType, NewEvent, PaymentEvent
from payment.domain.payment import Payment, State
from payment.domain.refund import Refund, RefundState
from payment.domain.schedule import CLAIM_LASTS
from payment.domain.values import PaymentName, RefundName
from payment.domain.webhook_notification import GRACE, KEEP, WebhookNotification
from payment.repository import cursor as cursors
from payment.service_layer.ports import Due, DueRefund, PaymentQuery, RequestRecord, Snapshot

NOW = timedelta(0)
WAITED_FOR = {State.REQUIRES_ACTION, State.AUTHORIZED}
ERA = 1
Listed = TypeVar("Listed", Payment, Refund)


@dataclass(slots=True)
class Store:
    """All that is kept, payments and refunds by their ids. The repositories share one."""

    clock: Callable[[], datetime]
    payments: dict[UUID, Payment] = field(default_factory=dict)
    refunds: dict[UUID, Refund] = field(default_factory=dict)
    requests: dict[RequestId, RequestRecord] = field(default_factory=dict)
    events: list[PaymentEvent] = field(default_factory=list)
    due: dict[UUID, datetime] = field(default_factory=dict)
    attempts: dict[UUID, int] = field(default_factory=dict)
    notifications: dict[str, datetime] = field(default_factory=dict)

    def write(self, payment: Payment, event_for: NewEvent, refund_id: UUID | None = None) -> None:
        """Put a new version of a payment in its place, and tell of it."""
        self.payments[payment.id] = payment
        place = cursors.Place(len(self.events) + 1, payment.id, payment.version)
        event = PaymentEvent(
            payment_id=payment.id,
            sequence=payment.version,
            type=event_for.type,
            state=payment.state,
            refund_id=refund_id,
            note=event_for.note,
            event_time=payment.update_time,
            cursor=cursors.written(place, ERA),
        )
        self.events.append(event)

    def schedule(self, each: UUID, wait: timedelta | None) -> None:
        self.due.pop(each, None)
        if wait is not None:
            self.due[each] = self.clock() + wait

    def reschedule(self, each: UUID, wait: timedelta | None, attempt: int) -> None:
        """End an attempt at what is not due soon by now, as it is where a hint has come."""
        if self.is_later(each):
            self.attempts[each] = attempt
            self.schedule(each, wait)

    def is_later(self, each: UUID) -> bool:
        """Whether it is due, and not so soon as what was hinted at."""
        return self.due.get(each, self.clock()) > self.clock() + GRACE

    def hurry(self, each: UUID, wait: timedelta, *, anew: bool = False) -> bool:
        """Make what would be due later, or (`anew`) never again, due after `wait`; whether that is
        now.
        """
        time = self.clock() + wait
        is_later = self.due[each] > time if each in self.due else anew
        if is_later:
            self.due[each] = time
        return is_later and not wait

    def claim(self, among: Container[UUID], limit: int) -> list[UUID]:
        """Take what is due for as long as a step may last, the longest waiting first."""
        now = self.clock()
        due = sorted((time, each) for each, time in self.due.items() if each in among)
        claimed = [each for time, each in due if time <= now][:limit]
        for each in claimed:
            self.due[each] = now + CLAIM_LASTS
        return claimed

    def next_attempt(self, each: UUID) -> int:
        return self.attempts.get(each, 0) + 1


class MemoryPayments:
    """A PaymentRepository."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def look_up(self, request_id: RequestId, reference: Reference | None) -> Conflicts:
        return self._holders(request_id, None, reference)

    async def holders(self, payment: Payment) -> Conflicts:
        asked = payment.request
        return self._holders(asked.request_id, payment.id, asked.reference)

    async def insert(self, payment: Payment, insert_by: datetime) -> Payment | None:
        holders = await self.holders(payment)
        bound = self._first(lambda each: each.intent_id == payment.intent_id)
        if holders.same_request or holders.same_id or holders.same_reference or bound:
            return None
        if holders.now >= insert_by:
            return None
        build_payment = replace(payment, create_time=holders.now, update_time=holders.now)
        self._store.write(build_payment, NewEvent(EventType.CREATED))
        self._store.schedule(build_payment.id, CLAIM_LASTS)
        return build_payment

    async def get(self, payment_id: UUID) -> Snapshot:
        if payment_id not in self._store.payments:
            raise PaymentNotFound(str(PaymentName(payment_id)))
        return Snapshot(self._store.payments[payment_id], self._store.clock())

    async def save(
        self,
        before: Payment,
        after: Payment,
        event_for: NewEvent | None,
        request: RequestRecord | None = None,
    ) -> Payment | None:
        row, now = self._store.payments[before.id], self._store.clock()
        holder = self._living(after.request.reference) if is_living(after) else None
        if (row.state, row.idempotency_counter, row.version) != (
            before.state,
            before.idempotency_counter,
            before.version,
        ):
            return None
        if request and request.request_id in self._store.requests:
            return None
        if holder and holder.id != row.id:
            return None
        saved = replace(after, version=row.version, update_time=row.update_time)
        if event_for:
            saved = replace(saved, version=row.version + 1, update_time=now)
            self._store.write(saved, event_for)
            self._store.attempts.pop(row.id, None)
        if request:
            self._store.requests[request.request_id] = request
        self._store.payments[row.id] = saved
        moves = (
            saved.idempotency_counter != row.idempotency_counter
            if event_for is None
            else event_for.type not in NON_FINANCIAL_EVENTS
        )
        if moves or (event_for is None and self._store.is_later(row.id)):
            self._store.schedule(row.id, None if saved.is_settled else CLAIM_LASTS)
        return saved

    async def find_request(self, request_id: RequestId) -> RequestRecord | None:
        if record := self._store.requests.get(request_id):
            return record
        payment = self._holders(request_id, None, None).same_request
        return RequestRecord(request_id, payment.fingerprint, payment.id) if payment else None

    async def list(self, query: PaymentQuery) -> Sequence[Payment]:
        asked = (each for each in self._store.payments.values() if is_asked(each, query))
        return page(asked, query.after, query.limit, newest_first=query.newest_first)

    async def claim_due(self, limit: int) -> Sequence[Due]:
        claimed = self._store.claim(self._store.payments, limit)
        return [
            Due(each, self._store.payments[each].version, self._store.next_attempt(each))
            for each in claimed
        ]

    async def reschedule(self, seen: Payment, wait: timedelta | None, attempt: int) -> None:
        row = self._store.payments[seen.id]
        if (row.idempotency_counter, row.version) == (seen.idempotency_counter, seen.version):
            self._store.reschedule(row.id, wait, attempt)

    def _first(self, holds: Callable[[Payment], bool]) -> Payment | None:
        return next(filter(holds, self._store.payments.values()), None)

    def _living(self, reference: Reference | None) -> Payment | None:
        if reference is None:
            return None
        return self._first(lambda each: each.request.reference == reference and is_living(each))

    def _holders(
        self, request_id: RequestId, payment_id: UUID | None, reference: Reference | None
    ) -> Conflicts:
        return Conflicts(
            now=self._store.clock(),
            same_request=self._first(lambda each: each.request.request_id == request_id),
            same_id=self._first(lambda each: each.id == payment_id),
            same_reference=self._living(reference),
            is_used=request_id in self._store.requests,
        )


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
        build_payment = replace(refund, create_time=now, update_time=now)
        return self._write(build_payment, refund.amount, NewEvent(EventType.REFUND_CREATED))

    async def get(self, payment_id: UUID, refund_id: UUID) -> Refund:
        refund = self._store.refunds.get(refund_id)
        if refund is None or refund.payment_id != payment_id:
            raise RefundNotFound(str(RefundName(payment_id, refund_id)))
        return refund

    async def save(
        self, before: Refund, after: Refund, event_for: NewEvent, by: datetime | None = None
    ) -> Refund | None:
        row, now = self._store.refunds[before.id], self._store.clock()
        if row.version != before.version or (by is not None and now >= by):
            return None
        others = [each for each in self._store.refunds.values() if each.id != row.id]
        if after.processor_id and after.processor_id in {each.processor_id for each in others}:
            raise InvariantViolation("a refund of the processor's is named for two of ours")
        saved = replace(after, version=row.version + 1, update_time=now)
        fails = saved.state is RefundState.FAILED is not row.state
        self._store.attempts.pop(row.id, None)
        return self._write(saved, -row.amount if fails else 0, event_for)

    async def list(self, payment_id: UUID, limit: int, after: Position | None) -> Sequence[Refund]:
        refunds = self._store.refunds.values()
        of_payment = (each for each in refunds if each.payment_id == payment_id)
        return page(of_payment, after, limit, newest_first=True)

    async def claim_due(self, limit: int) -> Sequence[DueRefund]:
        store, now = self._store, self._store.clock()
        claimed = store.claim(store.refunds, limit)
        return [DueRefund(store.refunds[each], store.next_attempt(each), now) for each in claimed]

    async def reschedule(self, seen: Refund, wait: timedelta | None, attempt: int) -> None:
        if self._store.refunds[seen.id].version == seen.version:
            self._store.reschedule(seen.id, wait, attempt)

    def _write(self, refund: Refund, added: int, event_for: NewEvent) -> Refund:
        """Put a refund in its place, with what it adds to its payment's sum."""
        fails = refund.state is RefundState.FAILED
        self._store.refunds[refund.id] = refund
        self._store.schedule(refund.id, None if fails else CLAIM_LASTS)
        row = self._store.payments[refund.payment_id]
        payment = replace(
            row,
            amount_refunded=row.amount_refunded + added,
            version=row.version + 1,
            update_time=refund.update_time,
        )
        self._store.write(payment, event_for, refund.id)
        return refund


class MemoryNotifications:
    """A NotificationRepository."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def record(self, notification: WebhookNotification) -> bool:
        store, now = self._store, self._store.clock()
        found = [
            each for each in store.payments.values() if each.intent_id == notification.intent_id
        ]
        if not found or notification.id in store.notifications:
            return False
        store.notifications = {
            each: time for each, time in store.notifications.items() if time >= now - KEEP
        }
        store.notifications[notification.id] = now
        (payment,) = found
        if not notification.refund_id:
            return store.hurry(payment.id, NOW if payment.state in WAITED_FOR else GRACE)
        refunds = [each for each in store.refunds.values() if each.payment_id == payment.id]
        asked = [each for each in refunds if each.processor_id in {"", notification.refund_id}]
        made_due = [
            store.hurry(
                each.id,
                NOW if each.processor_id else GRACE,
                anew=each.state is RefundState.SUCCEEDED,
            )
            for each in asked
        ]
        return any(made_due)


class MemoryEvents:
    """An EventRepository. Nothing here is ever half committed, so the stream needs no bound."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def of_payment(self, payment_id: UUID, limit: int, after: int) -> Sequence[PaymentEvent]:
        return [each for each in self._of(payment_id) if each.sequence > after][:limit]

    async def stream(
        self, payment_id: UUID | None, limit: int, cursor: str
    ) -> Sequence[PaymentEvent]:
        after = cursors.read(cursor, ERA)
        events = self._of(payment_id)
        return [each for each in events if cursors.read(each.cursor, ERA) > after][:limit]

    def _of(self, payment_id: UUID | None) -> Iterator[PaymentEvent]:
        return (each for each in self._store.events if payment_id in (None, each.payment_id))


def is_living(payment: Payment) -> bool:
    """Whether nobody else may have its reference."""
    return not payment.state.ended_without_money


def is_asked(payment: Payment, query: PaymentQuery) -> bool:
    """Whether all of a query's restrictions hold for a payment."""
    asked = payment.request
    return (
        (query.show_deleted or payment.delete_time is None)
        and query.customer in (None, asked.customer)
        and query.state in (None, payment.state.listed)
        and query.reference in (None, asked.reference)
        and query.held in (None, payment.held is not None)
        and all(how.holds(payment.create_time, time) for how, time in query.create_time)
    )


def page(
    things: Iterable[Listed], after: Position | None, limit: int, *, newest_first: bool
) -> list[Listed]:
    """The first things behind a place, in the order of their births."""

    def key(thing: Listed | Position) -> tuple[datetime, UUID]:
        return thing.create_time, thing.id

    behind = operator.lt if newest_first else operator.gt
    found = (each for each in things if after is None or behind(key(each), key(after)))
    return sorted(found, key=key, reverse=newest_first)[:limit]
