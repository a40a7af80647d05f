"""Calls Stripe through its official library on aiohttp: each call once, each reply a value.

Nothing personal is sent: an amount, a token, our own ids. Nothing of it is logged: of a failed call the
log has the status, the code and Stripe's id of the request.
"""

import logging
import re
import ssl
from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp
import stripe
from stripe import _util

from chassis.settings import Secret
from chassis.telemetry import log
from payment.domain.creation import CreationAttempt
from payment.domain.evidence import (
    IdempotencyKeyConflict,
    NotFound,
    OutcomeUnknown,
    Page,
    ProcessorRefund,
    RefundReply,
    Rejection,
    Reply,
    ServerError,
)
from payment.domain.machine import Operation, Post
from payment.domain.payment import CaptureMethod, Payment
from payment.domain.refund import Refund
from payment.domain.values import Money, RequestPart
from payment.processors.stripe.currencies import to_stripe
from payment.processors.stripe.replies import (
    Definite,
    Item,
    Json,
    intent_of,
    page_of,
    processor_refund,
    refund_of,
    refusal_in,
    reply_to,
    reply_to_creation,
    reply_to_retrieval,
)

API_VERSION = "2026-10-28.endive"
"""The version that `replies` reads. Pinned, so that neither an account's setting nor an update of the
library changes the form of a reply (https://docs.stripe.com/api/versioning).
"""
TIMEOUT = aiohttp.ClientTimeout(total=20, connect=5)
"""Seconds. A step assumes that a POST is over after 20 (its due time is 25 s ahead). `connect` includes
the wait for a free connection.
"""
MAX_CONNECTIONS = 500
"""Concurrent calls: half of the 1,024 files that a process may open by default. One more waits, and is
UNAVAILABLE after 5 s, unsent.
"""
PAGE_SIZE = 100  # Stripe's maximum
MAX_PAGES = 100  # of one intent's refunds: 10,000. A longer list counts as incomplete
INTENTS = "/v1/payment_intents"
REFUNDS = "/v1/refunds"
CHARGE = ["latest_charge"]
"""Expanded, for the end of the authorization is in it."""
TOKEN = re.compile("pm_[A-Za-z0-9_]{1,252}")
"""A payment method of Stripe's (https://docs.stripe.com/api/payment_methods)."""
API_KEY_REFUSED = (401, 403)

KNOWN_ERRORS = (stripe.StripeError, aiohttp.ClientError, TimeoutError, OSError)
"""What a call is known to raise. Where the connection breaks inside the body of a reply, the library
raises aiohttp's own errors.
"""

Read = TypeVar("Read")
Failed = TypeVar("Failed")


class StripeProcessor:
    """The port `Processor` on Stripe. Use it as an async context manager, in the loop it serves.

    Args:
        api_key: its account is where the money goes.
        base_address: another place that speaks Stripe's API; None is Stripe itself.
        installation: part of every key and object, so that copies of a database do not mix.
        timeout: for tests of slowness.
    """

    def __init__(
        self,
        api_key: Secret,
        base_address: str | None,
        installation: str,
        timeout: aiohttp.ClientTimeout = TIMEOUT,
    ) -> None:
        self._api_key = api_key
        self._base_address = base_address or stripe.DEFAULT_API_BASE
        self.installation = installation
        self._timeout = timeout

    async def __aenter__(self) -> Self:
        disable_library_logs()
        trusted = ssl.create_default_context(cafile=stripe.ca_bundle_path)
        connector = aiohttp.TCPConnector(limit=MAX_CONNECTIONS, ssl=trusted)
        self._session = aiohttp.ClientSession(connector=connector)
        self._client = stripe.StripeClient(
            self._api_key.reveal(),
            base_addresses={"api": self._base_address.rstrip("/")},
            stripe_version=API_VERSION,
            max_network_retries=0,  # a retry is recovery's, which asks before it tries again
            http_client=stripe.AIOHTTPClient(timeout=self._timeout, session=self._session),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._session.close()

    def supports_amount(self, amount: Money) -> bool:
        """Whether Stripe's units can express this amount."""
        return isinstance(to_stripe(amount.minor_units, amount.currency_code), int)

    async def create(self, attempt: CreationAttempt) -> Reply:
        """Create an unconfirmed intent. A Rejection, without asking, of what Stripe cannot take."""
        request = attempt.request
        if not TOKEN.fullmatch(request.payment_method.token):
            return Rejection("payment_method_invalid", RequestPart.PAYMENT_METHOD)
        amount = request.amount
        manual = request.capture_method is CaptureMethod.MANUAL
        stripe_amount = to_stripe(amount.minor_units, amount.currency_code)
        if isinstance(stripe_amount, Rejection):
            return stripe_amount
        return await self.call(
            intent_of,
            reply_to_creation,
            "post",
            INTENTS,
            idempotency_key=f"{self.installation}:{attempt.id}:create",
            amount=stripe_amount,
            currency=amount.currency_code.lower(),
            payment_method=request.payment_method.token,
            # Without it Stripe chooses methods, and then refuses a confirm without a return_url.
            payment_method_types=["card"],
            capture_method="manual" if manual else "automatic",
            metadata={
                "payment": str(attempt.id),
                "installation": self.installation,
                "request_id": str(request.request_id),
            },
        )

    async def retrieve(self, intent_id: str) -> Reply:
        """The intent as it is now."""
        path = f"{INTENTS}/{intent_id}"
        return await self.call(intent_of, reply_to_retrieval, "get", path, expand=CHARGE)

    async def post(self, payment: Payment, post: Post) -> Reply:
        """Confirm, capture or cancel."""
        request = payment.request
        params: dict[str, Any] = {}
        if post.operation is Operation.CONFIRM:
            params["expand"] = CHARGE
            if request.return_url:
                params["return_url"] = request.return_url.address
        if post.operation is Operation.CAPTURE:
            amount = to_stripe(post.amount, request.amount.currency_code)
            if isinstance(amount, Rejection):
                return amount
            params["amount_to_capture"] = amount
        return await self.call(
            intent_of,
            reply_to,
            "post",
            f"{INTENTS}/{payment.intent_id}/{post.operation.value}",
            idempotency_key=post.key(self.installation, payment.id),
            **params,
        )

    async def refund(self, refund: Refund) -> RefundReply:
        """Create a refund. The amount is always sent: "all that is left" changes."""
        amount = to_stripe(refund.amount, refund.currency_code)
        if isinstance(amount, Rejection):
            return amount
        reason = {"reason": refund.reason.value} if refund.reason else {}
        return await self.call(
            refund_of,
            refusal_in,
            "post",
            REFUNDS,
            idempotency_key=refund.key(self.installation),
            payment_intent=refund.intent_id,
            amount=amount,
            metadata={
                "refund": str(refund.id),
                "payment": str(refund.payment_id),
                "installation": self.installation,
            },
            **reason,
        )

    async def refunds(self, intent_id: str) -> Sequence[ProcessorRefund] | OutcomeUnknown:
        """Every refund of an intent, page by page; OutcomeUnknown unless every page came."""
        found: list[ProcessorRefund] = []
        after = ""
        for _ in range(MAX_PAGES):
            page = await self.page(processor_refund, REFUNDS, after, payment_intent=intent_id)
            if isinstance(page, OutcomeUnknown):
                return page
            found += page.items
            if not page.has_more:
                return found
            if not page.items:
                return OutcomeUnknown("an empty page that is not the last")
            after = page.items[-1].id
        return OutcomeUnknown(f"more than {MAX_PAGES} pages of refunds")

    async def page(
        self, item_of: Callable[[Json], Item], path: str, after: str, **params: Any
    ) -> Page[Item] | OutcomeUnknown:
        """The page of a list after the item `after`. A refusal proves nothing either."""
        read = partial(page_of, item_of)
        place = {"starting_after": after} if after else {}
        page = await self.call(read, refusal_in, "get", path, limit=PAGE_SIZE, **place, **params)
        return OutcomeUnknown("the list was refused") if isinstance(page, Definite) else page

    async def call(
        self,
        read: Callable[[object], Read],
        failed: Callable[[Exception], Failed],
        method: str,
        path: str,
        **params: Any,
    ) -> Read | Failed:
        """One request, once. The library's typed services are not used: their objects take six times
        as long as the rest of a call (1,250 of 1,450 us), and a dozen fields are read.
        """
        try:
            response = await self._client.raw_request_async(method, path, **params)
        except Exception as error:  # noqa: BLE001 - an unknown outcome, never raised
            reply = failed(error)
            log_reply(reply, error)
            return reply
        found = read(response.data)
        log_reply(found)
        return found


def log_reply(reply: object, error: Exception | None = None) -> None:
    """Log a reply that is no evidence, without Stripe's message, which may quote what was sent."""
    request_id = getattr(error, "request_id", None)
    match reply:
        case OutcomeUnknown() if getattr(error, "http_status", None) in API_KEY_REFUSED:
            log.error("processor_api_key_refused", reason=reply.why, processor_request=request_id)
        case OutcomeUnknown() if error and not isinstance(error, KNOWN_ERRORS):
            log.error("processor_call_failed", exc_info=error)  # bytes that the library cannot read
        case OutcomeUnknown():
            log.warning("processor_outcome_unknown", reason=reply.why, processor_request=request_id)
        case NotFound():
            log.warning(
                "processor_outcome_unknown", reason="HTTP 404", processor_request=request_id
            )
        case ServerError():
            log.warning("processor_server_error", processor_request=request_id)
        case IdempotencyKeyConflict():
            log.error("processor_idempotency_key_conflict", processor_request=request_id)
        case Rejection():
            log.info("processor_refused", code=reply.code, processor_request=request_id)


def disable_library_logs() -> None:
    """Stop the library from writing requests and replies to the log, or (STRIPE_LOG) to standard
    error: they hold tokens and cards. And from sending Stripe data about this machine.
    """
    logging.getLogger("stripe").setLevel(logging.WARNING)
    stripe.log = None
    _util.STRIPE_LOG = None
    stripe.enable_telemetry = False
