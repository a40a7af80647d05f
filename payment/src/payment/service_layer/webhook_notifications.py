"""What becomes of a hint: stored, the thing it is about made due, and looked at without delay.

From the moment it is stored nothing is lost: recovery, in whatever replica, takes up what is due.
Its own recovery need not wait for its next look.
"""

from collections.abc import Callable
from dataclasses import dataclass

from payment.domain.webhook_notification import WebhookNotification
from payment.service_layer.ports import NotificationRepository


@dataclass(frozen=True, slots=True)
class RecordNotification:
    """Takes notifications. `wake`: lets recovery look now."""

    notifications: NotificationRepository
    wake: Callable[[], None]

    async def __call__(self, hint: WebhookNotification) -> None:
        """Returns when the hint may be forgotten by whoever gave it."""
        if await self.notifications.record(hint):
            self.wake()
