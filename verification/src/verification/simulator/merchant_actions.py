"""A merchant at the processor's own dashboard, who captures or cancels there behind our back."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from sandbox.actions import CancelIntent, CaptureIntent
from sandbox.objects import Event, Intent
from verification.simulator.simulated_ports import SimulatedPorts
from verification.simulator.trace import Trace
from verification.world.requests import PRICE

MAX_WAITS = (1.0, 60.0, 3600.0)
"""Seconds after which at the latest a merchant changes an authorized intent."""


@dataclass(slots=True)
class MerchantActions:
    """The merchant of one run. `changed`: the ids of the intents that were captured or canceled."""

    random: Random
    ports: SimulatedPorts
    at_processor: Callable[[Any], Any]
    trace: Trace
    changed: set[str] = field(default_factory=set)
    uses_dashboard: bool = field(init=False)

    def __post_init__(self) -> None:
        self.uses_dashboard = self.random.random() < 0.1

    def on_event(self, event: Event) -> None:
        """Capture or cancel an authorized intent, in some runs."""
        if self.uses_dashboard and event.type == "payment_intent.amount_capturable_updated":
            wait = self.random.random() * self.random.choice(MAX_WAITS)
            self.ports.schedule(wait, self._change, event.object)

    def _change(self, intent: Intent) -> None:
        action: CaptureIntent | CancelIntent = CancelIntent(intent.id)
        if self.random.random() < 0.7:
            action = CaptureIntent(intent.id, self.random.choice((None, PRICE // 3)))
        response = self.at_processor(action)
        if isinstance(response, Intent):
            self.changed.add(intent.id)
            became = f"{response.status.value} with {response.amount_received}"
            self.trace.event(f"changes {intent.id} to {became}", "the merchant")
