"""Signatures of webhooks: which are accepted as Stripe's."""

import hashlib
import hmac

import pytest
import stripe

from payment.domain.webhook_notification import ForgedWebhook
from payment.processors.stripe.signature import TOLERANCE_SECONDS, verify

BODY = b'{"id": "evt_1"}'
SECRET, OTHER, NOW = "whsec_one", "whsec_other", 1_800_000_000


def signed(*secrets: str, body: bytes = BODY, at: int = NOW) -> str:
    """The header for a body, as Stripe's documentation describes it."""
    signatures = [
        hmac.new(secret.encode(), b"%d.%b" % (at, body), hashlib.sha256).hexdigest()
        for secret in secrets or (SECRET,)
    ]
    return f"t={at}," + ",".join(f"v1={each}" for each in signatures)


def test_a_body_signed_with_our_secret_is_accepted() -> None:
    verify(BODY, signed(), [SECRET], NOW)


def test_a_signature_of_stripes_own_library_is_accepted_and_it_accepts_ours() -> None:
    signature = stripe.WebhookSignature._compute_signature(f"{NOW}.{BODY.decode()}", SECRET)
    verify(
        BODY, f"t={NOW},v1={signature},v0=6ffbb59b2300aae63f272406069a9788598b792a", [SECRET], NOW
    )
    stripe.WebhookSignature.verify_header(BODY.decode(), signed(), SECRET, None)


@pytest.mark.parametrize("signing", [[SECRET], [OTHER], [SECRET, OTHER]])
@pytest.mark.parametrize("known", [[SECRET, OTHER], [OTHER, SECRET]])
def test_while_secrets_are_rotated_a_signature_of_either_is_accepted(
    signing: list[str], known: list[str]
) -> None:
    verify(BODY, signed(*signing), known, NOW)


def test_a_signature_of_a_known_secret_is_accepted_beside_those_of_unknown_ones() -> None:
    verify(BODY, signed("whsec_older", OTHER), [OTHER], NOW)


@pytest.mark.parametrize("late", [TOLERANCE_SECONDS, -TOLERANCE_SECONDS])
def test_a_signature_five_minutes_early_or_late_is_accepted_and_one_second_more_is_not(
    late: int,
) -> None:
    verify(BODY, signed(at=NOW + late), [SECRET], NOW)
    with pytest.raises(ForgedWebhook, match="300 s"):
        verify(BODY, signed(at=NOW + late + (1 if late > 0 else -1)), [SECRET], NOW)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        "t=1800000000",
        f"v1={'0' * 64}",
        f"t=,v1={'0' * 64}",
        f"t=soon,v1={'0' * 64}",
        f"t=-1800000000,v1={'0' * 64}",
        f"t=1800000000,t=1800000000,v1={'0' * 64}",
        f"t=1800000000,v1={'0' * 64}",
        "t=1800000000,v1=",
        "t=1800000000,v1=\udcff",
        f"t=1800000000,v1={'é' * 64}",
    ],
)
def test_a_header_without_a_valid_signature_is_refused(header: str) -> None:
    with pytest.raises(ForgedWebhook):
        verify(BODY, header, [SECRET], NOW)


def test_a_signature_of_another_body_time_scheme_or_secret_is_refused() -> None:
    header = signed()
    for body, sent_header, secret in (
        (BODY + b" ", header, SECRET),
        (BODY, header.replace(str(NOW), str(NOW + 1)), SECRET),
        (BODY, header.replace("v1=", "v0="), SECRET),
        (BODY, header, OTHER),
        (BODY, f"{header},t={NOW + 1}", SECRET),
    ):
        with pytest.raises(ForgedWebhook):
            verify(body, sent_header, [secret], NOW)


def test_a_header_with_too_many_signatures_is_refused() -> None:
    header = signed()
    with pytest.raises(ForgedWebhook, match="too many"):
        verify(BODY, header + f",v1={'0' * 64}" * 10, [SECRET], NOW)


def test_the_text_of_the_refusal_quotes_nothing_of_the_webhook() -> None:
    with pytest.raises(ForgedWebhook) as refused:
        verify(b"4242424242424242", "t=1800000000,v1=hunter2", [SECRET], NOW)
    assert "4242" not in str(refused.value)
    assert "hunter2" not in str(refused.value)
