"""What Stripe's answers mean, as values of `payment.domain.evidence`: pure functions of JSON.

The rules (docs/payment.md; https://docs.stripe.com/error-low-level): a 200, or a 402 that carries
the intent, is evidence. A 400 or 402 with Stripe's error in its body is a definite no, to a creation
a 404 as well. A 500 is kept under the key. Whatever is not listed is unknown, a 200 that cannot be read among it.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

import stripe

from payment.domain.evidence import (
    Faulted,
    Intent,
    IntentStatus,
    KeyMisused,
    ProcessorRefund,
    RefundStatus,
    Refused,
    Reply,
    Unknown,
)
from payment.domain.payment import Failure
from payment.domain.reconciliation import ListedIntent, ListedRefund
from payment.domain.values import Money
from payment.processors.currencies import from_stripe
from payment.service_layer.ports import Item, Page

Json = dict[str, Any]
Definite = Refused | Faulted | KeyMisused
Read = TypeVar("Read")
LONGEST_WORDS = 2000  # characters of Stripe's that are kept

REFUSALS = frozenset({400, 402})
PASSING = frozenset({"rate_limit", "lock_timeout"})
"""Codes that older versions of the API answered with 400 where they now answer 429."""
OURS = frozenset({"payment_method", "amount", "currency"})
"""Parameters that are a caller's; a refusal that names another one is our mistake."""


def intent_of(body: object) -> Intent | Unknown:
    """The payment intent in an answer."""
    return _read(_intent, "payment_intent", body)


def refund_of(body: object) -> ProcessorRefund | Unknown:
    """The refund in an answer."""
    return _read(processor_refund, "refund", body)


def page_of(item_of: Callable[[Json], Item], body: object) -> Page[Item] | Unknown:
    """A page of a list: nothing of it is known where `item_of` raises for one item."""

    def page(body: Json) -> Page[Item]:
        return Page([item_of(item) for item in body["data"]], bool(body["has_more"]))

    return _read(page, "list", body)


def _read(make: Callable[[Json], Read], kind: str, body: object) -> Read | Unknown:
    try:
        if not isinstance(body, dict) or body["object"] != kind:
            raise TypeError(f"no {kind}")
        return make(body)
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, OSError) as error:
        return Unknown(f"an answer that cannot be read ({type(error).__name__})")


def _intent(body: Json) -> Intent:
    status = IntentStatus(body["status"])
    currency_code = body["currency"].upper()
    received = body.get("amount_received")
    if received is None:  # Stripe always says it; localstripe never does
        received = body["amount"] if status is IntentStatus.SUCCEEDED else 0
    return Intent(
        id=_id(body["id"]),
        status=status,
        amount=Money(_amount(body["amount"], currency_code), currency_code),
        amount_received=_amount(received, currency_code),
        payment_id=_uuid(_inside(body, "metadata", "payment")),
        installation=_words(_inside(body, "metadata", "installation")),
        failure=_failure(body.get("last_payment_error")),
        redirect_url=_words(_inside(body, "next_action", "redirect_to_url", "url")),
        capture_before=_time(
            _inside(body, "latest_charge", "payment_method_details", "card", "capture_before")
        ),
    )


def processor_refund(body: Json) -> ProcessorRefund:
    """A refund; what cannot be read of it is raised."""
    status = body["status"]
    reason = _words(body.get("failure_reason"))
    return ProcessorRefund(
        id=_id(body["id"]),
        # The customer has to give a bank account: not done, and not failed.
        status=RefundStatus("pending" if status == "requires_action" else status),
        amount=_amount(body["amount"], body["currency"].upper()),
        refund_id=_uuid(_inside(body, "metadata", "refund")),
        failure=Failure(reason) if reason else None,
    )


def listed_intent(body: Json) -> ListedIntent:
    """An intent of a list of everybody's: what cannot be read of one spoils no other."""
    intent = intent_of(body)
    currency_code = body["currency"].upper()
    refunded = _inside(body, "latest_charge", "amount_refunded") or 0
    readable = isinstance(intent, Intent)
    return ListedIntent(
        id=_id(body["id"]),
        create_time=datetime.fromtimestamp(body["created"], UTC),
        installation=_words(_inside(body, "metadata", "installation")),
        request_id=_words(_inside(body, "metadata", "request_id")),
        intent=intent if isinstance(intent, Intent) else None,
        amount_refunded=_amount(refunded, currency_code) if readable else 0,
    )


def listed_refund(body: Json) -> ListedRefund:
    """The same of a refund."""
    refund = refund_of(body)
    return ListedRefund(
        id=_id(body["id"]),
        intent_id=_words(body.get("payment_intent")),  # an old charge's refund has none
        create_time=datetime.fromtimestamp(body["created"], UTC),
        currency_code=body["currency"].upper(),
        refund=refund if isinstance(refund, ProcessorRefund) else None,
    )


def _amount(amount: object, currency_code: str) -> int:
    if type(amount) is not int or amount < 0:
        raise TypeError("no amount")
    return from_stripe(amount, currency_code)


def _id(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_]{1,255}", text):
        raise ValueError("no id")
    return text


def _words(text: object) -> str:
    """A text that is kept, without what a database cannot keep; empty where there is none."""
    if not isinstance(text, str):
        return ""
    return "".join(letter for letter in text[:LONGEST_WORDS] if letter.isprintable())


def _time(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _uuid(text: object) -> UUID | None:
    """Our id; None for what is somebody else's."""
    try:
        return UUID(str(text))
    except ValueError:
        return None


def _failure(error: Json | None) -> Failure | None:
    if not error:
        return None
    code = _words(error.get("code")) or _words(error.get("type")) or "unknown"
    return Failure(code, _words(error.get("decline_code")), _words(error.get("message")))


def _inside(body: object, *path: str) -> Any:
    """What is at the end of the path; None where it breaks off, as at what is not expanded."""
    found = body
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def reply_to(error: Exception) -> Reply:
    """What a call about an intent came back with, where it raised. A decline is evidence."""
    if isinstance(error, stripe.StripeError) and error.http_status == 402:
        declined = _inside(error.json_body, "error", "payment_intent")
        if declined:
            return intent_of(declined)
    return refusal_in(error)


def reply_to_creation(error: Exception) -> Reply:
    """The same of a creation: its address names no intent, so a 404 is about what was asked."""
    return refusal_in(error, REFUSALS | {404})


def refusal_in(error: Exception, refusals: frozenset[int] = REFUSALS) -> Definite | Unknown:
    """What it means that a call raised: a definite no, or nothing at all."""
    if not isinstance(error, stripe.StripeError) or error.http_status is None:
        return Unknown(f"no answer ({type(error.__cause__ or error).__name__})", unreachable=True)
    status = error.http_status
    if status == 500:
        return Faulted()
    told = _inside(error.json_body, "error")
    code, kind = _words(_inside(told, "code")), _words(_inside(told, "type"))
    if status not in refusals or not isinstance(told, dict) or code in PASSING:
        return Unknown(f"HTTP {status}", unreachable=status > 500 or status == 429)
    if kind == "idempotency_error":
        return KeyMisused()
    param = _words(told.get("param"))
    about_card = "payment_method" if kind == "card_error" else ""
    return Refused(
        code=code or kind or "unknown",
        field=param if param in OURS else about_card,
        message=_words(told.get("message")),
    )
