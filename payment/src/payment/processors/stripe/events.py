"""Reads Stripe's events: the ids of what one is about, and nothing else.

An event of another type moves no payment, or comes with one of these types (`charge.succeeded` with
`payment_intent.succeeded`).
"""

import json
import re

from payment.domain.webhook_notification import UnreadableWebhook, WebhookNotification

ID = re.compile("[A-Za-z0-9_]{1,255}")
TYPE = re.compile("[a-z0-9_.]{1,255}")
INTENT_TYPES = "payment_intent."
REFUND_TYPES = ("refund.", "charge.refund.updated")
"""The second is the older name of `refund.updated` (https://docs.stripe.com/api/events/types)."""
CREATED_TYPES = (".created",)
"""An intent that was just created is unconfirmed, and our own call has the reply to a refund."""


def parse_notification(body: bytes) -> WebhookNotification | None:
    """The notification in an event; None for a type that moves no payment.

    Raises:
        UnreadableWebhook.
    """
    try:
        event = json.loads(body)
        event_id, type_, resource = event["id"], event["type"], event["data"]["object"]
        well_formed = ID.fullmatch(event_id) and TYPE.fullmatch(type_)
        if not well_formed or not isinstance(resource, dict):
            raise UnreadableWebhook("an event without id, type or object")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise UnreadableWebhook(f"no event ({type(error).__name__})") from None
    intent_id = refund_id = ""
    if type_.endswith(CREATED_TYPES):
        return None
    if type_.startswith(INTENT_TYPES):
        intent_id = _id_in(resource, "id")
    elif type_.startswith(REFUND_TYPES):
        refund_id = _id_in(resource, "id")
        # The refund of an old charge has no intent.
        intent_id = _id_in(resource, "payment_intent") if refund_id else ""
    return WebhookNotification(event_id, type_, intent_id, refund_id) if intent_id else None


def _id_in(resource: dict[str, object], field: str) -> str:
    text = resource.get(field)
    return text if isinstance(text, str) and ID.fullmatch(text) else ""
