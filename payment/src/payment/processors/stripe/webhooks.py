"""Reads Stripe's webhooks (the port `WebhookReader`): who sent one, and what it is about."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from payment.domain.webhook_notification import WebhookNotification
from payment.processors.stripe.events import parse_notification
from payment.processors.stripe.signature import verify

SIGNATURE_HEADER = "Stripe-Signature"


@dataclass(frozen=True, slots=True)
class StripeWebhookReader:
    """Reads webhooks that are signed with one of the secrets.

    Attributes:
        secrets: the endpoint's signing secret, or two while it is rotated. None: nobody can be
            believed.
        now: seconds since 1970, on the wall clock.
    """

    secrets: Sequence[str]
    now: Callable[[], float] = time.time

    def read(self, body: bytes, headers: Mapping[str, str]) -> WebhookNotification | None:
        """The notification in a webhook; None for an event that moves no payment.

        Raises:
            ForgedWebhook, UnreadableWebhook.
        """
        verify(body, headers.get(SIGNATURE_HEADER, ""), self.secrets, self.now())
        return parse_notification(body)
