"""Webhook notifications in PostgreSQL: one statement stores one and makes due what it is about."""

from chassis.database import Pool
from chassis.sql import Statement
from payment.domain.webhook_notification import GRACE, KEEP, WebhookNotification

# A payment that waits for its payer or its merchant is due now: nobody works on it. Any other may be
# worked on just now.
PAYMENT_DUE = """
now() + CASE WHEN state IN ('REQUIRES_ACTION', 'AUTHORIZED') THEN interval '0' ELSE :grace END
"""
REFUND_DUE = "now() + CASE WHEN processor_id IS NULL THEN :grace ELSE interval '0' END"

# What is settled has no due time, and what is due sooner stays so; but a refund that succeeded may be
# sent back long after its last check. A notification about an intent without a payment is not stored:
# it had no effect, and may come again. `old` is a query of its own, which runs once: as a part of the
# DELETE, PostgreSQL may run it again for each row, and delete more than its LIMIT.
RECORD = Statement(f"""
WITH stored AS (
    INSERT INTO webhook_notifications (id, type, payment_id)
    SELECT :id, :type, id FROM payments WHERE intent_id = :intent_id
    ON CONFLICT DO NOTHING
    RETURNING payment_id
), of_payment AS (
    UPDATE payments SET due_time = {PAYMENT_DUE}
      FROM stored
     WHERE :refund_id = '' AND payments.id = payment_id AND due_time > {PAYMENT_DUE}
    RETURNING due_time
), of_refund AS (
    UPDATE refunds SET due_time = {REFUND_DUE}
      FROM stored
     WHERE :refund_id <> '' AND refunds.payment_id = stored.payment_id
       AND (processor_id = :refund_id OR processor_id IS NULL)
       AND (due_time > {REFUND_DUE} OR due_time IS NULL AND state = 'SUCCEEDED')
    RETURNING due_time
), old AS (
    SELECT id FROM webhook_notifications
     WHERE receive_time < now() - :keep::interval ORDER BY receive_time LIMIT 2
       FOR UPDATE SKIP LOCKED
), expired AS (
    DELETE FROM webhook_notifications USING old WHERE webhook_notifications.id = old.id
)
SELECT coalesce(bool_or(due_time <= now()), false)
  FROM (SELECT due_time FROM of_payment UNION ALL SELECT due_time FROM of_refund) AS made_due
""")  # noqa: S608 - put together of the pieces above


class PostgresNotifications:
    """A NotificationRepository on the pool of the service's own database."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def record(self, notification: WebhookNotification) -> bool:
        is_due: bool = await RECORD.fetchval(
            self._pool,
            id=notification.id,
            type=notification.type,
            intent_id=notification.intent_id,
            refund_id=notification.refund_id,
            grace=GRACE,
            keep=KEEP,
        )
        return is_due
