"""Refunds in PostgreSQL. Each change of one is a version and an event of its payment, too."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from chassis.aip.pages import Position
from chassis.aip.resources import Snapshot
from chassis.database import Pool
from chassis.sql import Statement
from payment.domain.errors import InvariantViolation, RefundNotFound
from payment.domain.events import NewEvent
from payment.domain.refund import Refund, RefundState
from payment.domain.schedule import CLAIM_LASTS
from payment.domain.values import RefundName
from payment.domain.webhook_notification import GRACE
from payment.repository.postgresql import rows
from payment.service_layer.ports import Due, RequestRecord

REFUNDS = """
SELECT refunds.*, intent_id, currency_code
  FROM refunds JOIN payments ON payments.id = payment_id
"""

# The sum is tested on the newest row, whoever else refunds meanwhile. As with a payment's insert, a
# first copy of this one that is still running is waited for.
INSERT = Statement("""
WITH payment AS (
    UPDATE payments
       SET amount_refunded = amount_refunded + :amount, version = version + 1,
           event_xid = greatest(event_xid, pg_current_xact_id()), update_time = now()
     WHERE id = :payment_id AND state = 'SUCCEEDED'
       AND amount_refunded + :amount <= amount_captured
       AND set_config('lock_timeout', '0', true) = '0'
    RETURNING *
), inserted AS (
    INSERT INTO refunds (id, payment_id, amount, reason, due_time)
    SELECT :id, id, :amount, :reason, now() + :claim_lasts::interval FROM payment
    RETURNING *
), request AS (
    INSERT INTO requests (request_id, fingerprint, payment_id, refund_id)
    SELECT :request_id, :fingerprint, payment_id, id FROM inserted
), event AS (
    INSERT INTO payment_events (payment_id, refund_id, sequence, xid, type, state)
    SELECT id, :id, version, event_xid, 'refund.created', state FROM payment
)
SELECT inserted.*, intent_id, currency_code FROM inserted, payment
""")

GET = Statement(f"{REFUNDS} WHERE refunds.id = :id AND payment_id = :payment_id")

SAVE = Statement("""
WITH saved AS (
    UPDATE refunds
       SET state = :state, failure = :failure, processor_id = :processor_id,
           due_time = now() + :claim_lasts::interval,
           version = version + 1, update_time = now(), attempt = 0
     WHERE id = :id AND version = :version_before
       AND (:by::timestamptz IS NULL OR clock_timestamp() < :by)
    RETURNING *
), payment AS (
    UPDATE payments
       SET amount_refunded = amount_refunded - :amount_given_back,
           version = payments.version + 1,
           event_xid = greatest(event_xid, pg_current_xact_id()), update_time = now()
      FROM saved
     WHERE payments.id = saved.payment_id
    RETURNING payments.*
), event AS (
    INSERT INTO payment_events (payment_id, refund_id, sequence, xid, type, state, note)
    SELECT id, :id, version, event_xid, :event_type, state, :event_note FROM payment
)
SELECT saved.*, intent_id, currency_code FROM saved, payment
""")

# The first page is what comes before the end of time.
LIST = Statement(f"""
{REFUNDS} WHERE payment_id = :payment_id
   AND (refunds.create_time, refunds.id)
       < (coalesce(:create_time_before, 'infinity'::timestamptz), :id_before)
ORDER BY refunds.create_time DESC, refunds.id DESC LIMIT :limit
""")

CLAIM_DUE = Statement("""
WITH due AS (
    SELECT id FROM refunds
     WHERE due_time <= now() ORDER BY due_time LIMIT :limit FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE refunds SET due_time = now() + :claim_lasts::interval
  FROM due, payments
 WHERE refunds.id = due.id AND payments.id = payment_id
RETURNING refunds.*, intent_id, currency_code, now() AS read_time
""")

RESCHEDULE = Statement("""
UPDATE refunds SET due_time = now() + :wait::interval, attempt = :attempt
 WHERE id = :id AND version = :version AND due_time > clock_timestamp() + :grace::interval
""")


class PostgresRefunds:
    """A RefundRepository on the pool of the service's own database."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def insert(self, refund: Refund, request: RequestRecord) -> Refund | None:
        row = None
        with suppress(asyncpg.UniqueViolationError):  # the request_id was used
            row = await rows.insert(
                self._pool,
                INSERT,
                id=refund.id,
                payment_id=refund.payment_id,
                amount=refund.amount,
                reason=refund.reason and refund.reason.value,
                claim_lasts=CLAIM_LASTS,
                request_id=request.request_id.uuid,
                fingerprint=request.fingerprint,
            )
        return None if row is None else rows.refund(row)

    async def get(self, payment_id: UUID, refund_id: UUID) -> Refund:
        row = await GET.fetchrow(self._pool, id=refund_id, payment_id=payment_id)
        if row is None:
            raise RefundNotFound(str(RefundName(payment_id, refund_id)))
        return rows.refund(row)

    async def save(
        self, before: Refund, after: Refund, event: NewEvent, by: datetime | None = None
    ) -> Refund | None:
        fails = after.state is RefundState.FAILED is not before.state
        try:
            row = await SAVE.fetchrow(
                self._pool,
                id=before.id,
                version_before=before.version,
                state=after.state.value,
                failure=rows.failure(after.failure),
                processor_id=after.processor_id or None,
                claim_lasts=None if after.is_settled else CLAIM_LASTS,
                by=by,
                amount_given_back=before.amount if fails else 0,
                event_type=event.type.value,
                event_note=event.note,
            )
        except asyncpg.UniqueViolationError:
            words = "two of our refunds name the same refund of the processor's"
            raise InvariantViolation(words) from None
        return None if row is None else rows.refund(row)

    async def list(self, payment_id: UUID, limit: int, after: Position | None) -> Sequence[Refund]:
        found = await LIST.fetch(
            self._pool,
            payment_id=payment_id,
            create_time_before=after and after.create_time,
            id_before=after and after.id,
            limit=limit,
        )
        return [rows.refund(row) for row in found]

    async def claim_due(self, limit: int) -> Sequence[Due[Refund]]:
        claimed = await CLAIM_DUE.fetch(self._pool, limit=limit, claim_lasts=CLAIM_LASTS)
        return [
            Due(Snapshot(rows.refund(row), row["read_time"]), row["attempt"] + 1) for row in claimed
        ]

    async def reschedule(self, read: Refund, wait: timedelta | None, attempt: int) -> None:
        await RESCHEDULE.execute(
            self._pool, id=read.id, version=read.version, wait=wait, attempt=attempt, grace=GRACE
        )
