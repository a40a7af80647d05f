"""Payments in PostgreSQL."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from chassis.aip.resources import Snapshot
from chassis.database import Pool
from chassis.sql import Statement
from chassis.values import Reference, RequestId
from payment.domain.creation import Conflicts
from payment.domain.errors import PaymentNotFound
from payment.domain.events import NON_FINANCIAL_EVENTS, NewEvent
from payment.domain.payment import Payment
from payment.domain.schedule import CLAIM_LASTS
from payment.domain.values import PaymentName
from payment.domain.webhook_notification import GRACE
from payment.repository.postgresql import rows
from payment.repository.postgresql.listing import select
from payment.service_layer.ports import Due, PaymentQuery, RequestRecord

GET = Statement("SELECT *, now() AS read_time FROM payments WHERE id = :id")

# One row at least, for the clock. A parameter that is NULL finds nothing.
FIND_CONFLICTS = Statement("""
SELECT payments.*, now() AS read_time,
       EXISTS (SELECT FROM requests WHERE request_id = :request_id) AS request_id_is_used
  FROM (SELECT) AS always
  LEFT JOIN payments
    ON request_id = :request_id OR id = :id OR reference = :reference AND holds_reference
""")

# ON CONFLICT has no target, so that any conflict makes it no row rather than an error. A conflict
# with an insert that is still running is waited for, as long as a statement may run: it can be the
# first copy of this very insert, sent again because its answer was lost.
INSERT = Statement("""
WITH inserted AS (
    INSERT INTO payments (id, request_id, fingerprint, customer_id, customer_etag, amount,
                          currency_code, payment_method, capture_method, return_url, description,
                          reference, metadata, intent_id, start_by, due_time)
    SELECT :id, :request_id, :fingerprint, :customer_id, :customer_etag, :amount,
           :currency_code, :payment_method, :capture_method, :return_url, :description,
           :reference, :metadata, :intent_id, :start_by, now() + :claim_lasts::interval
     WHERE clock_timestamp() < :insert_by AND set_config('lock_timeout', '0', true) = '0'
    ON CONFLICT DO NOTHING
    RETURNING *
), event AS (
    INSERT INTO payment_events (payment_id, sequence, xid, type, state)
    SELECT id, version, event_xid, 'payment.created', state FROM inserted
)
SELECT * FROM inserted
""")

# Without an event (its type is NULL) an answer was used up, or nothing changed. Then a payment that a
# webhook made due meanwhile stays due. `keeps_due_time`: the event moves no money. Without
# `claim_lasts` (NULL) the payment is settled and never due again.
SAVE = Statement("""
WITH saved AS (
    UPDATE payments
       SET version = CASE WHEN has_event THEN version + 1 ELSE version END,
           event_xid = CASE WHEN has_event THEN greatest(event_xid, pg_current_xact_id())
                            ELSE event_xid END,
           update_time = CASE WHEN has_event THEN now() ELSE update_time END,
           attempt = CASE WHEN has_event THEN 0 ELSE attempt END,
           due_time = CASE WHEN :keeps_due_time::boolean THEN due_time
                           WHEN has_event OR idempotency_counter <> :idempotency_counter
                                OR due_time > now() + :grace::interval
                           THEN now() + :claim_lasts::interval
                           ELSE due_time END,
           state = :state, idempotency_counter = :idempotency_counter, action_by = :action_by,
           capture_before = :capture_before, redirect_url = :redirect_url,
           cancel_reason = :cancel_reason, failure = :failure, held_reason = :held_reason,
           held_time = :held_time, amount_capturing = :amount_capturing,
           amount_captured = :amount_captured, delete_time = :delete_time,
           description = :description, reference = :reference, metadata = :metadata
      FROM (SELECT :event_type::event_type IS NOT NULL AS has_event) AS change
     WHERE id = :id AND state = :state_before AND version = :version_before
       AND idempotency_counter = :idempotency_counter_before
    RETURNING payments.*, has_event
), event AS (
    INSERT INTO payment_events (payment_id, sequence, xid, type, state, note)
    SELECT id, version, event_xid, :event_type, state, :event_note FROM saved WHERE has_event
), request AS (
    INSERT INTO requests (request_id, payment_id, fingerprint)
    SELECT :request_id, id, :request_fingerprint FROM saved WHERE :request_id::uuid IS NOT NULL
)
SELECT * FROM saved
""")

FIND_REQUEST = Statement("""
SELECT request_id, fingerprint, payment_id, refund_id FROM requests
 WHERE request_id = :request_id
 UNION ALL
SELECT request_id, fingerprint, id, NULL FROM payments WHERE request_id = :request_id
""")

CLAIM_DUE = Statement("""
WITH due AS (
    SELECT id FROM payments
     WHERE due_time <= now() ORDER BY due_time LIMIT :limit FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE payments SET due_time = now() + :claim_lasts::interval
  FROM due
 WHERE payments.id = due.id
RETURNING payments.*, now() AS read_time
""")

# A claim or a save makes a payment due in 25 s; one that is due within GRACE was made so by a webhook.
# (A save overwrites a webhook that came between a step's question and that save. This costs no more
# than the 1 s or 5 s after which a changed payment is attempted again.)
RESCHEDULE = Statement("""
UPDATE payments SET due_time = now() + :wait::interval, attempt = :attempt
 WHERE id = :id AND version = :version AND idempotency_counter = :idempotency_counter
   AND due_time > clock_timestamp() + :grace::interval
""")


class PostgresPayments:
    """A PaymentRepository on the pool of the service's own database."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find_conflicts(
        self,
        request_id: RequestId,
        reference: Reference | None = None,
        payment_id: UUID | None = None,
    ) -> Conflicts:
        text = reference and reference.text
        found = await FIND_CONFLICTS.fetch(
            self._pool, request_id=request_id.uuid, id=payment_id, reference=text
        )

        def first(holds: Callable[[rows.Row], bool]) -> Payment | None:
            return next((rows.payment(row) for row in found if holds(row)), None)

        return Conflicts(
            now=found[0]["read_time"],
            same_request=first(lambda row: row["request_id"] == request_id.uuid),
            same_id=first(lambda row: payment_id is not None and row["id"] == payment_id),
            same_reference=first(lambda row: row["holds_reference"] and row["reference"] == text),
            request_id_is_used=found[0]["request_id_is_used"],
        )

    async def insert(self, payment: Payment, insert_by: datetime) -> Payment | None:
        row = await rows.insert(
            self._pool,
            INSERT,
            **rows.request_columns(payment),
            claim_lasts=CLAIM_LASTS,
            insert_by=insert_by,
        )
        return None if row is None else rows.payment(row)

    async def get(self, payment_id: UUID) -> Snapshot[Payment]:
        row = await GET.fetchrow(self._pool, id=payment_id)
        if row is None:
            raise PaymentNotFound(str(PaymentName(payment_id)))
        return Snapshot(rows.payment(row), row["read_time"])

    async def save(
        self,
        before: Payment,
        after: Payment,
        event: NewEvent | None,
        request: RequestRecord | None = None,
    ) -> Payment | None:
        row = None
        with suppress(asyncpg.UniqueViolationError):  # of the request_id, or of the reference
            row = await SAVE.fetchrow(
                self._pool,
                id=before.id,
                state_before=before.state.value,
                version_before=before.version,
                idempotency_counter_before=before.idempotency_counter,
                **rows.changeable_columns(after),
                keeps_due_time=event is not None and event.type in NON_FINANCIAL_EVENTS,
                claim_lasts=None if after.is_settled else CLAIM_LASTS,
                grace=GRACE,
                event_type=event and event.type.value,
                event_note=event.note if event else "",
                request_id=request and request.request_id.uuid,
                request_fingerprint=request and request.fingerprint,
            )
        return None if row is None else rows.payment(row)

    async def find_request(self, request_id: RequestId) -> RequestRecord | None:
        row = await FIND_REQUEST.fetchrow(self._pool, request_id=request_id.uuid)
        if row is None:
            return None
        return RequestRecord(request_id, row["fingerprint"], row["payment_id"], row["refund_id"])

    async def list(self, query: PaymentQuery) -> Sequence[Payment]:
        statement, values = select(query)
        return [rows.payment(row) for row in await statement.fetch(self._pool, **values)]

    async def claim_due(self, limit: int) -> Sequence[Due[Payment]]:
        claimed = await CLAIM_DUE.fetch(self._pool, limit=limit, claim_lasts=CLAIM_LASTS)
        return [
            Due(Snapshot(rows.payment(row), row["read_time"]), row["attempt"] + 1)
            for row in claimed
        ]

    async def reschedule(self, read: Payment, wait: timedelta | None, attempt: int) -> None:
        await RESCHEDULE.execute(
            self._pool,
            id=read.id,
            version=read.version,
            idempotency_counter=read.idempotency_counter,
            wait=wait,
            attempt=attempt,
            grace=GRACE,
        )
