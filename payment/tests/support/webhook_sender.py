"""Sends webhooks as Stripe does, and as others do."""

import json
import time
from dataclasses import dataclass
from typing import Any

import aiohttp

from payment.api.webhooks import PATH
from sandbox.webhooks import signature

SECRET = "whsec_of_a_test_and_long_enough"


@dataclass(frozen=True, slots=True)
class WebhookSender:
    """Sends to the endpoint at an address."""

    address: str
    session: aiohttp.ClientSession

    @property
    def url(self) -> str:
        return f"http://{self.address}{PATH}"

    async def send(self, body: bytes, header: str | None = None, **more_headers: Any) -> int:
        """Post a body; the status of the reply.

        Args:
            header: the Stripe-Signature header, the right one where it is not given.
        """
        headers = {"Stripe-Signature": signed(body) if header is None else header, **more_headers}
        async with self.session.post(self.url, data=body, headers=headers) as reply:
            return reply.status


def signed(body: bytes, age_seconds: int = 0, secret: str = SECRET) -> str:
    """The Stripe-Signature header of a body."""
    return signature(body, [secret], int(time.time()) - age_seconds)


def event(
    intent_id: str = "pi_1",
    event_id: str = "evt_1",
    event_type: str = "payment_intent.succeeded",
) -> bytes:
    """An event about an intent. What it says of the intent's content is false: nobody may believe it."""
    intent = {"id": intent_id, "object": "payment_intent", "status": "succeeded", "amount": 1}
    return json.dumps({"id": event_id, "type": event_type, "data": {"object": intent}}).encode()
