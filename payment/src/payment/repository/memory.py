"""The ports' meaning in plain Python: dicts of frozen values and a clock, nothing else.

For tests, and for what tries every interleaving of the use cases: each method is one step, as a
statement is in PostgreSQL, and the same calls always lead to the same store.
"""

import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

from chassis.values import Reference, RequestId
from payment.domain.birth import Holders
from payment.domain.errors import BrokenRule
from payment.domain.events import EventType, Happening, PaymentEvent
from payment.domain.payment import Payment, State
from payment.domain.refund import Refund, RefundState
from payment.domain.schedule import HOLD
from payment.repository import cursor as cursors
from payment.service_layer.ports import (
    Due,
    ListedState,
    PaymentQuery,
    Position,
    RequestRecord,
    Seen,
)

COMPARE = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
PROCESSING = {State.CONFIRMING, State.CAPTURING, State.CANCELING}
ERA = 1

Thing = TypeVar("Thing", Payment, Refund)


@dataclass(frozen=True, slots=True)
class Kept(Generic[Thing]):
    """A row: a payment or refund, and when it is looked at again."""

    thing: Thing
    due: datetime | None
    attempt: int = 0


@dataclass(slots=True)
class Store:
    """All that is kept. The repositories below share one."""

    clock: Callable[[], datetime]
    payments: dict[UUID, Kept[Payment]] = field(default_factory=dict)
    refunds: dict[UUID, Kept[Refund]] = field(default_factory=dict)
    requests: dict[RequestId, RequestRecord] = field(default_factory=dict)
    events: list[PaymentEvent] = field(default_factory=list)

    def tell(self, payment: Payment, happening: Happening, refund_id: UUID | None = None) -> None:
        """Append the event of a payment's new version."""
        place = cursors.Place(len(self.events) + 1, payment.id, payment.version)
        event = PaymentEvent(
            payment_id=payment.id,
            sequence=payment.version,
            type=happening.type,
            state=payment.state,
            refund_id=refund_id,
            note=happening.note,
            event_time=payment.update_time,
            cursor=cursors.written(place, ERA),
        )
        self.events.append(event)


class MemoryPayments:
    """A PaymentRepository."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def look_up(self, request_id: RequestId, reference: Reference | None) -> Holders:
        return self._holders(request_id, None, reference)

    async def holders(self, payment: Payment) -> Holders:
        asked = payment.request
        return self._holders(asked.request_id, payment.id, asked.reference)

    async def insert(self, payment: Payment, insert_by: datetime) -> Payment | None:
        now = self._store.clock()
        asked = payment.request
        holders = self._holders(asked.request_id, payment.id, asked.reference)
        taken = holders.by_request or holders.by_id or holders.by_reference
        bound = any(each.intent_id == payment.intent_id for each in self._all())
        if now >= insert_by or taken or bound:
            return None
        born = replace(payment, create_time=now, update_time=now)
        self._store.payments[born.id] = Kept(born, now + HOLD)
        self._store.tell(born, Happening(EventType.CREATED))
        return born

    async def get(self, payment_id: UUID) -> Seen | None:
        kept = self._store.payments.get(payment_id)
        return Seen(kept.thing, self._store.clock()) if kept else None

    async def save(
        self,
        before: Payment,
        after: Payment,
        happening: Happening | None,
        request: RequestRecord | None = None,
    ) -> Payment | None:
        kept = self._store.payments[before.id]
        row = kept.thing
        if (row.state, row.n, row.version) != (before.state, before.n, before.version):
            return None
        if request is not None and request.request_id in self._store.requests:
            return None
        holder = self._living(after.request.reference) if is_living(after) else None
        if holder is not None and holder.id != row.id:
            return None
        now = self._store.clock()
        saved = replace(after, version=row.version, update_time=row.update_time)
        attempt = kept.attempt
        if happening is not None:
            saved, attempt = replace(saved, version=row.version + 1, update_time=now), 0
            self._store.tell(saved, happening)
        if request is not None:
            self._store.requests[request.request_id] = request
        due = None if saved.is_settled else now + HOLD
        self._store.payments[row.id] = Kept(saved, due, attempt)
        return saved

    async def find_request(self, request_id: RequestId) -> RequestRecord | None:
        if record := self._store.requests.get(request_id):
            return record
        payment = self._holders(request_id, None, None).by_request
        return RequestRecord(request_id, payment.fingerprint, payment.id) if payment else None

    async def list(self, query: PaymentQuery) -> Sequence[Payment]:
        return page(
            (each for each in self._all() if is_asked(each, query)),
            query.after,
            query.limit,
            newest_first=query.newest_first,
        )

    async def claim_due(self, limit: int) -> Sequence[Due]:
        claimed = claim(self._store.payments, limit, self._store.clock())
        return [Due(kept.thing.id, kept.attempt) for kept in claimed]

    async def postpone(self, seen: Payment, due: datetime | None) -> None:
        kept = self._store.payments[seen.id]
        if (kept.thing.n, kept.thing.version) == (seen.n, seen.version):
            self._store.payments[seen.id] = replace(kept, due=due)

    def _all(self) -> Iterator[Payment]:
        return (kept.thing for kept in self._store.payments.values())

    def _living(self, reference: Reference | None) -> Payment | None:
        if reference is None:
            return None
        having = (each for each in self._all() if each.request.reference == reference)
        return next(filter(is_living, having), None)

    def _holders(
        self, request_id: RequestId, payment_id: UUID | None, reference: Reference | None
    ) -> Holders:
        by_request = (each for each in self._all() if each.request.request_id == request_id)
        by_id = self._store.payments.get(payment_id) if payment_id else None
        return Holders(
            now=self._store.clock(),
            by_request=next(by_request, None),
            by_id=by_id.thing if by_id else None,
            by_reference=self._living(reference),
        )


class MemoryRefunds:
    """A RefundRepository."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def insert(self, refund: Refund, request: RequestRecord) -> Refund | None:
        payment = self._store.payments[refund.payment_id].thing
        left = payment.amount_captured - payment.amount_refunded
        taken = request.request_id in self._store.requests or refund.id in self._store.refunds
        if payment.state is not State.SUCCEEDED or refund.amount > left or taken:
            return None
        now = self._store.clock()
        born = replace(refund, create_time=now, update_time=now)
        self._store.refunds[born.id] = Kept(born, now + HOLD)
        self._store.requests[request.request_id] = request
        self._change(born, born.amount, Happening(EventType.REFUND_CREATED))
        return born

    async def get(self, payment_id: UUID, refund_id: UUID) -> Refund | None:
        kept = self._store.refunds.get(refund_id)
        return kept.thing if kept and kept.thing.payment_id == payment_id else None

    async def save(self, before: Refund, after: Refund, happening: Happening) -> Refund | None:
        row = self._store.refunds[before.id].thing
        if row.version != before.version:
            return None
        others = (kept.thing for kept in self._store.refunds.values() if kept.thing.id != row.id)
        if after.processor_id and after.processor_id in {each.processor_id for each in others}:
            raise BrokenRule("a refund of the processor's is named for two of ours")
        now = self._store.clock()
        saved = replace(after, version=row.version + 1, update_time=now)
        failed = saved.state is RefundState.FAILED
        self._store.refunds[row.id] = Kept(saved, None if failed else now + HOLD)
        given_back = row.amount if failed and row.state is not RefundState.FAILED else 0
        self._change(saved, -given_back, happening)
        return saved

    async def list(self, payment_id: UUID, limit: int, after: Position | None) -> Sequence[Refund]:
        every = (kept.thing for kept in self._store.refunds.values())
        of_payment = (each for each in every if each.payment_id == payment_id)
        return page(of_payment, after, limit, newest_first=True)

    async def claim_due(self, limit: int) -> Sequence[tuple[Refund, int, datetime]]:
        now = self._store.clock()
        claimed = claim(self._store.refunds, limit, now)
        return [(kept.thing, kept.attempt, now) for kept in claimed]

    async def postpone(self, seen: Refund, due: datetime | None) -> None:
        kept = self._store.refunds[seen.id]
        if kept.thing.version == seen.version:
            self._store.refunds[seen.id] = replace(kept, due=due)

    def _change(self, refund: Refund, by: int, happening: Happening) -> None:
        """The payment's part of a refund's change: its sum, its version, its event."""
        kept = self._store.payments[refund.payment_id]
        payment = replace(
            kept.thing,
            amount_refunded=kept.thing.amount_refunded + by,
            version=kept.thing.version + 1,
            update_time=refund.update_time,
        )
        self._store.payments[payment.id] = replace(kept, thing=payment)
        self._store.tell(payment, happening, refund.id)


class MemoryEvents:
    """An EventRepository. Nothing here is ever half committed, so the stream has no bound."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def of_payment(self, payment_id: UUID, limit: int, after: int) -> Sequence[PaymentEvent]:
        return [each for each in self._of(payment_id) if each.sequence > after][:limit]

    async def stream(
        self, payment_id: UUID | None, limit: int, cursor: str
    ) -> Sequence[PaymentEvent]:
        place = cursors.read(cursor, ERA)
        return [each for each in self._of(payment_id) if cursors.read(each.cursor, ERA) > place][
            :limit
        ]

    def _of(self, payment_id: UUID | None) -> Iterator[PaymentEvent]:
        return (each for each in self._store.events if payment_id in (None, each.payment_id))


def is_living(payment: Payment) -> bool:
    """Whether nobody else may have its reference."""
    return payment.state not in {State.FAILED, State.CANCELED}


def is_asked(payment: Payment, query: PaymentQuery) -> bool:
    listed = "PROCESSING" if payment.state in PROCESSING else payment.state.value
    asked = payment.request
    return (
        (query.show_deleted or payment.delete_time is None)
        and query.customer in (None, asked.customer)
        and query.state in (None, ListedState(listed))
        and query.reference in (None, asked.reference and asked.reference.text)
        and query.held in (None, payment.held is not None)
        and all(COMPARE[how](payment.create_time, time) for how, time in query.created)
    )


def page(
    things: Iterator[Thing], after: Position | None, limit: int, *, newest_first: bool
) -> Sequence[Thing]:
    """The first things behind a place, in order."""

    def key(thing: Thing) -> tuple[datetime, UUID]:
        return thing.create_time, thing.id

    ordered = sorted(things, key=key, reverse=newest_first)
    if after is not None:
        behind = operator.lt if newest_first else operator.gt
        ordered = [each for each in ordered if behind(key(each), (after.create_time, after.id))]
    return ordered[:limit]


def claim(rows: dict[UUID, Kept[Thing]], limit: int, now: datetime) -> Sequence[Kept[Thing]]:
    """Take what is due for as long as a step may last, the longest waiting first."""
    due = sorted(
        (kept.due, kept.thing.id) for kept in rows.values() if kept.due and kept.due <= now
    )
    for _, each in due[:limit]:
        rows[each] = replace(rows[each], due=now + HOLD, attempt=rows[each].attempt + 1)
    return [rows[each] for _, each in due[:limit]]
