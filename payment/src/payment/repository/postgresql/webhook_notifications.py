"""Hints in PostgreSQL: stored, and what they are about made due, by one statement."""

from chassis.database import Pool
from payment.domain.webhook_notification import GRACE, KEEP, WebhookNotification

# A person is waited for, or a bank: nobody is at it, so now. Anything else is in somebody's hands.
PAYMENT_DUE = """
now() + CASE WHEN state IN ('REQUIRES_ACTION', 'AUTHORIZED') THEN interval '0' ELSE $5 END
"""
REFUND_DUE = "now() + CASE WHEN processor_id IS NULL THEN $5 ELSE interval '0' END"

# What is settled has no due time, and what is due sooner stays so; but a refund that succeeded may be sent
# back long after it was last looked at. A hint of an intent that no row is bound to is not stored: it has
# not done anything yet, and may come again.
RECORD = f"""
WITH stored AS (
    INSERT INTO webhook_notifications (id, type, payment_id)
    SELECT $1, $2, id FROM payments WHERE intent_id = $3
    ON CONFLICT DO NOTHING
    RETURNING payment_id
), of_payment AS (
    UPDATE payments SET due_time = {PAYMENT_DUE}
      FROM stored
     WHERE $4 = '' AND payments.id = payment_id AND due_time > {PAYMENT_DUE}
    RETURNING due_time
), of_refund AS (
    UPDATE refunds SET due_time = {REFUND_DUE}
      FROM stored
     WHERE $4 <> '' AND refunds.payment_id = stored.payment_id
       AND (processor_id = $4 OR processor_id IS NULL)
       AND (due_time > {REFUND_DUE} OR due_time IS NULL AND state = 'SUCCEEDED')
    RETURNING due_time
), expired AS (
    DELETE FROM webhook_notifications WHERE id IN (
        SELECT id FROM webhook_notifications
         WHERE receive_time < now() - $6::interval ORDER BY receive_time LIMIT 2
           FOR UPDATE SKIP LOCKED)
)
SELECT coalesce(bool_or(due_time <= now()), false)
  FROM (SELECT due_time FROM of_payment UNION ALL SELECT due_time FROM of_refund) AS made_due
"""  # noqa: S608 - put together of the pieces above


class PostgresNotifications:
    """A NotificationRepository on the pool of the service's own database."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def record(self, notification: WebhookNotification) -> bool:
        about = (notification.id, notification.type, notification.intent_id, notification.refund_id)
        is_due: bool = await self._pool.fetchval(RECORD, *about, GRACE, KEEP)
        return is_due
