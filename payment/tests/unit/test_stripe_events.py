"""What of an event is of use: names, and nothing that it says."""

import json
from typing import Any

import pytest

from payment.domain.webhook_notification import UnreadableWebhook, WebhookNotification
from payment.processors.stripe.events import parse_notification


def event(kind: str, **thing: Any) -> bytes:
    return json.dumps({"id": "evt_1", "type": kind, "data": {"object": thing}}).encode()


def test_an_event_of_an_intent_names_it() -> None:
    body = event("payment_intent.succeeded", id="pi_1", amount_received=1, status="succeeded")
    assert parse_notification(body) == WebhookNotification(
        "evt_1", "payment_intent.succeeded", "pi_1"
    )


@pytest.mark.parametrize("kind", ["refund.updated", "refund.failed", "charge.refund.updated"])
def test_an_event_of_a_refund_names_it_and_its_intent(kind: str) -> None:
    body = event(kind, id="re_1", payment_intent="pi_1")
    assert parse_notification(body) == WebhookNotification("evt_1", kind, "pi_1", "re_1")


@pytest.mark.parametrize(
    "body",
    [
        event("payment_intent.created", id="pi_1"),
        event("refund.created", id="re_1", payment_intent="pi_1"),
        event("charge.succeeded", id="ch_1", payment_intent="pi_1"),
        event("customer.created", id="cus_1"),
        event("a.type.of.next.year", id="pi_1"),
        event("payment_intent.succeeded"),
        event("payment_intent.succeeded", id=7),
        event("payment_intent.succeeded", id="pi_1'; DROP TABLE payments"),
        event("refund.updated", id="re_1", payment_intent=None),
        event("refund.updated", payment_intent="pi_1"),
    ],
)
def test_what_is_of_no_use_is_no_hint_and_no_error(body: bytes) -> None:
    assert parse_notification(body) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"null",
        b"[]",
        b"{}",
        b'"evt_1"',
        b'{"id": "evt_1", "type": "payment_intent.succeeded", "data": null}',
        b'{"id": "evt_1", "type": "payment_intent.succeeded", "data": {"object": "pi_1"}}',
        b'{"id": 1, "type": "payment_intent.succeeded", "data": {"object": {"id": "pi_1"}}}',
        b'{"id": "evt 1", "type": "payment_intent.succeeded", "data": {"object": {"id": "pi_1"}}}',
        b'{"id": "evt_1", "type": "\\u0000", "data": {"object": {"id": "pi_1"}}}',
        b"[" * 200_000,
        b"1" * 200_000,
    ],
)
def test_what_is_no_event_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(UnreadableWebhook):
        parse_notification(body)
