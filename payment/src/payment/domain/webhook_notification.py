"""A webhook of the processor: it reports that something happened to an intent or a refund.

It is never the truth, only a reason to ask: it may come twice, late, in any order, or not at all. So
nothing but ids is kept of it.
"""

from dataclasses import dataclass
from datetime import timedelta

GRACE = timedelta(seconds=2)
"""How long a webhook leaves alone what is being worked on. The processor often reports a charge before
its own reply to us is stored, and then there is nothing left to ask.
"""
KEEP = timedelta(days=7)
"""How long webhooks are kept, to know an event that comes again. Stripe repeats one for three days
(https://docs.stripe.com/webhooks). One that came after that would only cause one more question.
"""


@dataclass(frozen=True, slots=True)
class WebhookNotification:
    """The ids in a webhook.

    Attributes:
        id: of the event, made by the processor. The same id again is the same event.
        type: the processor's name of the event type; for people.
        intent_id: the intent that it is about.
        refund_id: the processor's id of the refund that it is about; empty for the intent itself.
    """

    id: str
    type: str
    intent_id: str
    refund_id: str = ""


class ForgedWebhook(Exception):
    """A webhook is not signed with a secret of ours, or not signed now. The text quotes nothing."""


class UnreadableWebhook(Exception):
    """The body of a signed webhook is no event. The text quotes nothing of it."""
