"""Stripe's signature on a webhook (https://docs.stripe.com/webhooks/signature).

`t=1492774577,v1=5257a869...,v1=...`: the time of sending, and for each secret of the endpoint an
HMAC-SHA256 over "{t}.{body}", the body as it came, byte for byte. Other schemes (`v0`) are passed
over.
"""

import hashlib
import hmac
import re
from collections.abc import Sequence

from payment.domain.webhook_notification import ForgedWebhook

TOLERANCE_SECONDS = 300
"""How far a sender's clock may be from ours, either way: what Stripe's own libraries allow. A copy
that somebody caught cannot be sent again after it.
"""
MAX_SIGNATURES = 10
"""Stripe sends one for each secret that is alive; a stranger must not make us compare for long."""
TIME = re.compile("[0-9]{1,12}")


def verify(body: bytes, header: str, secrets: Sequence[str], now: float) -> None:
    """Raises ForgedWebhook unless one of the secrets has signed the body, about now.

    Args:
        secrets: one, or two while they are rotated.
        now: seconds since 1970, on the wall's clock, as the sender's.
    """
    sent_at, signatures = _parts(header)
    signed = sent_at.encode() + b"." + body
    expected = [hmac.new(each.encode(), signed, hashlib.sha256).hexdigest() for each in secrets]
    # All of them, whichever fits: the time that it takes tells nothing.
    matches = [
        hmac.compare_digest(one.encode(), other.encode(errors="replace"))
        for one in expected
        for other in signatures
    ]
    if not any(matches):
        raise ForgedWebhook("no signature fits the body and a secret of ours")
    if abs(now - int(sent_at)) > TOLERANCE_SECONDS:
        raise ForgedWebhook(f"signed more than {TOLERANCE_SECONDS} s before or after our time")


def _parts(header: str) -> tuple[str, list[str]]:
    """The time, as it was signed, and the signatures of the scheme v1."""
    pairs = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in pairs if name == "t"]
    signatures = [value for name, _, value in pairs if name == "v1"]
    if len(times) != 1 or not TIME.fullmatch(times[0]):
        raise ForgedWebhook("no signature, or one without its time")
    if not 1 <= len(signatures) <= MAX_SIGNATURES:
        raise ForgedWebhook("no signature of the scheme v1, or too many")
    return times[0], signatures
