"""Stripe's signature of a webhook (https://docs.stripe.com/webhooks/signature).

`t=1492774577,v1=5257a869...,v1=...`: the time of sending, and for each secret of the endpoint an
HMAC-SHA256 over "{t}.{body}", the body as it came, byte for byte. Other schemes (`v0`) are ignored.

Stripe's own library is not used: it accepts a time in the future, and formats a body of bytes wrongly
(docs/decisions).
"""

import hashlib
import hmac
import re
from collections.abc import Sequence

from payment.domain.webhook_notification import ForgedWebhook

TOLERANCE_SECONDS = 300
"""How far a sender's clock may be from ours, either way: the tolerance of Stripe's own libraries. A copy
of a webhook cannot be replayed after it.
"""
MAX_SIGNATURES = 10
"""Stripe sends one for each valid secret; a stranger must not make us compare many."""
TIME = re.compile("[0-9]{1,12}")


def verify(body: bytes, header: str, secrets: Sequence[str], now: float) -> None:
    """Check that one of the secrets has signed the body, and now.

    Args:
        secrets: one, or two while they are rotated.
        now: seconds since 1970, on the wall clock, as the sender's.

    Raises:
        ForgedWebhook.
    """
    sent_at, signatures = _parts(header)
    signed = sent_at.encode() + b"." + body
    expected = [hmac.new(each.encode(), signed, hashlib.sha256).hexdigest() for each in secrets]
    # All of them, so that the time does not depend on which one matches.
    matches = [
        hmac.compare_digest(one.encode(), other.encode(errors="replace"))
        for one in expected
        for other in signatures
    ]
    if not any(matches):
        raise ForgedWebhook("no signature matches the body and a secret of ours")
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
