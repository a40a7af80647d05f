"""Payers at the page of 3D Secure, and the processor's webhooks: hints that come twice, late, in any
order, or never.
"""

from collections.abc import Callable
from random import Random
from typing import Any

from payment.domain.webhook_notification import WebhookNotification
from sandbox.actions import Authenticate, ConfirmIntent
from sandbox.mutable_world import MutableWorld
from sandbox.objects import Event, Intent
from verification.simulator.merchant import Merchant
from verification.simulator.network import Network
from verification.simulator.weather import HOUR

DECIDES_WITHIN = (20.0, 300.0, 30 * HOUR)
"""At most how long a payer takes at the page; some come when it is too late."""
NOTIFICATIONS = (0, 1, 1, 1, 2, 3)
"""How often a webhook is sent."""
HINT_DELAYS = (0.1, 5.0, 300.0)


class Payers:
    """Follows the processor's events."""

    def __init__(
        self,
        random: Random,
        books: MutableWorld,
        network: Network,
        merchant: Merchant,
        at_processor: Callable[[Any], Any],
        notify: Callable[[WebhookNotification], None],
        tell: Callable[[str, str], None] | None,
    ) -> None:
        self._random = random
        self._network = network
        self._merchant = merchant
        self._books = books
        self._at_processor = at_processor
        self._notify = notify
        self._tell = tell
        self._seen = 0
        self._does_notify = random.random() < 0.5

    def look(self) -> None:
        """Take up what the processor has announced since."""
        new = self._books.events_after(self._seen)
        if not new:
            return
        self._seen += len(new)
        for name in new:
            event = self._books.find("event", name)
            if isinstance(event, Event):
                self._announce(event)
                self._merchant.hear(event)
                if isinstance(event.object, Intent):
                    self._take(event.type, event.object)

    def _announce(self, event: Event) -> None:
        """The processor's webhook of an event."""
        about = event.object
        if isinstance(about, Intent):
            hint = WebhookNotification(event.id, event.type, about.id)
        else:
            hint = WebhookNotification(event.id, event.type, about.intent, about.id)
        for _ in range(self._random.choice(NOTIFICATIONS) if self._does_notify else 0):
            wait = self._random.random() * self._random.choice(HINT_DELAYS)
            self._network.later(wait, self._remind, hint)

    def _take(self, kind: str, intent: Intent) -> None:
        random = self._random
        if kind == "payment_intent.requires_action" and random.random() < 0.85:
            wait = random.random() * random.choice(DECIDES_WITHIN)
            self._network.later(wait, self._answer, intent.id, random.random() < 0.7)
        if kind == "payment_intent.payment_failed" and intent.return_url and random.random() < 0.15:
            self._network.later(random.random() * 60, self._try_other_card, intent.id)

    def _answer(self, intent: str, approved: bool) -> None:
        self._say(f"{'approves' if approved else 'declines'} {intent}")
        self._at_processor(Authenticate(intent, approved))

    def _try_other_card(self, intent: str) -> None:
        """In the browser, with the intent's client secret: the processor lets it."""
        self._say(f"tries another card for {intent}")
        self._at_processor(ConfirmIntent(intent, payment_method="pm_card_visa"))

    def _remind(self, notification: WebhookNotification) -> None:
        about = notification.refund_id or notification.intent_id
        self._say(f"a webhook about {about}: {notification.type}")
        self._notify(notification)

    def _say(self, words: str) -> None:
        if self._tell:
            self._tell("the payer", words)
