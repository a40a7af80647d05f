"""Whether a webhook is the processor's."""

import pytest

from payment.domain.webhook_notification import ForgedWebhook
from payment.processors.stripe.signature import TOLERANCE_SECONDS, verify
from sandbox.webhooks import signature

BODY = b'{"id": "evt_1"}'
SECRET, OTHER, NOW = "whsec_one", "whsec_other", 1_800_000_000


def signed(*secrets: str, body: bytes = BODY, at: int = NOW) -> str:
    return signature(body, secrets or (SECRET,), at)


def test_what_a_secret_has_signed_is_taken() -> None:
    verify(BODY, signed(), [SECRET], NOW)


def test_the_bytes_of_stripes_own_library_are_taken() -> None:
    import stripe

    made = stripe.WebhookSignature._compute_signature(f"{NOW}.{BODY.decode()}", SECRET)
    verify(BODY, f"t={NOW},v1={made},v0=6ffbb59b2300aae63f272406069a9788598b792a", [SECRET], NOW)
    stripe.WebhookSignature.verify_header(BODY.decode(), signed(), SECRET, None)


@pytest.mark.parametrize("signs", [[SECRET], [OTHER], [SECRET, OTHER]])
@pytest.mark.parametrize("known", [[SECRET, OTHER], [OTHER, SECRET]])
def test_while_secrets_are_rotated_either_will_do(signs: list[str], known: list[str]) -> None:
    verify(BODY, signed(*signs), known, NOW)


def test_a_new_secret_is_taken_among_signatures_with_old_ones() -> None:
    verify(BODY, signed("whsec_older", OTHER), [OTHER], NOW)


@pytest.mark.parametrize("late", [TOLERANCE_SECONDS, -TOLERANCE_SECONDS])
def test_clocks_may_differ_by_five_minutes_either_way_and_no_more(late: int) -> None:
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
def test_what_nobody_signed_is_refused(header: str) -> None:
    with pytest.raises(ForgedWebhook):
        verify(BODY, header, [SECRET], NOW)


def test_a_signature_is_good_for_its_body_its_time_and_its_scheme_only() -> None:
    header = signed()
    for body, said, secret in (
        (BODY + b" ", header, SECRET),
        (BODY, header.replace(str(NOW), str(NOW + 1)), SECRET),
        (BODY, header.replace("v1=", "v0="), SECRET),
        (BODY, header, OTHER),
        (BODY, f"{header},t={NOW + 1}", SECRET),
    ):
        with pytest.raises(ForgedWebhook):
            verify(body, said, [secret], NOW)


def test_a_stranger_cannot_make_us_compare_for_long() -> None:
    good = signed()
    with pytest.raises(ForgedWebhook, match="too many"):
        verify(BODY, good + f",v1={'0' * 64}" * 10, [SECRET], NOW)


def test_the_reason_holds_nothing_of_what_came() -> None:
    with pytest.raises(ForgedWebhook) as refused:
        verify(b"4242424242424242", "t=1800000000,v1=hunter2", [SECRET], NOW)
    assert "4242" not in str(refused.value)
    assert "hunter2" not in str(refused.value)
