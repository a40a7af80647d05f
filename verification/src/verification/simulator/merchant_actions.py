"""A merchant at the processor's own dashboard, who captures or cancels there behind our back."""

from collections.abc import Callable
from random import Random
from typing import Any

from sandbox.actions import CancelIntent, CaptureIntent
from sandbox.objects import Event, Intent
from verification.simulator.simulated_ports import SimulatedPorts
from verification.world.requests import PRICE

MAX_WAITS = (1.0, 60.0, 3600.0)
"""Seconds after which at the latest a merchant changes an authorized intent."""


class MerchantActions:
    """`changed`: the ids of the intents that the merchant captured or canceled."""

    def __init__(
        self,
        random: Random,
        ports: SimulatedPorts,
        at_processor: Callable[[Any], Any],
        trace: Callable[[str, str], None] | None,
    ) -> None:
        self.changed: set[str] = set()
        self._uses_dashboard = random.random() < 0.1
        self._random = random
        self._ports = ports
        self._at_processor = at_processor
        self._trace = trace

    def on_event(self, event: Event) -> None:
        """Capture or cancel an authorized intent, in some runs."""
        if self._uses_dashboard and event.type == "payment_intent.amount_capturable_updated":
            wait = self._random.random() * self._random.choice(MAX_WAITS)
            self._ports.schedule(wait, self._change, event.object)

    def _change(self, intent: Intent) -> None:
        action: CaptureIntent | CancelIntent = CancelIntent(intent.id)
        if self._random.random() < 0.7:
            action = CaptureIntent(intent.id, self._random.choice((None, PRICE // 3)))
        response = self._at_processor(action)
        if isinstance(response, Intent):
            self.changed.add(intent.id)
            if self._trace:
                became = f"{response.status.value} with {response.amount_received}"
                self._trace("the merchant", f"changes {intent.id} to {became}")
