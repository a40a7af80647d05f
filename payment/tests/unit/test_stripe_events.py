"""Stripe's events: the ids that are read of them, and nothing else."""

import json
from typing import Any

import pytest

from payment.domain.webhook_notification import UnreadableWebhook, WebhookNotification
from payment.processors.stripe.events import parse_notification


def event(event_type: str, **fields: Any) -> bytes:
    return json.dumps({"id": "evt_1", "type": event_type, "data": {"object": fields}}).encode()


def test_an_event_about_an_intent_gives_its_id() -> None:
    body = event("payment_intent.succeeded", id="pi_1", amount_received=1, status="succeeded")
    assert parse_notification(body) == WebhookNotification(
        "evt_1", "payment_intent.succeeded", "pi_1"
    )


@pytest.mark.parametrize("event_type", ["refund.updated", "refund.failed", "charge.refund.updated"])
def test_an_event_about_a_refund_gives_its_id_and_its_intents(event_type: str) -> None:
    body = event(event_type, id="re_1", payment_intent="pi_1")
    assert parse_notification(body) == WebhookNotification("evt_1", event_type, "pi_1", "re_1")


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
def test_an_event_that_moves_no_payment_gives_no_notification(body: bytes) -> None:
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
def test_a_body_that_is_no_event_is_refused(body: bytes) -> None:
    with pytest.raises(UnreadableWebhook):
        parse_notification(body)
