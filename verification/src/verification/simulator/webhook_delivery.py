"""The processor's webhooks: delivered several times, late, in any order, or never."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from payment.domain.webhook_notification import WebhookNotification
from sandbox.objects import Event, Intent
from verification.simulator.simulated_ports import SimulatedPorts
from verification.simulator.trace import Trace

DELIVERIES = (0, 1, 1, 1, 2, 3)
"""How often one webhook is delivered."""
MAX_DELAYS = (0.1, 5.0, 300.0)
"""Seconds until it arrives, at most."""


@dataclass(slots=True)
class WebhookDelivery:
    """The webhooks of one run; half of the runs have none."""

    random: Random
    ports: SimulatedPorts
    notify: Callable[[WebhookNotification], None]
    trace: Trace
    is_enabled: bool = field(init=False)

    def __post_init__(self) -> None:
        self.is_enabled = self.random.random() < 0.5

    def on_event(self, event: Event) -> None:
        """Deliver an event's webhook."""
        about = event.object
        ids = (about.id,) if isinstance(about, Intent) else (about.intent, about.id)
        notification = WebhookNotification(event.id, event.type, *ids)
        for _ in range(self.random.choice(DELIVERIES) if self.is_enabled else 0):
            wait = self.random.random() * self.random.choice(MAX_DELAYS)
            self.ports.schedule(wait, self._arrive, notification)

    def _arrive(self, notification: WebhookNotification) -> None:
        about = notification.refund_id or notification.intent_id
        self.trace.event(f"webhook {notification.type} of {about}", "the processor")
        self.notify(notification)
