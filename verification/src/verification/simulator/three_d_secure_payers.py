"""Payers at the page of 3D Secure: they approve, decline, come too late, or try another card."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from sandbox.actions import Authenticate, ConfirmIntent
from sandbox.objects import Event, Intent
from verification.simulator.fault_profile import HOUR
from verification.simulator.simulated_ports import SimulatedPorts
from verification.simulator.trace import Trace

MAX_WAITS = (20.0, 300.0, 30 * HOUR)
"""Seconds that a payer takes at most; some come after the deadline."""
MAX_WAIT_FOR_OTHER_CARD = 60


@dataclass(frozen=True, slots=True)
class ThreeDSecurePayers:
    """The payers of one run."""

    random: Random
    ports: SimulatedPorts
    at_processor: Callable[[Any], Any]
    trace: Trace

    def on_event(self, event: Event) -> None:
        """Act on an intent that requires action, or another card."""
        random, intent = self.random, event.object
        if not isinstance(intent, Intent):
            return
        if event.type == "payment_intent.requires_action" and random.random() < 0.85:
            wait = random.random() * random.choice(MAX_WAITS)
            self.ports.schedule(wait, self._authenticate, intent.id, random.random() < 0.7)
        failed = event.type == "payment_intent.payment_failed"
        if failed and intent.return_url and random.random() < 0.15:
            wait = random.random() * MAX_WAIT_FOR_OTHER_CARD
            self.ports.schedule(wait, self._try_other_card, intent.id)

    def _authenticate(self, intent: str, approved: bool) -> None:
        self.trace.event(f"{'approves' if approved else 'declines'} {intent}", "the payer")
        self.at_processor(Authenticate(intent, approved))

    def _try_other_card(self, intent: str) -> None:
        """In the browser, with the intent's client secret: the processor allows it."""
        self.trace.event(f"tries another card for {intent}", "the payer")
        self.at_processor(ConfirmIntent(intent, payment_method="pm_card_visa"))
