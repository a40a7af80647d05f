"""The processor's webhooks: delivered several times, late, in any order, or never."""

from collections.abc import Callable
from random import Random

from payment.domain.webhook_notification import WebhookNotification
from sandbox.objects import Event, Intent
from verification.simulator.simulated_ports import SimulatedPorts

DELIVERIES = (0, 1, 1, 1, 2, 3)
"""How often one webhook is delivered."""
MAX_DELAYS = (0.1, 5.0, 300.0)
"""Seconds until it arrives, at most."""


class WebhookDelivery:
    """The webhooks of one run; half of the runs have none."""

    def __init__(
        self,
        random: Random,
        ports: SimulatedPorts,
        notify: Callable[[WebhookNotification], None],
        trace: Callable[[str, str], None] | None,
    ) -> None:
        self._random = random
        self._ports = ports
        self._notify = notify
        self._trace = trace
        self._is_enabled = random.random() < 0.5

    def on_event(self, event: Event) -> None:
        """Deliver an event's webhook."""
        resource = event.object
        if isinstance(resource, Intent):
            notification = WebhookNotification(event.id, event.type, resource.id)
        else:
            notification = WebhookNotification(event.id, event.type, resource.intent, resource.id)
        for _ in range(self._random.choice(DELIVERIES) if self._is_enabled else 0):
            wait = self._random.random() * self._random.choice(MAX_DELAYS)
            self._ports.schedule(wait, self._arrive, notification)

    def _arrive(self, notification: WebhookNotification) -> None:
        if self._trace:
            about = notification.refund_id or notification.intent_id
            self._trace("the processor", f"webhook {notification.type} of {about}")
        self._notify(notification)
