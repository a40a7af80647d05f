"""Reads Stripe's replies, as values of `payment.domain.evidence`: pure functions of JSON.

The rules (docs/payment.md; https://docs.stripe.com/error-low-level): a 200, or a 402 with the intent in
it, is evidence. A 400 or 402 with Stripe's error in its body is a definite refusal, and so is a 404 to
a creation; a 404 to a retrieval is `NotFound`. A 500 is recorded under the key. All other replies are
unknown, and so is a 200 that cannot be read.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

import stripe

from payment.domain.evidence import (
    IdempotencyKeyConflict,
    Intent,
    IntentStatus,
    NotFound,
    OutcomeUnknown,
    Page,
    ProcessorRefund,
    RefundStatus,
    Rejection,
    Reply,
    ServerError,
)
from payment.domain.values import Failure, Money, RequestPart
from payment.processors.stripe.currencies import from_stripe

Json = dict[str, Any]
Definite = Rejection | ServerError | IdempotencyKeyConflict
Read = TypeVar("Read")
Item = TypeVar("Item")
MAX_TEXT_LENGTH = 2000  # characters of a text of Stripe's that are kept

REFUSALS = frozenset({400, 402})
TRANSIENT = frozenset({"rate_limit", "lock_timeout"})
"""Codes that older versions of the API sent with 400 and newer ones with 429."""
PARTS: dict[str, RequestPart] = {
    "payment_method": RequestPart.PAYMENT_METHOD,
    "amount": RequestPart.AMOUNT,
    "currency": RequestPart.CURRENCY,
}
"""Parameters that come from a caller; a refusal that names another one is our mistake."""


def intent_of(body: object) -> Intent | OutcomeUnknown:
    """The payment intent in a reply."""
    return _read(_intent, "payment_intent", body)


def refund_of(body: object) -> ProcessorRefund | OutcomeUnknown:
    """The refund in a reply."""
    return _read(processor_refund, "refund", body)


def page_of(item_of: Callable[[Json], Item], body: object) -> Page[Item] | OutcomeUnknown:
    """A page of a list. OutcomeUnknown where `item_of` raises for one of its items."""

    def page(body: Json) -> Page[Item]:
        return Page([item_of(item) for item in body["data"]], bool(body["has_more"]))

    return _read(page, "list", body)


def _read(make: Callable[[Json], Read], kind: str, body: object) -> Read | OutcomeUnknown:
    try:
        if not isinstance(body, dict) or body["object"] != kind:
            raise TypeError(f"no {kind}")
        return make(body)
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, OSError) as error:
        return OutcomeUnknown(f"a reply that cannot be read ({type(error).__name__})")


def _intent(body: Json) -> Intent:
    status = IntentStatus(body["status"])
    currency_code = body["currency"].upper()
    received = body.get("amount_received")
    if received is None:  # Stripe always sends it; localstripe never does
        received = body["amount"] if status is IntentStatus.SUCCEEDED else 0
    return Intent(
        id=id_in(body["id"]),
        status=status,
        amount=Money(amount_in(body["amount"], currency_code), currency_code),
        amount_received=amount_in(received, currency_code),
        payment_id=_uuid(value_at(body, "metadata", "payment")),
        installation=text_in(value_at(body, "metadata", "installation")),
        failure=_failure(body.get("last_payment_error")),
        redirect_url=text_in(value_at(body, "next_action", "redirect_to_url", "url")),
        capture_before=_time(
            value_at(body, "latest_charge", "payment_method_details", "card", "capture_before")
        ),
    )


def processor_refund(body: Json) -> ProcessorRefund:
    """A refund.

    Raises:
        KeyError, TypeError, ValueError: it cannot be read.
    """
    status = body["status"]
    reason = text_in(body.get("failure_reason"))
    return ProcessorRefund(
        id=id_in(body["id"]),
        # The customer has to give a bank account: neither done nor failed.
        status=RefundStatus("pending" if status == "requires_action" else status),
        amount=amount_in(body["amount"], body["currency"].upper()),
        refund_id=_uuid(value_at(body, "metadata", "refund")),
        failure=Failure(reason) if reason else None,
    )


def amount_in(amount: object, currency_code: str) -> int:
    if type(amount) is not int or amount < 0:
        raise TypeError("no amount")
    return from_stripe(amount, currency_code)


def id_in(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_]{1,255}", text):
        raise ValueError("no id")
    return text


def text_in(text: object) -> str:
    """A text without the characters that a database cannot store; empty where there is none."""
    if not isinstance(text, str):
        return ""
    return "".join(letter for letter in text[:MAX_TEXT_LENGTH] if letter.isprintable())


def _time(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _uuid(text: object) -> UUID | None:
    """An id of ours; None for any other text."""
    try:
        return UUID(str(text))
    except ValueError:
        return None


def _failure(error: Json | None) -> Failure | None:
    if not error:
        return None
    code = text_in(error.get("code")) or text_in(error.get("type")) or "unknown"
    return Failure(code, text_in(error.get("decline_code")), text_in(error.get("message")))


def value_at(body: object, *path: str) -> Any:
    """The value at the end of the path; None where the path ends early, as in what is not expanded."""
    found = body
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def reply_to(error: Exception) -> Reply:
    """The reply to a call about an intent that raised. A decline is evidence."""
    if isinstance(error, stripe.StripeError) and error.http_status == 402:
        declined = value_at(error.json_body, "error", "payment_intent")
        if declined:
            return intent_of(declined)
    return refusal_in(error)


def reply_to_creation(error: Exception) -> Reply:
    """The reply to a creation that raised. Its URL names no intent, so a 404 is about its content."""
    return refusal_in(error, REFUSALS | {404})


def reply_to_retrieval(error: Exception) -> Reply:
    """The reply to a retrieval that raised. A 404 means that there is no such intent, if Stripe's error
    is in its body: without it the 404 is a proxy's.
    """
    if (
        isinstance(error, stripe.StripeError)
        and error.http_status == 404
        and isinstance(value_at(error.json_body, "error"), dict)
    ):
        return NotFound()
    return reply_to(error)


def refusal_in(error: Exception, refusals: frozenset[int] = REFUSALS) -> Definite | OutcomeUnknown:
    """The reply to a call that raised: a definite refusal, or unknown."""
    if not isinstance(error, stripe.StripeError) or error.http_status is None:
        return OutcomeUnknown(
            f"no reply ({type(error.__cause__ or error).__name__})", unreachable=True
        )
    status = error.http_status
    if status == 500:
        return ServerError()
    reported = value_at(error.json_body, "error")
    code, kind = text_in(value_at(reported, "code")), text_in(value_at(reported, "type"))
    if status not in refusals or not isinstance(reported, dict) or code in TRANSIENT:
        return OutcomeUnknown(f"HTTP {status}", unreachable=status > 500 or status == 429)
    if kind == "idempotency_error":
        return IdempotencyKeyConflict()
    param = text_in(reported.get("param"))
    about_card = RequestPart.PAYMENT_METHOD if kind == "card_error" else None
    return Rejection(
        code=code or kind or "unknown",
        part=PARTS.get(param, about_card),
        message=text_in(reported.get("message")),
    )
