"""Records a webhook notification: what it is about becomes due, and recovery is woken.

Once it is stored nothing is lost: recovery takes up what is due, in whatever replica.
"""

from collections.abc import Callable
from dataclasses import dataclass

from payment.domain.webhook_notification import WebhookNotification
from payment.service_layer.ports import NotificationRepository


@dataclass(frozen=True, slots=True)
class RecordNotification:
    """Records notifications. `wake`: lets this replica's recovery claim at once."""

    notifications: NotificationRepository
    wake: Callable[[], None]

    async def __call__(self, notification: WebhookNotification) -> None:
        """Returns when the processor need not send the webhook again."""
        if await self.notifications.record(notification):
            self.wake()
