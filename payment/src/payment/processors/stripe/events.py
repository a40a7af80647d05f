"""What of a Stripe event is of use: the names of the things that it is about, and no word more.

An event of a type that is not here tells nothing that one that is here does not tell, too
(`charge.succeeded` comes with `payment_intent.succeeded`), or nothing that moves a payment.
"""

import json
import re
from typing import Any

from payment.domain.webhook_notification import UnreadableWebhook, WebhookNotification

NAME = re.compile("[A-Za-z0-9_]{1,255}")
TYPE = re.compile("[a-z0-9_.]{1,255}")
OF_AN_INTENT = "payment_intent."
OF_A_REFUND = ("refund.", "charge.refund.updated")
"""The second is the older name of `refund.updated` (https://docs.stripe.com/api/events/types)."""
BIRTHS = (".created",)
"""An intent that is not confirmed has nothing to tell, and of a refund the answer to our call does."""


def parse_notification(body: bytes) -> WebhookNotification | None:
    """The hint in an event; None where it is of no use. Raises UnreadableWebhook."""
    try:
        event = json.loads(body)
        name, kind, thing = event["id"], event["type"], event["data"]["object"]
        if not NAME.fullmatch(name) or not TYPE.fullmatch(kind) or not isinstance(thing, dict):
            raise UnreadableWebhook("an event without id, type or object")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise UnreadableWebhook(f"no event ({type(error).__name__})") from None
    if kind.endswith(BIRTHS):
        return None
    if kind.startswith(OF_AN_INTENT):
        return _hint(name, kind, thing.get("id"))
    if kind.startswith(OF_A_REFUND) and _is_name(thing.get("id")):
        return _hint(name, kind, thing.get("payment_intent"), thing["id"])
    return None


def _hint(
    name: str, kind: str, intent_id: object, refund_id: str = ""
) -> WebhookNotification | None:
    """None where the event names no intent: a refund of a charge that had none."""
    return (
        WebhookNotification(name, kind, str(intent_id), refund_id) if _is_name(intent_id) else None
    )


def _is_name(text: Any) -> bool:
    return isinstance(text, str) and NAME.fullmatch(text) is not None
