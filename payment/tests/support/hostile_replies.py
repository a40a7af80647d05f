"""Every kind of answer that Stripe's address may give, and what the adapter makes of each."""

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


def a_hold(until: int) -> bytes:
    card = {"capture_before": until}
    return an_intent(latest_charge={"payment_method_details": {"card": card}})


def an_error(status: int, **fields: Any) -> bytes:
    return http(status, json.dumps({"error": {"type": "invalid_request_error", **fields}}))


AWAY = "unknown, and worth asking again soon"
UNKNOWN = "unknown"
FAULTED, MISUSED, REFUSED, NOT_FOUND = "faulted", "misused", "refused", "not found"
PAGE_OF_A_PROXY = "<html><body>Something went wrong</body></html>"

ANSWERS: dict[str, tuple[bytes, str]] = {
    "a closed connection": (b"", AWAY),
    "something that is not HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", AWAY),
    "half of the head": (b"HTTP/1.1 200 OK\r\nContent-Le", AWAY),
    "half of the body": (http(200, json.dumps(INTENT)[:100], length=400), AWAY),
    "half of a refusal": (http(400, '{"error": {"type": "inv', length=400), AWAY),
    "half of a 500": (http(500, "half", length=400), AWAY),
    "a body in chunks that ends early": (
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"id"\r\n',
        AWAY,
    ),
    "a body that claims to be zipped": (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        AWAY,
    ),
    "500 from Stripe": (an_error(500, type="api_error"), FAULTED),
    "500 from a proxy": (http(500, PAGE_OF_A_PROXY), FAULTED),
    "501": (http(501), AWAY),
    "502": (http(502, PAGE_OF_A_PROXY), AWAY),
    "503": (http(503, PAGE_OF_A_PROXY), AWAY),
    "504": (http(504), AWAY),
    "429": (an_error(429, code="rate_limit"), AWAY),
    "429 without a body": (http(429), AWAY),
    "401": (an_error(401), UNKNOWN),
    "403": (an_error(403), UNKNOWN),
    "405": (an_error(405), UNKNOWN),
    "409 for a key in use": (
        an_error(409, type="idempotency_error", code="idempotency_key_in_use"),
        UNKNOWN,
    ),
    "409 for a lock": (an_error(409, code="lock_timeout"), UNKNOWN),
    "410": (an_error(410), UNKNOWN),
    "422": (an_error(422), UNKNOWN),
    "302": (http(302), UNKNOWN),
    "400 from a proxy": (http(400, PAGE_OF_A_PROXY), UNKNOWN),
    "400 with other JSON": (http(400, '{"error": "invalid_grant"}'), UNKNOWN),
    "400 for the rate, as it once was": (an_error(400, code="rate_limit"), UNKNOWN),
    "400 with an error that is nothing": (http(400, '{"error": null}'), AWAY),
    "400 with an error that is a list": (http(400, '{"error": [1]}'), AWAY),
    "400 with fields of other kinds": (
        an_error(400, type={}, code=[], param=[1], message=2.5),
        REFUSED,
    ),
    "402 with fields of other kinds": (an_error(402, payment_intent=[], code={}), REFUSED),
    "402 from a proxy": (http(402, PAGE_OF_A_PROXY), UNKNOWN),
    "404 from a proxy": (http(404, PAGE_OF_A_PROXY), UNKNOWN),
    "400 for a key that was used otherwise": (an_error(400, type="idempotency_error"), MISUSED),
    "400": (an_error(400, code="parameter_invalid_integer"), REFUSED),
    "400 that shows the intent": (
        an_error(400, code="payment_intent_unexpected_state", payment_intent=INTENT),
        REFUSED,
    ),
    "402 without an intent": (an_error(402, type="card_error", code="card_declined"), REFUSED),
    "200 with a page": (http(200, PAGE_OF_A_PROXY), UNKNOWN),
    "200 without a body": (http(200), UNKNOWN),
    "204": (http(204), UNKNOWN),
    # The library trips over it, where it would log it.
    "200 with bytes that are no text": (http(200, b"\xff\xfe\x00"), AWAY),
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
    "200 with a hold beyond all time": (a_hold(10**30), UNKNOWN),
    "200 with a hold beyond the time of this machine": (a_hold(10**17), UNKNOWN),
}
