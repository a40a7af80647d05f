"""What leaves the house: exactly these parameters, our key on every POST, nothing about this
machine; and nothing of it in any log.
"""

import json
import logging
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import stripe
import structlog
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
from support.hostile_server import HostileServer, Sent, hostile_server, http

from chassis import telemetry
from chassis.settings import Secret
from payment.domain.machine import Operation, Post
from payment.domain.payment import CaptureMethod
from payment.domain.refund import RefundReason
from payment.domain.values import Money, ReturnUrl
from payment.processors.stripe.adapter import API_VERSION, StripeProcessor

KEY = "sk_test_canary_of_the_key"


@pytest.fixture
async def server() -> AsyncIterator[HostileServer]:
    async with hostile_server() as here:
        here.answers = [http(503)]
        yield here


@pytest.fixture
async def processor(server: HostileServer) -> AsyncIterator[StripeProcessor]:
    async with StripeProcessor(Secret(KEY), server.address + "/", INSTALLATION) as one:
        yield one


def only(server: HostileServer) -> Sent:
    (sent,) = server.sent
    return sent


async def test_a_creation(server: HostileServer, processor: StripeProcessor) -> None:
    await processor.create(ATTEMPT)

    sent = only(server)
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


async def test_a_creation_in_another_currency_to_be_captured_later(
    server: HostileServer, processor: StripeProcessor
) -> None:
    request = replace(
        REQUEST, amount=Money(1500, "ISK"), capture_method=CaptureMethod.MANUAL, description="x"
    )

    await processor.create(replace(ATTEMPT, request=request))

    form = only(server).form
    assert (form["amount"], form["currency"]) == ("150000", "isk")
    assert form["capture_method"] == "manual"
    assert "description" not in form


async def test_a_confirm(server: HostileServer, processor: StripeProcessor) -> None:
    await processor.post(a_payment(), Post(Operation.CONFIRM, 3))

    sent = only(server)
    assert (sent.method, sent.path) == ("POST", "/v1/payment_intents/pi_1/confirm")
    assert sent.headers["idempotency-key"] == f"{INSTALLATION}:{PAYMENT_ID}:confirm:3"
    assert sent.form == {"expand[0]": "latest_charge"}


async def test_a_confirm_with_an_address_to_come_back_to(
    server: HostileServer, processor: StripeProcessor
) -> None:
    request = replace(REQUEST, return_url=ReturnUrl("https://shop.example/back?a=1&b=2"))

    await processor.post(replace(a_payment(), request=request), Post(Operation.CONFIRM, 0))

    assert only(server).form["return_url"] == "https://shop.example/back?a=1&b=2"


async def test_a_capture(server: HostileServer, processor: StripeProcessor) -> None:
    await processor.post(a_payment(), Post(Operation.CAPTURE, 1, 700))

    sent = only(server)
    assert (sent.method, sent.path) == ("POST", "/v1/payment_intents/pi_1/capture")
    assert sent.headers["idempotency-key"] == f"{INSTALLATION}:{PAYMENT_ID}:capture:1"
    assert sent.form == {"amount_to_capture": "700"}


async def test_a_cancel(server: HostileServer, processor: StripeProcessor) -> None:
    await processor.post(a_payment(), Post(Operation.CANCEL, 2))

    sent = only(server)
    assert (sent.method, sent.path) == ("POST", "/v1/payment_intents/pi_1/cancel")
    assert sent.headers["idempotency-key"] == f"{INSTALLATION}:{PAYMENT_ID}:cancel:2"
    assert sent.form == {}


async def test_a_refund(server: HostileServer, processor: StripeProcessor) -> None:
    await processor.refund(a_refund())

    sent = only(server)
    assert (sent.method, sent.path) == ("POST", "/v1/refunds")
    assert sent.headers["idempotency-key"] == f"{INSTALLATION}:{REFUND_ID}:refund"
    assert sent.form == {
        "payment_intent": "pi_1",
        "amount": "400",
        "metadata[refund]": str(REFUND_ID),
        "metadata[payment]": str(PAYMENT_ID),
        "metadata[installation]": INSTALLATION,
    }


async def test_a_refund_with_a_reason(server: HostileServer, processor: StripeProcessor) -> None:
    await processor.refund(a_refund(reason=RefundReason.DUPLICATE))

    assert only(server).form["reason"] == "duplicate"


async def test_nothing_is_sent_of_an_amount_that_stripe_cannot_say(
    server: HostileServer, processor: StripeProcessor
) -> None:
    request = replace(REQUEST, amount=Money(5001, "KWD"))

    await processor.create(replace(ATTEMPT, request=request))
    await processor.post(replace(a_payment(), request=request), Post(Operation.CAPTURE, 0, 5001))
    await processor.refund(a_refund(amount=5001, currency_code="KWD"))

    assert server.sent == []


async def test_a_question(server: HostileServer, processor: StripeProcessor) -> None:
    await processor.retrieve("pi_1")

    sent = only(server)
    assert (sent.method, sent.path) == ("GET", "/v1/payment_intents/pi_1")
    assert sent.query == {"expand[0]": "latest_charge"}
    assert "idempotency-key" not in sent.headers


async def test_a_list(server: HostileServer, processor: StripeProcessor) -> None:
    await processor.refunds("pi_1")

    sent = only(server)
    assert (sent.method, sent.path) == ("GET", "/v1/refunds")
    assert sent.query == {"payment_intent": "pi_1", "limit": "100"}


async def test_every_call_pins_the_version_and_tells_nothing_about_this_machine(
    server: HostileServer, processor: StripeProcessor
) -> None:
    server.answers = [
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
ANSWERS = {
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


@pytest.mark.parametrize("answer", ANSWERS)
async def test_no_key_no_token_and_no_card_gets_into_a_log(
    answer: str,
    server: HostileServer,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Even where all are told to be talkative."""
    telemetry.configure("payment", "json", "debug", fields=("processor_request",))
    logging.getLogger().addHandler(caplog.handler)
    monkeypatch.setattr(_util, "STRIPE_LOG", "debug")
    monkeypatch.setattr(stripe, "log", "debug")
    caplog.set_level(logging.DEBUG)
    server.answers = [ANSWERS[answer]]

    async with StripeProcessor(Secret(KEY), server.address, INSTALLATION) as processor:
        await processor.create(ATTEMPT)
        await processor.refund(a_refund())

    captured = capsys.readouterr()
    said = captured.out + captured.err + caplog.text
    structlog.reset_defaults()
    assert not [secret for secret in SECRETS if secret in said]
    assert KEY not in repr(processor)


async def test_a_key_that_stripe_does_not_take_raises_an_alarm(
    server: HostileServer, processor: StripeProcessor, capsys: pytest.CaptureFixture[str]
) -> None:
    telemetry.configure("payment", "json", fields=("processor_request",))
    server.answers = [
        b"HTTP/1.1 401 Unauthorized\r\nRequest-Id: req_7\r\nContent-Length: 0\r\n\r\n"
    ]
    try:
        await processor.create(ATTEMPT)
    finally:
        structlog.reset_defaults()

    (line,) = map(json.loads, capsys.readouterr().err.splitlines())
    assert (line["level"], line["event"]) == ("error", "processor_api_key_refused")
    assert line["reason"] == "HTTP 401"


async def test_an_intent_that_stripe_does_not_have_is_logged_as_a_reply_that_says_nothing(
    server: HostileServer, processor: StripeProcessor, capsys: pytest.CaptureFixture[str]
) -> None:
    telemetry.configure("payment", "json", fields=("processor_request",))
    server.answers = [http(404, json.dumps({"error": {"code": "resource_missing"}}))]
    try:
        await processor.retrieve("pi_1")
    finally:
        structlog.reset_defaults()

    (line,) = map(json.loads, capsys.readouterr().err.splitlines())
    assert (line["level"], line["event"]) == ("warning", "processor_outcome_unknown")
    assert line["reason"] == "HTTP 404"
