"""Stripe's JSON of the sandbox's objects, with every field that Stripe's objects have.

The same value always renders to the same JSON, so that a replay under an idempotency key returns the first
body.
"""

import hashlib
from collections.abc import Collection, Container
from dataclasses import dataclass
from typing import Any

from sandbox.cards import CARDS, Card
from sandbox.errors import Error
from sandbox.objects import (
    Charge,
    ChargeStatus,
    Event,
    Intent,
    LastError,
    Methods,
    Refund,
    Status,
)
from sandbox.world import Page, Response, method_identifier

API_VERSION = "2026-10-28.endive"  # the version that the official library 16.1 sends

Json = dict[str, Any]

_NO_ADDRESS = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
_NO_BILLING = dict.fromkeys(("email", "name", "phone", "tax_id"))
_CHECKS = {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"}
_EXPIRES = {"exp_month": 12, "exp_year": 2034}


@dataclass(frozen=True, slots=True)
class Renderer:
    """Renders objects. `account` is part of the ids of payment methods; `base_url` is the address of the
    3D Secure page; `owed` are the events whose webhooks are not yet accepted.
    """

    account: str
    base_url: str
    owed: Container[str] = ()

    def response(self, response: Response, expand: Collection[str] = ()) -> Json:
        """The body of a response."""
        body = response.body
        if body is None:
            return {}
        if isinstance(body, Error):
            return {"error": self._error(body)}
        if isinstance(body, Page):
            expand = {name.removeprefix("data.") for name in expand}
            data = [self._object(item, expand) for item in body.items]
            return {"object": "list", "data": data, "has_more": body.has_more, "url": body.url}
        return self._object(body, expand)

    def event(self, event: Event) -> Json:
        """An event, with its object as it was then."""
        subject = event.object
        is_charge = event.type.startswith("charge.")
        if is_charge and isinstance(subject, Intent) and subject.charge:
            shown = self._charge(subject, subject.charge)
        else:
            shown = self._object(subject, ())
        return {
            "id": event.id,
            "object": "event",
            "api_version": API_VERSION,
            "created": event.created,
            "data": {"object": shown},
            "livemode": False,
            "pending_webhooks": int(event.id in self.owed),
            "request": {"id": None, "idempotency_key": event.key},
            "type": event.type,
        }

    def _object(self, value: Intent | Refund | Event | Card, expand: Collection[str]) -> Json:
        match value:
            case Intent():
                return self._intent(value, expand)
            case Refund():
                return self._refund(value)
            case Event():
                return self.event(value)
            case Card():
                return self._payment_method(value)

    def _intent(self, intent: Intent, expand: Collection[str]) -> Json:
        charge: str | Json | None = intent.charge.id if intent.charge else None
        if intent.charge and "latest_charge" in expand:
            charge = self._charge(intent, intent.charge)
        method: str | Json | None = self._method_id(intent.payment_method)
        if intent.payment_method and "payment_method" in expand:
            method = self._payment_method(CARDS[intent.payment_method])
        processing = intent.status is Status.PROCESSING
        return {
            "id": intent.id,
            "object": "payment_intent",
            "amount": intent.amount,
            "amount_capturable": intent.amount_capturable,
            "amount_details": {"tip": {}},
            "amount_received": intent.amount_received,
            "application": None,
            "application_fee_amount": None,
            "automatic_payment_methods": _automatic(intent.methods),
            "canceled_at": intent.canceled_at,
            "cancellation_reason": intent.cancellation_reason,
            "capture_method": intent.capture_method,
            "client_secret": client_secret(intent),
            "confirmation_method": "automatic",
            "created": intent.created,
            "currency": intent.currency,
            "customer": None,
            "customer_account": None,
            "description": intent.description,
            "excluded_payment_method_types": None,
            "last_payment_error": self._last_error(intent.last_error),
            "latest_charge": charge,
            "livemode": False,
            "managed_payments": None,
            "metadata": dict(intent.metadata),
            "next_action": self._next_action(intent),
            "on_behalf_of": None,
            "payment_method": method,
            "payment_method_configuration_details": None,
            "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
            "payment_method_types": ["card"],
            "processing": {"type": "card", "card": {}} if processing else None,
            "receipt_email": intent.receipt_email,
            "review": None,
            "setup_future_usage": None,
            "shipping": None,
            "source": None,
            "statement_descriptor": intent.statement_descriptor,
            "statement_descriptor_suffix": intent.statement_descriptor_suffix,
            "status": intent.status.value,
            "transfer_data": None,
            "transfer_group": None,
        }

    def _next_action(self, intent: Intent) -> Json | None:
        if intent.status is not Status.REQUIRES_ACTION:
            return None
        page = f"{self.base_url}/3ds/{intent.id}"
        if intent.return_url is None:
            return {
                "type": "use_stripe_sdk",
                "use_stripe_sdk": {"type": "three_d_secure_redirect", "stripe_js": page},
            }
        return {
            "type": "redirect_to_url",
            "redirect_to_url": {"url": page, "return_url": intent.return_url},
        }

    def _last_error(self, last: LastError | None) -> Json | None:
        if last is None:
            return None
        decline = last.decline
        authentication = last.charge is None
        fields = {
            "charge": last.charge,
            "code": decline.code,
            "decline_code": decline.decline_code,
            "doc_url": _documentation(decline.code),
            "message": decline.message,
            "payment_method": self._payment_method(CARDS[last.payment_method]),
            "type": "invalid_request_error" if authentication else "card_error",
        }
        return {name: value for name, value in fields.items() if value is not None}

    def _error(self, error: Error) -> Json:
        last = self._last_error(error.last_error) or {}
        fields = {
            "charge": last.get("charge"),
            "code": error.code,
            "decline_code": error.decline_code,
            "doc_url": _documentation(error.code) if error.code else None,
            "message": error.message,
            "param": error.param,
            "payment_intent": self._intent(error.intent, ()) if error.intent else None,
            "payment_method": last.get("payment_method"),
            "type": error.type,
        }
        return {name: value for name, value in fields.items() if value is not None}

    def _charge(self, intent: Intent, charge: Charge) -> Json:
        card = CARDS[charge.payment_method]
        failed = charge.status is ChargeStatus.FAILED
        balance = f"txn_{charge.id.removeprefix('ch_')}" if charge.captured else None
        return {
            "id": charge.id,
            "object": "charge",
            "amount": charge.amount,
            "amount_captured": charge.amount_captured,
            "amount_refunded": charge.amount_refunded,
            "application": None,
            "application_fee": None,
            "application_fee_amount": None,
            "balance_transaction": balance,
            "billing_details": {"address": _NO_ADDRESS, **_NO_BILLING},
            "calculated_statement_descriptor": intent.statement_descriptor or "ONCEPAY SANDBOX",
            "captured": charge.captured,
            "created": charge.created,
            "currency": intent.currency,
            "customer": None,
            "description": intent.description,
            "disputed": False,
            "failure_balance_transaction": None,
            "failure_code": charge.decline.code if charge.decline else None,
            "failure_message": charge.decline.message if charge.decline else None,
            "fraud_details": {},
            "livemode": False,
            "metadata": dict(intent.metadata),
            "on_behalf_of": None,
            "outcome": _outcome(charge),
            "paid": not failed,
            "payment_intent": intent.id,
            "payment_method": self._method_id(charge.payment_method),
            "payment_method_details": {"type": "card", "card": _charged_card(charge, card)},
            "receipt_email": intent.receipt_email,
            "receipt_number": None,
            "receipt_url": None,
            "refunded": charge.amount_refunded == charge.amount,
            "refunds": None,
            "review": None,
            "shipping": None,
            "source": None,
            "source_transfer": None,
            "statement_descriptor": intent.statement_descriptor,
            "statement_descriptor_suffix": intent.statement_descriptor_suffix,
            "status": charge.status.value,
            "transfer_data": None,
            "transfer_group": None,
        }

    def _refund(self, refund: Refund) -> Json:
        failed = {"failure_reason": refund.failure_reason} if refund.failure_reason else {}
        return {
            "id": refund.id,
            "object": "refund",
            "amount": refund.amount,
            "balance_transaction": f"txn_{refund.id.removeprefix('re_')}",
            "charge": refund.charge,
            "created": refund.created,
            "currency": refund.currency,
            "customer": None,
            "customer_account": None,
            "destination_details": {"type": "card", "card": {"type": "refund"}},
            "metadata": dict(refund.metadata),
            "payment_intent": refund.intent,
            "payment_method": self._method_id(refund.payment_method),
            "reason": refund.reason,
            "receipt_number": None,
            "source_transfer_reversal": None,
            "status": refund.status.value,
            "transfer_reversal": None,
            **failed,
        }

    def _payment_method(self, card: Card) -> Json:
        return {
            "id": method_identifier(self.account, card),
            "object": "payment_method",
            "allow_redisplay": "unspecified",
            "billing_details": {"address": _NO_ADDRESS, **_NO_BILLING},
            "card": {
                "brand": card.brand,
                "checks": _CHECKS,
                "country": card.country,
                "display_brand": card.brand,
                **_EXPIRES,
                "fingerprint": _fingerprint(card),
                "funding": card.funding,
                "generated_from": None,
                "last4": card.last4,
                "networks": {"available": [card.brand], "preferred": None},
                "regulated_status": "unregulated",
                "three_d_secure_usage": {"supported": True},
                "wallet": None,
            },
            "created": 0,
            "customer": None,
            "customer_account": None,
            "livemode": False,
            "metadata": {},
            "type": "card",
        }

    def _method_id(self, token: str | None) -> str | None:
        return method_identifier(self.account, CARDS[token]) if token else None


def client_secret(intent: Intent) -> str:
    """The client secret of an intent. It is derived, so that it is the same in every response."""
    return f"{intent.id}_secret_{hashlib.sha256(intent.id.encode()).hexdigest()[:25]}"


def _automatic(methods: Methods) -> Json | None:
    if methods is Methods.CARD:
        return None
    return {
        "enabled": True,
        "allow_redirects": "always" if methods is Methods.DASHBOARD else "never",
    }


def _documentation(code: str) -> str:
    return f"https://docs.stripe.com/error-codes/{code.replace('_', '-')}"


def _fingerprint(card: Card) -> str:
    return hashlib.sha256(card.token.encode()).hexdigest()[:16]


def _outcome(charge: Charge) -> Json | None:
    if charge.status is ChargeStatus.PENDING:
        return None
    failed = charge.decline is not None
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "declined_by_network" if failed else "approved_by_network",
        "reason": charge.decline.decline_code if charge.decline else None,
        "seller_message": (
            "The bank did not return any further details with this decline."
            if failed
            else "Payment complete."
        ),
        "type": "issuer_declined" if failed else "authorized",
    }


def _charged_card(charge: Charge, card: Card) -> Json:
    unavailable = {"status": "unavailable"}
    held = {"capture_before": charge.capture_before} if charge.capture_before else {}
    return {
        "amount_authorized": charge.amount if charge.status is ChargeStatus.SUCCEEDED else None,
        "authorization_code": None,
        "brand": card.brand,
        **held,
        "checks": _CHECKS,
        "country": card.country,
        **_EXPIRES,
        "extended_authorization": {"status": "disabled"},
        "fingerprint": _fingerprint(card),
        "funding": card.funding,
        "incremental_authorization": unavailable,
        "installments": None,
        "last4": card.last4,
        "mandate": None,
        "multicapture": unavailable,
        "network": card.brand,
        "network_token": {"used": False},
        "network_transaction_id": None,
        "overcapture": {"maximum_amount_capturable": charge.amount, "status": "unavailable"},
        "regulated_status": "unregulated",
        "three_d_secure": _authentication(charge),
        "transaction_link_id": None,
        "wallet": None,
    }


def _authentication(charge: Charge) -> Json | None:
    if not charge.authenticated:
        return None
    return {
        "authentication_flow": "challenge",
        "electronic_commerce_indicator": "05",
        "exemption_indicator": None,
        "result": "authenticated",
        "result_reason": None,
        "transaction_id": None,
        "version": "2.2.0",
    }
