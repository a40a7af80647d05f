"""Every kind of reply that may come from Stripe's address, and what the adapter makes of it."""

import json
from typing import Any

from support.examples import INSTALLATION, PAYMENT_ID
from support.hostile_server import http

INTENT: dict[str, Any] = {
    "id": "pi_1",
    "object": "payment_intent",
    "amount": 1000,
    "amount_received": 1000,
    "currency": "eur",
    "status": "succeeded",
    "metadata": {"payment": str(PAYMENT_ID), "installation": INSTALLATION},
    "last_payment_error": None,
    "latest_charge": "ch_1",
    "next_action": None,
}
REFUND: dict[str, Any] = {
    "id": "re_1",
    "object": "refund",
    "amount": 400,
    "currency": "eur",
    "status": "succeeded",
    "metadata": {},
}


def an_intent(**changes: Any) -> bytes:
    return http(200, json.dumps({**INTENT, **changes}))


def authorized_intent(until: int) -> bytes:
    card = {"capture_before": until}
    return an_intent(latest_charge={"payment_method_details": {"card": card}})


def error_reply(status: int, **fields: Any) -> bytes:
    return http(status, json.dumps({"error": {"type": "invalid_request_error", **fields}}))


UNREACHABLE = "unknown and unreachable"
UNKNOWN = "unknown"
SERVER_ERROR, KEY_CONFLICT = "server error", "idempotency key conflict"
REJECTION, NOT_FOUND = "rejection", "not found"
PROXY_PAGE = "<html><body>Something went wrong</body></html>"

REPLIES: dict[str, tuple[bytes, str]] = {
    "a closed connection": (b"", UNREACHABLE),
    "something that is not HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", UNREACHABLE),
    "half of the head": (b"HTTP/1.1 200 OK\r\nContent-Le", UNREACHABLE),
    "half of the body": (http(200, json.dumps(INTENT)[:100], length=400), UNREACHABLE),
    "half of a refusal": (http(400, '{"error": {"type": "inv', length=400), UNREACHABLE),
    "half of a 500": (http(500, "half", length=400), UNREACHABLE),
    "a body in chunks that ends early": (
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"id"\r\n',
        UNREACHABLE,
    ),
    "a body that claims to be zipped": (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        UNREACHABLE,
    ),
    "500 from Stripe": (error_reply(500, type="api_error"), SERVER_ERROR),
    "500 from a proxy": (http(500, PROXY_PAGE), SERVER_ERROR),
    "501": (http(501), UNREACHABLE),
    "502": (http(502, PROXY_PAGE), UNREACHABLE),
    "503": (http(503, PROXY_PAGE), UNREACHABLE),
    "504": (http(504), UNREACHABLE),
    "429": (error_reply(429, code="rate_limit"), UNREACHABLE),
    "429 without a body": (http(429), UNREACHABLE),
    "401": (error_reply(401), UNKNOWN),
    "403": (error_reply(403), UNKNOWN),
    "405": (error_reply(405), UNKNOWN),
    "409 for a key in use": (
        error_reply(409, type="idempotency_error", code="idempotency_key_in_use"),
        UNKNOWN,
    ),
    "409 for a lock": (error_reply(409, code="lock_timeout"), UNKNOWN),
    "410": (error_reply(410), UNKNOWN),
    "422": (error_reply(422), UNKNOWN),
    "302": (http(302), UNKNOWN),
    "400 from a proxy": (http(400, PROXY_PAGE), UNKNOWN),
    "400 with other JSON": (http(400, '{"error": "invalid_grant"}'), UNKNOWN),
    "400 for the rate, as it once was": (error_reply(400, code="rate_limit"), UNKNOWN),
    "400 with an error that is nothing": (http(400, '{"error": null}'), UNREACHABLE),
    "400 with an error that is a list": (http(400, '{"error": [1]}'), UNREACHABLE),
    "400 with fields of other kinds": (
        error_reply(400, type={}, code=[], param=[1], message=2.5),
        REJECTION,
    ),
    "402 with fields of other kinds": (error_reply(402, payment_intent=[], code={}), REJECTION),
    "402 from a proxy": (http(402, PROXY_PAGE), UNKNOWN),
    "404 from a proxy": (http(404, PROXY_PAGE), UNKNOWN),
    "400 for a key that was used otherwise": (
        error_reply(400, type="idempotency_error"),
        KEY_CONFLICT,
    ),
    "400": (error_reply(400, code="parameter_invalid_integer"), REJECTION),
    "400 that shows the intent": (
        error_reply(400, code="payment_intent_unexpected_state", payment_intent=INTENT),
        REJECTION,
    ),
    "402 without an intent": (error_reply(402, type="card_error", code="card_declined"), REJECTION),
    "200 with a page": (http(200, PROXY_PAGE), UNKNOWN),
    "200 without a body": (http(200), UNKNOWN),
    "204": (http(204), UNKNOWN),
    # The library trips over it, where it would log it.
    "200 with bytes that are no text": (http(200, b"\xff\xfe\x00"), UNREACHABLE),
    "200 with nothing": (http(200, "null"), UNKNOWN),
    "200 with a list": (http(200, "[]"), UNKNOWN),
    "200 with a text": (http(200, '"payment_intent"'), UNKNOWN),
    "200 with a number": (http(200, "1"), UNKNOWN),
    "200 with an empty object": (http(200, "{}"), UNKNOWN),
    "200 with another kind of object": (an_intent(object="charge"), UNKNOWN),
    "200 that is too deep": (http(200, "[" * 100_000), UNKNOWN),
    "200 with a status that is new": (an_intent(status="requires_reauthorization"), UNKNOWN),
    "200 with an amount in words": (an_intent(amount="1000"), UNKNOWN),
    "200 with a fraction": (an_intent(amount=1000.5), UNKNOWN),
    "200 with a whole fraction": (an_intent(amount=1000.0), UNKNOWN),
    "200 with an amount below nothing": (an_intent(amount_received=-1000), UNKNOWN),
    "200 with a truth for an amount": (an_intent(amount_received=True), UNKNOWN),
    "200 without a currency": (an_intent(currency=None), UNKNOWN),
    "200 with an amount that its currency has not": (
        an_intent(amount=150, currency="isk"),
        UNKNOWN,
    ),
    "200 without an id": (an_intent(id=None), UNKNOWN),
    "200 with an id that is none": (an_intent(id="pi_1/../../v1/refunds"), UNKNOWN),
    "200 with an id that is too long": (an_intent(id="p" * 256), UNKNOWN),
    "200 with a status of another kind": (an_intent(status=["succeeded"]), UNKNOWN),
    "200 with a hold beyond all time": (authorized_intent(10**30), UNKNOWN),
    "200 with a hold beyond the time of this machine": (authorized_intent(10**17), UNKNOWN),
}
