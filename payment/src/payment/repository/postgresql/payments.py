"""Payments in PostgreSQL."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from chassis.database import Pool
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
from payment.service_layer.ports import Due, PaymentQuery, RequestRecord, Snapshot

GET = "SELECT *, now() AS read_time FROM payments WHERE id = $1"

# One row at least, for the clock. A parameter that is NULL finds nothing.
HOLDERS = """
SELECT payments.*, now() AS read_time,
       EXISTS (SELECT FROM requests WHERE request_id = $1) AS is_used
  FROM (SELECT) AS always
  LEFT JOIN payments ON request_id = $1 OR id = $2 OR reference = $3 AND holds_reference
"""

# Without a target, so that whatever is taken makes it no row rather than an error. A conflict with
# an insert under way is waited for, as long as a statement may run: it can be the first copy of
# this very insert, which was sent again because its answer was lost.
INSERT = """
WITH build_payment AS (
    INSERT INTO payments (id, request_id, fingerprint, customer_id, customer_etag, amount,
                          currency_code, payment_method, capture_method, return_url, description,
                          reference, metadata, intent_id, start_by, due_time)
    SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, now() + $16::interval
     WHERE clock_timestamp() < $17 AND set_config('lock_timeout', '0', true) = '0'
    ON CONFLICT DO NOTHING
    RETURNING *
), event AS (
    INSERT INTO payment_events (payment_id, sequence, xid, type, state)
    SELECT id, version, event_xid, 'payment.created', state FROM build_payment
)
SELECT * FROM build_payment
"""

# $5 is the event's type. Where it is NULL nothing happened that is told: an answer was used up, or nothing at
# all happened; then what was hinted at meanwhile stays due. $25 says of what is told that it is no money.
SAVE = """
WITH saved AS (
    UPDATE payments
       SET version = CASE WHEN told THEN version + 1 ELSE version END,
           event_xid = CASE WHEN told THEN greatest(event_xid, pg_current_xact_id())
                            ELSE event_xid END,
           update_time = CASE WHEN told THEN now() ELSE update_time END,
           attempt = CASE WHEN told THEN 0 ELSE attempt END,
           due_time = CASE WHEN $25::boolean THEN due_time
                           WHEN told OR idempotency_counter <> $11 OR due_time > now() + $26::interval
                           THEN now() + $9::interval
                           ELSE due_time END,
           state = $10, idempotency_counter = $11, action_by = $12,
           capture_before = $13, redirect_url = $14, cancel_reason = $15, failure = $16,
           held_reason = $17, held_time = $18, amount_capturing = $19, amount_captured = $20,
           delete_time = $21, description = $22, reference = $23, metadata = $24
      FROM (SELECT $5::event_type IS NOT NULL AS told) AS event_for
     WHERE id = $1 AND state = $2 AND idempotency_counter = $3 AND version = $4
    RETURNING payments.*, told
), event AS (
    INSERT INTO payment_events (payment_id, sequence, xid, type, state, note)
    SELECT id, version, event_xid, $5, state, $6 FROM saved WHERE told
), request AS (
    INSERT INTO requests (request_id, payment_id, fingerprint)
    SELECT $7, id, $8 FROM saved WHERE $7::uuid IS NOT NULL
)
SELECT * FROM saved
"""

FIND_REQUEST = """
SELECT request_id, fingerprint, payment_id, refund_id FROM requests WHERE request_id = $1
 UNION ALL
SELECT request_id, fingerprint, id, NULL FROM payments WHERE request_id = $1
"""

CLAIM_DUE = """
WITH due AS (
    SELECT id FROM payments
     WHERE due_time <= now() ORDER BY due_time LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE payments SET due_time = now() + $2::interval
  FROM due
 WHERE payments.id = due.id
RETURNING payments.id, version, attempt + 1 AS attempt
"""

# Whoever claims or saves sets it due in 25 s; what is due within GRACE by now was hinted at. (A hint
# between a step's question and a save that moves it is overwritten, which costs no more than the 1 s or
# 5 s after which whatever has moved is looked at.)
RESCHEDULE = """
UPDATE payments SET due_time = now() + $4::interval, attempt = $5
 WHERE id = $1 AND version = $2 AND idempotency_counter = $3 AND due_time > clock_timestamp() + $6::interval
"""


class PostgresPayments:
    """A PaymentRepository on the pool of the service's own database."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def look_up(self, request_id: RequestId, reference: Reference | None) -> Conflicts:
        return await self._holders(request_id, None, reference)

    async def holders(self, payment: Payment) -> Conflicts:
        asked = payment.request
        return await self._holders(asked.request_id, payment.id, asked.reference)

    async def insert(self, payment: Payment, insert_by: datetime) -> Payment | None:
        row = await rows.insert(self._pool, INSERT, *rows.birth(payment), CLAIM_LASTS, insert_by)
        return None if row is None else rows.payment(row)

    async def get(self, payment_id: UUID) -> Snapshot:
        row = await self._pool.fetchrow(GET, payment_id)
        if row is None:
            raise PaymentNotFound(str(PaymentName(payment_id)))
        return Snapshot(rows.payment(row), row["read_time"])

    async def save(
        self,
        before: Payment,
        after: Payment,
        event_for: NewEvent | None,
        request: RequestRecord | None = None,
    ) -> Payment | None:
        seen = (before.id, before.state.value, before.idempotency_counter, before.version)
        told = (event_for.type.value, event_for.note) if event_for else (None, "")
        record = (request.request_id.uuid, request.fingerprint) if request else (None, None)
        due = None if after.is_settled else CLAIM_LASTS
        keeps = event_for is not None and event_for.type in NON_FINANCIAL_EVENTS
        row = None
        with suppress(asyncpg.UniqueViolationError):  # of the request_id, or of the reference
            row = await self._pool.fetchrow(
                SAVE, *seen, *told, *record, due, *rows.changeable(after), keeps, GRACE
            )
        return None if row is None else rows.payment(row)

    async def find_request(self, request_id: RequestId) -> RequestRecord | None:
        row = await self._pool.fetchrow(FIND_REQUEST, request_id.uuid)
        if row is None:
            return None
        return RequestRecord(request_id, row["fingerprint"], row["payment_id"], row["refund_id"])

    async def list(self, query: PaymentQuery) -> Sequence[Payment]:
        statement, arguments = select(query)
        return [rows.payment(row) for row in await self._pool.fetch(statement, *arguments)]

    async def claim_due(self, limit: int) -> Sequence[Due]:
        claimed = await self._pool.fetch(CLAIM_DUE, limit, CLAIM_LASTS)
        return [Due(**row) for row in claimed]

    async def reschedule(self, seen: Payment, wait: timedelta | None, attempt: int) -> None:
        what = (seen.id, seen.version, seen.idempotency_counter)
        await self._pool.execute(RESCHEDULE, *what, wait, attempt, GRACE)

    async def _holders(
        self, request_id: RequestId, payment_id: UUID | None, reference: Reference | None
    ) -> Conflicts:
        text = reference and reference.text
        found = await self._pool.fetch(HOLDERS, request_id.uuid, payment_id, text)

        def first(holds: Callable[[rows.Row], bool]) -> Payment | None:
            return next((rows.payment(row) for row in found if holds(row)), None)

        return Conflicts(
            now=found[0]["read_time"],
            same_request=first(lambda row: row["request_id"] == request_id.uuid),
            same_id=first(lambda row: payment_id is not None and row["id"] == payment_id),
            same_reference=first(lambda row: row["holds_reference"] and row["reference"] == text),
            is_used=found[0]["is_used"],
        )
