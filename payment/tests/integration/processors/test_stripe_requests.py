"""What the adapter sends: exactly these parameters, an idempotency key with every POST, nothing about this
machine; and none of it in a log.
"""

import json
import logging
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import stripe
from stripe import _util
from support.examples import (
    ATTEMPT,
    INSTALLATION,
    PAYMENT_ID,
    REFUND_ID,
    REQUEST,
    a_payment,
    a_refund,
)
from support.hostile_server import HostileServer, SentRequest, hostile_server, http

from chassis import telemetry
from chassis.settings import Secret
from payment.domain.evidence import Rejection
from payment.domain.machine import Operation, Post
from payment.domain.payment import CaptureMethod
from payment.domain.refund import RefundReason
from payment.domain.values import Money, PaymentMethod, RequestPart, ReturnUrl
from payment.processors.stripe.adapter import API_VERSION, StripeProcessor

KEY = "sk_test_canary_of_the_key"


@pytest.fixture
async def server() -> AsyncIterator[HostileServer]:
    async with hostile_server() as server:
        server.replies = [http(503)]
        yield server


@pytest.fixture
async def processor(server: HostileServer) -> AsyncIterator[StripeProcessor]:
    async with StripeProcessor(Secret(KEY), server.address + "/", INSTALLATION) as opened:
        yield opened


def only_request(server: HostileServer) -> SentRequest:
    (sent,) = server.sent
    return sent


async def test_a_creation_sends_these_parameters(
    server: HostileServer, processor: StripeProcessor
) -> None:
    await processor.create(ATTEMPT)

    sent = only_request(server)
    assert (sent.method, sent.path) == ("POST", "/v1/payment_intents")
    assert sent.headers["idempotency-key"] == f"{INSTALLATION}:{PAYMENT_ID}:create"
    assert sent.form == {
        "amount": "1000",
        "currency": "eur",
        "payment_method": "pm_card_visa",
        "payment_method_types[0]": "card",
        "capture_method": "automatic",
        "metadata[payment]": str(PAYMENT_ID),
        "metadata[installation]": INSTALLATION,
        "metadata[request_id]": str(REQUEST.request_id),
    }


async def test_a_creation_sends_stripes_units_the_capture_method_and_no_description(
    server: HostileServer, processor: StripeProcessor
) -> None:
    request = replace(
        REQUEST, amount=Money(1500, "ISK"), capture_method=CaptureMethod.MANUAL, description="x"
    )

    await processor.create(replace(ATTEMPT, request=request))

    form = only_request(server).form
    assert (form["amount"], form["currency"]) == ("150000", "isk")
    assert form["capture_method"] == "manual"
    assert "description" not in form


async def test_a_confirmation_sends_these_parameters(
    server: HostileServer, processor: StripeProcessor
) -> None:
    await processor.post(a_payment(), Post(Operation.CONFIRM, 3))

    sent = only_request(server)
    assert (sent.method, sent.path) == ("POST", "/v1/payment_intents/pi_1/confirm")
    assert sent.headers["idempotency-key"] == f"{INSTALLATION}:{PAYMENT_ID}:confirm:3"
    assert sent.form == {"expand[0]": "latest_charge"}


async def test_a_confirmation_sends_the_return_url(
    server: HostileServer, processor: StripeProcessor
) -> None:
    request = replace(REQUEST, return_url=ReturnUrl("https://shop.example/back?a=1&b=2"))

    await processor.post(replace(a_payment(), request=request), Post(Operation.CONFIRM, 0))

    assert only_request(server).form["return_url"] == "https://shop.example/back?a=1&b=2"


async def test_a_capture_sends_its_amount(
    server: HostileServer, processor: StripeProcessor
) -> None:
    await processor.post(a_payment(), Post(Operation.CAPTURE, 1, 700))

    sent = only_request(server)
    assert (sent.method, sent.path) == ("POST", "/v1/payment_intents/pi_1/capture")
    assert sent.headers["idempotency-key"] == f"{INSTALLATION}:{PAYMENT_ID}:capture:1"
    assert sent.form == {"amount_to_capture": "700"}


async def test_a_cancellation_sends_no_parameters(
    server: HostileServer, processor: StripeProcessor
) -> None:
    await processor.post(a_payment(), Post(Operation.CANCEL, 2))

    sent = only_request(server)
    assert (sent.method, sent.path) == ("POST", "/v1/payment_intents/pi_1/cancel")
    assert sent.headers["idempotency-key"] == f"{INSTALLATION}:{PAYMENT_ID}:cancel:2"
    assert sent.form == {}


async def test_a_refund_sends_these_parameters(
    server: HostileServer, processor: StripeProcessor
) -> None:
    await processor.refund(a_refund())

    sent = only_request(server)
    assert (sent.method, sent.path) == ("POST", "/v1/refunds")
    assert sent.headers["idempotency-key"] == f"{INSTALLATION}:{REFUND_ID}:refund"
    assert sent.form == {
        "payment_intent": "pi_1",
        "amount": "400",
        "metadata[refund]": str(REFUND_ID),
        "metadata[payment]": str(PAYMENT_ID),
        "metadata[installation]": INSTALLATION,
    }


async def test_a_refund_sends_its_reason(server: HostileServer, processor: StripeProcessor) -> None:
    await processor.refund(a_refund(reason=RefundReason.DUPLICATE))

    assert only_request(server).form["reason"] == "duplicate"


async def test_an_amount_that_stripes_units_cannot_express_is_never_sent(
    server: HostileServer, processor: StripeProcessor
) -> None:
    request = replace(REQUEST, amount=Money(5001, "KWD"))

    await processor.create(replace(ATTEMPT, request=request))
    await processor.post(replace(a_payment(), request=request), Post(Operation.CAPTURE, 0, 5001))
    await processor.refund(a_refund(amount=5001, currency_code="KWD"))

    assert server.sent == []


@pytest.mark.parametrize("token", ["tok_visa", "card_1", "pm_", "a1"])
async def test_a_payment_method_that_is_none_of_stripes_is_never_sent(
    token: str, server: HostileServer, processor: StripeProcessor
) -> None:
    """Our own rule is wider: any token that begins with a letter."""
    request = replace(REQUEST, payment_method=PaymentMethod(token))

    reply = await processor.create(replace(ATTEMPT, request=request))

    assert reply == Rejection("payment_method_invalid", RequestPart.PAYMENT_METHOD)
    assert server.sent == []


async def test_a_retrieval_sends_no_idempotency_key(
    server: HostileServer, processor: StripeProcessor
) -> None:
    await processor.retrieve("pi_1")

    sent = only_request(server)
    assert (sent.method, sent.path) == ("GET", "/v1/payment_intents/pi_1")
    assert sent.query == {"expand[0]": "latest_charge"}
    assert "idempotency-key" not in sent.headers


async def test_a_list_asks_for_pages_of_a_hundred(
    server: HostileServer, processor: StripeProcessor
) -> None:
    await processor.refunds("pi_1")

    sent = only_request(server)
    assert (sent.method, sent.path) == ("GET", "/v1/refunds")
    assert sent.query == {"payment_intent": "pi_1", "limit": "100"}


async def test_every_call_sends_the_pinned_version_and_nothing_about_this_machine(
    server: HostileServer, processor: StripeProcessor
) -> None:
    server.replies = [
        b"HTTP/1.1 503 Service Unavailable\r\nRequest-Id: req_1\r\nContent-Length: 0\r\n\r\n"
    ]
    await processor.create(ATTEMPT)
    await processor.retrieve("pi_1")  # the second call would bring the first one's timing

    for sent in server.sent:
        assert sent.headers["stripe-version"] == API_VERSION
        assert sent.headers["authorization"] == f"Bearer {KEY}"
        assert "x-stripe-client-telemetry" not in sent.headers
        about_us = json.loads(sent.headers["x-stripe-client-user-agent"])
        assert not {"platform", "telemetry_id", "uname", "hostname"} & about_us.keys()


SECRETS = (KEY, "canary", "pm_card_visa", "4242", "No such")
REPLIES = {
    "a 200": http(200, json.dumps({"id": "pi_canary", "last4": "4242"})),
    "a refusal": http(
        400, json.dumps({"error": {"message": "No such PaymentMethod: 'pm_card_visa'"}})
    ),
    "a refused key": http(401, json.dumps({"error": {"message": f"Invalid API Key: {KEY}"}})),
    "a misused key": http(400, json.dumps({"error": {"type": "idempotency_error"}})),
    "a 500": http(500, "canary"),
    "no text": http(200, b"\xffcanary"),
    "an error that is none": http(400, '{"error": null, "canary": 1}'),
    "a closed connection": b"",
}


@pytest.mark.parametrize("reply", REPLIES)
async def test_no_log_contains_an_api_key_a_token_or_a_card(
    reply: str,
    server: HostileServer,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At the level debug, of the library's logs too."""
    telemetry.configure("payment", "json", "debug", fields=("processor_request",))
    logging.getLogger().addHandler(caplog.handler)
    monkeypatch.setattr(_util, "STRIPE_LOG", "debug")
    monkeypatch.setattr(stripe, "log", "debug")
    caplog.set_level(logging.DEBUG)
    server.replies = [REPLIES[reply]]

    async with StripeProcessor(Secret(KEY), server.address, INSTALLATION) as processor:
        await processor.create(ATTEMPT)
        await processor.refund(a_refund())

    captured = capsys.readouterr()
    logged = captured.out + captured.err + caplog.text
    assert not [secret for secret in SECRETS if secret in logged]
    assert KEY not in repr(processor)


async def test_an_api_key_that_stripe_refuses_is_logged_as_an_error(
    server: HostileServer, processor: StripeProcessor, capsys: pytest.CaptureFixture[str]
) -> None:
    telemetry.configure("payment", "json", fields=("processor_request",))
    server.replies = [
        b"HTTP/1.1 401 Unauthorized\r\nRequest-Id: req_7\r\nContent-Length: 0\r\n\r\n"
    ]

    await processor.create(ATTEMPT)

    (line,) = map(json.loads, capsys.readouterr().err.splitlines())
    assert (line["level"], line["event"]) == ("error", "processor_api_key_refused")
    assert line["reason"] == "HTTP 401"


async def test_an_unknown_intent_is_logged_as_a_warning(
    server: HostileServer, processor: StripeProcessor, capsys: pytest.CaptureFixture[str]
) -> None:
    telemetry.configure("payment", "json", fields=("processor_request",))
    server.replies = [http(404, json.dumps({"error": {"code": "resource_missing"}}))]

    await processor.retrieve("pi_1")

    (line,) = map(json.loads, capsys.readouterr().err.splitlines())
    assert (line["level"], line["event"]) == ("warning", "processor_outcome_unknown")
    assert line["reason"] == "HTTP 404"
