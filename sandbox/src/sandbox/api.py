"""Stripe's HTTP API: paths, headers and errors around `Sandbox.perform`.

Planned faults are applied here, around the decision.
"""

import asyncio
import base64
import json
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from urllib.parse import parse_qsl

from aiohttp import web

from sandbox import errors, parameters
from sandbox.actions import Action, InjectedFailure, Request, Retrieve
from sandbox.errors import ApiError, Error
from sandbox.faults import Fault, Faults, Kind
from sandbox.form import Form
from sandbox.rendering import API_VERSION, Renderer
from sandbox.sandbox import Sandbox
from sandbox.world import Response

Parse = Callable[[Form, str], Action]

MAX_KEY_LENGTH = 255  # https://docs.stripe.com/api/idempotent_requests
_FAILURES = {
    Kind.FAIL_BEFORE: InjectedFailure.FAILS_BEFORE,
    Kind.FAIL_AFTER: InjectedFailure.FAILS_AFTER,
}


def _retrieve(kind: str) -> Parse:
    return lambda _form, identifier: Retrieve(kind, identifier)


def _list(kind: str) -> Parse:
    return lambda form, _identifier: parameters.listing(form, kind)


# Method, path, the key of EXPANDABLE, and the parser from parameters to an action.
ROUTES: tuple[tuple[str, str, str, Parse], ...] = (
    ("POST", "/v1/payment_intents", "payment_intent", parameters.create_intent),
    ("GET", "/v1/payment_intents", "payment_intents", _list("payment_intent")),
    ("GET", "/v1/payment_intents/{id}", "payment_intent", _retrieve("payment_intent")),
    ("POST", "/v1/payment_intents/{id}/confirm", "payment_intent", parameters.confirm_intent),
    ("POST", "/v1/payment_intents/{id}/capture", "payment_intent", parameters.capture_intent),
    ("POST", "/v1/payment_intents/{id}/cancel", "payment_intent", parameters.cancel_intent),
    ("POST", "/v1/refunds", "", parameters.create_refund),
    ("GET", "/v1/refunds", "", _list("refund")),
    ("GET", "/v1/refunds/{id}", "", _retrieve("refund")),
    ("GET", "/v1/payment_methods/{id}", "", _retrieve("payment_method")),
    ("GET", "/v1/events", "", _list("event")),
    ("GET", "/v1/events/{id}", "", _retrieve("event")),
)


class _ConnectionDropped(Exception):
    """No reply: the connection is closed."""


class Api:
    """The handlers. `latency` is the minimum and the maximum duration of a reply, in seconds."""

    def __init__(
        self, sandbox: Sandbox, faults: Faults, latency: tuple[float, float] = (0.0, 0.0)
    ) -> None:
        self._sandbox = sandbox
        self._faults = faults
        self._latency = latency
        self._executing: set[str] = set()
        self._requests = 0

    def routes(self) -> list[web.RouteDef]:
        """Stripe's paths; any other path under /v1 gets Stripe's 404."""
        known = [
            web.route(method, path, partial(self._handle, parse, expandable))
            for method, path, expandable, parse in ROUTES
        ]
        return [*known, web.route("*", "/v1/{rest:.*}", partial(self._handle, _unrecognised, ""))]

    async def _handle(self, parse: Parse, expandable: str, http: web.Request) -> web.StreamResponse:
        fault: Fault | None = None
        expand: tuple[str, ...] = ()
        key: str | None = None
        try:
            _authenticate(http)
            request = await _parsed(http, parse, expandable)
            key, expand = request.key, request.expand
            fault = self._faults.next_for(f"{http.method} {http.path}")
            response = await self._exclusive(request, fault)
        except ApiError as raised:
            response = Response(raised.error.status, raised.error)
        except _ConnectionDropped:
            return _close(http)
        body = self._body(http, response, expand)
        headers = self._headers(http, key, response)
        if fault and fault.kind is Kind.BREAK_BODY:
            return await _break(http, response.status, headers, body)
        return web.Response(body=body, status=response.status, headers=headers)

    async def _exclusive(self, request: Request, fault: Fault | None) -> Response:
        """Perform a request; reject it while another with the same key is in progress, as Stripe does."""
        if request.key is None:
            return await self._perform(request, fault)
        if request.key in self._executing:
            raise ApiError(errors.key_in_use(request.key))
        self._executing.add(request.key)
        try:
            return await self._perform(request, fault)
        finally:
            self._executing.discard(request.key)

    async def _perform(self, request: Request, fault: Fault | None) -> Response:
        kind = fault.kind if fault else None
        seconds = fault.seconds if fault else 0.0
        one_way = self._faults.uniform(*self._latency) / 2
        await _pause(one_way + (seconds if kind is Kind.SLOW else 0.0))
        if kind is Kind.DROP:
            raise _ConnectionDropped
        if fault and kind is Kind.REFUSE:
            raise ApiError(_error_of(fault.status, request))
        if kind in _FAILURES:
            request = Request(request.action, request.key, request.expand, _FAILURES[kind])
        response = await self._sandbox.perform(request)
        await _pause(one_way + (seconds if kind is Kind.SLOW_REPLY else 0.0))
        if kind is Kind.LOSE_REPLY:
            raise _ConnectionDropped
        return response

    def _body(self, http: web.Request, response: Response, expand: tuple[str, ...]) -> bytes:
        base_url = f"{http.scheme}://{http.host}"
        renderer = Renderer(self._sandbox.world.account, base_url, self._sandbox.owed)
        # Compact: indenting uses Python's slow encoder, which takes half a millisecond here.
        return json.dumps(renderer.response(response, expand), separators=(",", ":")).encode()

    def _headers(self, http: web.Request, key: str | None, response: Response) -> dict[str, str]:
        self._requests += 1
        headers = {
            "Content-Type": "application/json",
            "Request-Id": f"req_{self._sandbox.world.account}{self._requests:06d}",
            "Stripe-Version": http.headers.get("Stripe-Version", API_VERSION),
        }
        if key:
            headers["Idempotency-Key"] = key
        if response.replayed:
            headers["Idempotent-Replayed"] = "true"
        return headers


async def _parsed(http: web.Request, parse: Parse, expandable: str) -> Request:
    is_write = http.method == "POST"
    text = (await http.text()) if is_write else http.query_string
    form = Form(parse_qsl(text, keep_blank_values=True))
    expand = parameters.expansions(form, expandable)
    action = parse(form, http.match_info.get("id", ""))
    form.finish()
    key = http.headers.get("Idempotency-Key") if is_write else None
    if key is not None and not 0 < len(key) <= MAX_KEY_LENGTH:
        raise ApiError(Error(400, f"Idempotency keys have 1 to {MAX_KEY_LENGTH} characters."))
    return Request(action, key, expand)


def _authenticate(http: web.Request) -> None:
    """Accept every test key; reject a live key or none."""
    key = _api_key(http.headers.get("Authorization", ""))
    if not key:
        raise ApiError(
            Error(
                401,
                "You did not provide an API key. You need to provide your API key in the "
                "Authorization header, using Bearer auth (e.g. 'Authorization: Bearer "
                "YOUR_SECRET_KEY'). See https://docs.stripe.com/api#authentication for details.",
            )
        )
    if not key.startswith(("sk_test_", "rk_test_")):
        raise ApiError(Error(401, f"Invalid API Key provided: {key[:7]}***"))


def _api_key(header: str) -> str:
    """The key of Bearer authentication, or the user of Basic, as `curl -u` sends it; empty: none."""
    scheme, _, credentials = header.partition(" ")
    if scheme == "Bearer":
        return credentials
    with suppress(ValueError):
        return base64.b64decode(credentials, validate=True).decode().partition(":")[0]
    return ""


def _unrecognised(_form: Form, _identifier: str) -> Action:
    raise ApiError(
        Error(404, "Unrecognized request URL, or one that the sandbox does not support.")
    )


def _error_of(status: int, request: Request) -> Error:
    """The error for a planned `refuse`."""
    if status == errors.key_in_use("").status:
        return errors.key_in_use(request.key or "none")
    return errors.too_many_requests() if status == 429 else errors.broken(status)


async def _pause(seconds: float) -> None:
    if seconds > 0:
        await asyncio.sleep(seconds)


def _close(http: web.Request) -> web.Response:
    if http.transport:
        http.transport.abort()
    return web.Response()


async def _break(
    http: web.Request, status: int, headers: dict[str, str], body: bytes
) -> web.StreamResponse:
    """Announce the whole body and send half of it."""
    broken = web.StreamResponse(
        status=status, headers={**headers, "Content-Length": str(len(body))}
    )
    await broken.prepare(http)
    await broken.write(body[: len(body) // 2])
    if http.transport:
        http.transport.close()  # after the data is sent; abort() would discard it
    return broken
