"""Stripe, through its official library on aiohttp. Each call is made once and answered by a value.

Nothing personal is sent: an amount, a token, our own ids. Nothing of it is logged: of what went
wrong the log holds the status, the code and Stripe's own number of the request.
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
"""What `replies` was written for. Pinned, so that neither an account's setting nor an update of
the library changes an answer's shape (https://docs.stripe.com/api/versioning).
"""
TIMEOUT = aiohttp.ClientTimeout(total=20, connect=5)
"""Seconds. The states count on a POST being over after 20 (the due time of a step is 25 s ahead);
connect includes the wait for a free connection.
"""
MAX_CONNECTIONS = 500
"""Calls under way at once: half of the 1,024 files that a process may open by default. One more
waits, and after 5 s it is UNAVAILABLE, unsent.
"""
PAGE = 100  # items a page, Stripe's maximum
MAX_PAGES = 100  # of one intent's refunds: 10,000. A longer list is not complete to us
INTENTS = "/v1/payment_intents"
REFUNDS = "/v1/refunds"
CHARGE = ["latest_charge"]
"""Expanded, for it says until when a hold lasts."""
TOKEN = re.compile("pm_[A-Za-z0-9_]{1,252}")
"""A payment method of Stripe's (https://docs.stripe.com/api/payment_methods)."""
KEY_REFUSED = (401, 403)

LOST = (stripe.StripeError, aiohttp.ClientError, TimeoutError, OSError)
"""What a call is known to raise. Where the connection breaks inside the body of an answer, the
library lets aiohttp's own errors through.
"""

Read = TypeVar("Read")
Failed = TypeVar("Failed")


class StripeProcessor:
    """The port `Processor` on Stripe. Use it as an async context manager, in the loop it serves.

    Args:
        api_key: its account is where the money goes.
        base_address: another place that speaks Stripe's API; None is Stripe itself.
        installation: stands in every key and object, so that copies of a database do not mix.
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
        _silence()
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
        """What Stripe says of an intent now."""
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
        """Send money back. The amount is always said: "all that is left" is not the same twice."""
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
        """Every refund of an intent, page by page; OutcomeUnknown unless each page came."""
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
        """The page of a list behind the item `after`. A refusal of one proves nothing either."""
        read = partial(page_of, item_of)
        place = {"starting_after": after} if after else {}
        page = await self.call(read, refusal_in, "get", path, limit=PAGE, **place, **params)
        return OutcomeUnknown("the list was refused") if isinstance(page, Definite) else page

    async def call(
        self,
        read: Callable[[object], Read],
        failed: Callable[[Exception], Failed],
        method: str,
        path: str,
        **params: Any,
    ) -> Read | Failed:
        """One request, once. The library's typed services are left out: making their objects
        takes six times the rest of a call (1,250 of 1,450 us, where a dozen fields are read).
        """
        try:
            answer = await self._client.raw_request_async(method, path, **params)
        except Exception as error:  # noqa: BLE001 - what is not listed is unknown, and never raised
            reply = failed(error)
            _tell(reply, error)
            return reply
        found = read(answer.data)
        _tell(found)
        return found


def _tell(reply: object, error: Exception | None = None) -> None:
    """Log what was no evidence: never Stripe's sentence, which may quote what was sent."""
    number = getattr(error, "request_id", None)
    match reply:
        case OutcomeUnknown() if getattr(error, "http_status", None) in KEY_REFUSED:
            log.error("processor_refuses_our_key", reason=reply.why, processor_request=number)
        case OutcomeUnknown() if error and not isinstance(error, LOST):
            log.error("processor_call_failed", exc_info=error)  # bytes that the library trips over
        case OutcomeUnknown():
            log.warning("processor_said_nothing", reason=reply.why, processor_request=number)
        case NotFound():
            log.warning("processor_said_nothing", reason="HTTP 404", processor_request=number)
        case ServerError():
            log.warning("processor_failed", processor_request=number)
        case IdempotencyKeyConflict():
            log.error("processor_key_misused", processor_request=number)
        case Rejection():
            log.info("processor_refused", code=reply.code, processor_request=number)


def _silence() -> None:
    """Keep the library from writing requests and answers to the log, or (STRIPE_LOG) to standard
    error: they hold tokens and cards. And from telling Stripe about this machine.
    """
    logging.getLogger("stripe").setLevel(logging.WARNING)
    stripe.log = None
    _util.STRIPE_LOG = None
    stripe.enable_telemetry = False
