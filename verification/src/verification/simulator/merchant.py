"""People at the processor's own dashboard: a merchant who captures or cancels there, behind our back,
and the sweeper of intents that nothing was ever bound to.
"""

from collections.abc import Callable
from random import Random
from typing import Any

from payment.repository.memory import Store
from sandbox.actions import CancelIntent, CaptureIntent
from sandbox.mutable_world import MutableWorld
from sandbox.objects import Event, Intent, Status
from verification.simulator.network import Network
from verification.simulator.orders import PRICE
from verification.simulator.weather import DAY

MEDDLES_WITHIN = (1.0, 60.0, 3600.0)
"""Seconds after which at most a merchant touches a hold."""
ORPHAN_AGE = DAY
"""How old an intent without a payment has to be, to be swept (payment.reconciliation.comparison)."""


class Merchant:
    """`meddled`: the intents that somebody else than we captured or canceled."""

    def __init__(
        self,
        random: Random,
        network: Network,
        at_processor: Callable[[Any], Any],
        tell: Callable[[str, str], None] | None,
    ) -> None:
        self.meddled: set[str] = set()
        self._meddles = random.random() < 0.1
        self._random = random
        self._network = network
        self._at_processor = at_processor
        self._tell = tell

    def hear(self, event: Event) -> None:
        """A hold was placed: some merchants take it themselves."""
        if self._meddles and event.type == "payment_intent.amount_capturable_updated":
            wait = self._random.random() * self._random.choice(MEDDLES_WITHIN)
            self._network.later(wait, self._touch, event.object)

    def _touch(self, intent: Intent) -> None:
        action: CaptureIntent | CancelIntent = CancelIntent(intent.id)
        if self._random.random() < 0.7:
            action = CaptureIntent(intent.id, self._random.choice((None, PRICE // 3)))
        answer = self._at_processor(action)
        if isinstance(answer, Intent):
            self.meddled.add(intent.id)
            self._say(f"makes {intent.id} {answer.status.value} with {answer.amount_received}")

    def sweep(self, books: MutableWorld, store: Store, now: int) -> None:
        """Cancel what was never confirmed, is bound to nothing, and is a day old."""
        bound = {payment.intent_id for payment in store.payments.values()}
        for intent in [*books.newest("payment_intent", None)]:
            assert isinstance(intent, Intent)  # noqa: S101 - it is a list of them
            untried = intent.status is Status.REQUIRES_CONFIRMATION
            if untried and intent.id not in bound and now - intent.created >= ORPHAN_AGE:
                self._say(f"sweeps {intent.id}")
                self._at_processor(CancelIntent(intent.id))

    def _say(self, words: str) -> None:
        if self._tell:
            self._tell("at the dashboard", words)
