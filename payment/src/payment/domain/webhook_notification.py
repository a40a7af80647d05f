"""A hint: the processor told us of its own accord that something happened.

It is never the truth, only a reason to ask for it: it may come twice, late, in any order, or not at
all. So nothing is kept of it but names.
"""

from dataclasses import dataclass
from datetime import timedelta

GRACE = timedelta(seconds=2)
"""How long a hint leaves alone what is just being worked on: the processor often tells of a charge
before its own answer to us is written down, and then there is nothing left to ask.
"""
KEEP = timedelta(days=7)
"""How long hints are kept, to know an event that comes again: Stripe repeats one for three days
(https://docs.stripe.com/webhooks). One that came after that would only ask once more.
"""


@dataclass(frozen=True, slots=True)
class WebhookNotification:
    """What of an event is used.

    id         the processor's, of the event: what comes under it again is the same
    type       the processor's word for what happened; for people
    intent_id  what it is about
    refund_id  the processor's id of the refund that it is about; empty: of the intent itself
    """

    id: str
    type: str
    intent_id: str
    refund_id: str = ""


class ForgedWebhook(Exception):
    """A webhook is not signed with a secret of ours, or not signed now. The text quotes nothing."""


class UnreadableWebhook(Exception):
    """The body of a signed webhook is no event. The text quotes nothing of it."""
