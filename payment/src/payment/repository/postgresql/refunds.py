"""Refunds in PostgreSQL. Each change of one is a version and an event of its payment, too."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from chassis.aip.pages import Position
from chassis.database import Pool
from payment.domain.errors import InvariantViolation, RefundNotFound
from payment.domain.events import NewEvent
from payment.domain.refund import Refund, RefundState
from payment.domain.schedule import CLAIM_LASTS
from payment.domain.values import RefundName
from payment.domain.webhook_notification import GRACE
from payment.repository.postgresql import rows
from payment.service_layer.ports import DueRefund, RequestRecord

REFUNDS = """
SELECT refunds.*, intent_id, currency_code
  FROM refunds JOIN payments ON payments.id = payment_id
"""

# The sum is tested on the newest row, whoever else refunds meanwhile. As with a payment's insert,
# a first copy of this one that may be under way is waited for.
INSERT = """
WITH payment AS (
    UPDATE payments
       SET amount_refunded = amount_refunded + $3, version = version + 1,
           event_xid = greatest(event_xid, pg_current_xact_id()), update_time = now()
     WHERE id = $2 AND state = 'SUCCEEDED' AND amount_refunded + $3 <= amount_captured
       AND set_config('lock_timeout', '0', true) = '0'
    RETURNING *
), build_payment AS (
    INSERT INTO refunds (id, payment_id, amount, reason, due_time)
    SELECT $1, id, $3, $4, now() + $5::interval FROM payment
    RETURNING *
), request AS (
    INSERT INTO requests (request_id, fingerprint, payment_id, refund_id)
    SELECT $6, $7, payment_id, id FROM build_payment
), event AS (
    INSERT INTO payment_events (payment_id, refund_id, sequence, xid, type, state)
    SELECT id, $1, version, event_xid, 'refund.created', state FROM payment
)
SELECT build_payment.*, intent_id, currency_code FROM build_payment, payment
"""

GET = f"{REFUNDS} WHERE refunds.id = $1 AND payment_id = $2"

SAVE = """
WITH saved AS (
    UPDATE refunds
       SET state = $3, failure = $4, processor_id = $5, due_time = now() + $8::interval,
           version = version + 1, update_time = now(), attempt = 0
     WHERE id = $1 AND version = $2 AND ($10::timestamptz IS NULL OR clock_timestamp() < $10)
    RETURNING *
), payment AS (
    UPDATE payments
       SET amount_refunded = amount_refunded - $9, version = payments.version + 1,
           event_xid = greatest(event_xid, pg_current_xact_id()), update_time = now()
      FROM saved
     WHERE payments.id = saved.payment_id
    RETURNING payments.*
), event AS (
    INSERT INTO payment_events (payment_id, refund_id, sequence, xid, type, state, note)
    SELECT id, $1, version, event_xid, $6, state, $7 FROM payment
)
SELECT saved.*, intent_id, currency_code FROM saved, payment
"""

# The first page is what comes before the end of time.
LIST = f"""
{REFUNDS} WHERE payment_id = $1
   AND (refunds.create_time, refunds.id) < (coalesce($2, 'infinity'::timestamptz), $3)
ORDER BY refunds.create_time DESC, refunds.id DESC LIMIT $4
"""

CLAIM_DUE = """
WITH due AS (
    SELECT id FROM refunds
     WHERE due_time <= now() ORDER BY due_time LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE refunds SET due_time = now() + $2::interval
  FROM due, payments
 WHERE refunds.id = due.id AND payments.id = payment_id
RETURNING refunds.*, intent_id, currency_code, now() AS read_time
"""

RESCHEDULE = """
UPDATE refunds SET due_time = now() + $3::interval, attempt = $4
 WHERE id = $1 AND version = $2 AND due_time > clock_timestamp() + $5::interval
"""


class PostgresRefunds:
    """A RefundRepository on the pool of the service's own database."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def insert(self, refund: Refund, request: RequestRecord) -> Refund | None:
        reason = refund.reason and refund.reason.value
        what = (refund.id, refund.payment_id, refund.amount, reason, CLAIM_LASTS)
        record = (request.request_id.uuid, request.fingerprint)
        row = None
        with suppress(asyncpg.UniqueViolationError):  # the request_id was used
            row = await rows.insert(self._pool, INSERT, *what, *record)
        return None if row is None else rows.refund(row)

    async def get(self, payment_id: UUID, refund_id: UUID) -> Refund:
        row = await self._pool.fetchrow(GET, refund_id, payment_id)
        if row is None:
            raise RefundNotFound(str(RefundName(payment_id, refund_id)))
        return rows.refund(row)

    async def save(
        self, before: Refund, after: Refund, event_for: NewEvent, by: datetime | None = None
    ) -> Refund | None:
        fails = after.state is RefundState.FAILED
        given_back = before.amount if fails and before.state is not RefundState.FAILED else 0
        what = (after.state.value, rows.failure(after.failure), after.processor_id or None)
        told = (event_for.type.value, event_for.note)
        due = None if fails else CLAIM_LASTS
        try:
            row = await self._pool.fetchrow(
                SAVE, before.id, before.version, *what, *told, due, given_back, by
            )
        except asyncpg.UniqueViolationError:
            raise InvariantViolation(
                "a refund of the processor's is named for two of ours"
            ) from None
        return None if row is None else rows.refund(row)

    async def list(self, payment_id: UUID, limit: int, after: Position | None) -> Sequence[Refund]:
        place = (after.create_time, after.id) if after else (None, None)
        found = await self._pool.fetch(LIST, payment_id, *place, limit)
        return [rows.refund(row) for row in found]

    async def claim_due(self, limit: int) -> Sequence[DueRefund]:
        claimed = await self._pool.fetch(CLAIM_DUE, limit, CLAIM_LASTS)
        return [
            DueRefund(rows.refund(row), row["attempt"] + 1, row["read_time"]) for row in claimed
        ]

    async def reschedule(self, seen: Refund, wait: timedelta | None, attempt: int) -> None:
        await self._pool.execute(RESCHEDULE, seen.id, seen.version, wait, attempt, GRACE)
