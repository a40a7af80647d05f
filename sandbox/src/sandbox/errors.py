"""Stripe's error responses.

Messages and codes are those of Stripe's API (https://docs.stripe.com/error-codes); `type` decides which
class the official library raises.
"""

from dataclasses import dataclass

from sandbox.cards import Decline
from sandbox.objects import Intent, LastError, Status

INVALID_REQUEST = "invalid_request_error"


@dataclass(frozen=True, slots=True)
class Error:
    """The body of an error response. `intent` is included where Stripe includes it."""

    status: int
    message: str
    type: str = INVALID_REQUEST
    code: str | None = None
    param: str | None = None
    decline_code: str | None = None
    intent: Intent | None = None
    last_error: LastError | None = None


class ApiError(Exception):
    """Ends a request with an error response; nothing has changed."""

    def __init__(self, error: Error) -> None:
        super().__init__(error.message)
        self.error = error


# Stripe's names of objects in this message, and of the path's parameters.
_NAMES = {"payment_method": "PaymentMethod"}
_IN_PATH = {"payment_intent": "intent", "payment_method": "payment_method"}


def no_such(kind: str, identifier: str, *, param: str | None = None) -> Error:
    """An unknown id: 400 where it is the parameter `param`, 404 where it is in the path."""
    return Error(
        400 if param else 404,
        f"No such {_NAMES.get(kind, kind)}: '{identifier}'",
        code="resource_missing",
        param=param or _IN_PATH.get(kind, "id"),
    )


def declined(decline: Decline, intent: Intent) -> Error:
    """The issuer declined the card."""
    return Error(
        402,
        decline.message,
        type="card_error",
        code=decline.code,
        decline_code=decline.decline_code,
        intent=intent,
        last_error=intent.last_error,
    )


def no_balance() -> Error:
    """The account's balance does not cover the refund."""
    return Error(400, "Insufficient funds in your Stripe balance.", code="balance_insufficient")


def _unexpected_state(message: str, intent: Intent) -> Error:
    return Error(400, message, code="payment_intent_unexpected_state", intent=intent)


def cannot_confirm(intent: Intent) -> Error:
    """Confirm in a state that does not allow it."""
    if intent.status is Status.SUCCEEDED:
        return _unexpected_state(
            "You cannot confirm this PaymentIntent because it has already succeeded after being "
            "previously confirmed.",
            intent,
        )
    return _unexpected_state(
        f"You cannot confirm this PaymentIntent because it has a status of {intent.status.value}. "
        "Only a PaymentIntent with one of the following statuses may be confirmed: "
        "requires_confirmation, requires_action.",
        intent,
    )


def missing_method(intent: Intent) -> Error:
    """Confirm without a payment method: there is none, or the last one was declined."""
    return _unexpected_state(
        "You cannot confirm this PaymentIntent because it's missing a payment method. You can "
        "either update the PaymentIntent with a payment method and then confirm it again, or "
        "confirm it again directly with a payment method or ConfirmationToken.",
        intent,
    )


def cannot_capture(intent: Intent) -> Error:
    """Capture of an intent that is not authorized."""
    return _unexpected_state(
        "This PaymentIntent could not be captured because it has a status of "
        f"{intent.status.value}. Only a PaymentIntent with one of the following statuses may be "
        "captured: requires_capture.",
        intent,
    )


def cannot_cancel(intent: Intent) -> Error:
    """Cancel of an intent that succeeded, is being processed or is canceled."""
    return _unexpected_state(
        f"You cannot cancel this PaymentIntent because it has a status of {intent.status.value}. "
        "Only a PaymentIntent with one of the following statuses may be canceled: "
        "requires_payment_method, requires_capture, requires_reauthorization, "
        "requires_confirmation, requires_action, processing.",
        intent,
    )


def cannot_authenticate(intent: Intent) -> Error:
    """An answer on the 3D Secure page while the intent requires no authentication."""
    return _unexpected_state("This PaymentIntent does not require authentication.", intent)


def return_url_required() -> Error:
    """Confirm, without a return_url, of an intent whose methods may redirect the payer."""
    return Error(
        400,
        "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. "
        "Because some of these payment methods might redirect your customer off of your page, you "
        "must provide a `return_url`. If you don't want to accept redirect-based payment methods, "
        "set `automatic_payment_methods[enabled]` to `true` and "
        "`automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and "
        "Payment Intents.",
    )


def capture_too_large(amount: int, intent: Intent) -> Error:
    """Capture of more than is authorized."""
    return Error(
        400,
        f"Amount to capture ({amount}) is greater than the amount capturable "
        f"({intent.amount_capturable}).",
        code="amount_too_large",
        param="amount_to_capture",
    )


def nothing_to_refund(intent: Intent) -> Error:
    """Refund of an intent without a captured charge."""
    return Error(
        400,
        f"This PaymentIntent ({intent.id}) does not have a successful charge to refund.",
        param="payment_intent",
    )


def already_refunded(charge: str) -> Error:
    """Refund of a charge that is fully refunded."""
    return Error(400, f"Charge {charge} has already been refunded.", code="charge_already_refunded")


def refund_too_large(amount: int, left: int, currency: str) -> Error:
    """Refund of more than is left; Stripe's error has no code."""
    unit = currency.upper()
    return Error(
        400,
        f"Refund amount ({amount} {unit}) is greater than unrefunded amount on charge "
        f"({left} {unit})",
        param="amount",
    )


def key_with_other_parameters(key: str) -> Error:
    """An idempotency key was used again with other parameters."""
    return Error(
        400,
        "Keys for idempotent requests can only be used with the same parameters they were first "
        f"used with. Try using a key other than '{key}' if you meant to execute a different "
        "request.",
        type="idempotency_error",
    )


def key_with_other_path(key: str, path: str, first_path: str) -> Error:
    """An idempotency key was used again with another path."""
    return Error(
        400,
        "Keys for idempotent requests can only be used for the same endpoint they were first used "
        f"for ('{path}' vs '{first_path}'). Try using a key other than '{key}' if you meant to execute "
        "a different request.",
        type="idempotency_error",
    )


def key_in_use(key: str) -> Error:
    """Another request with this key is in progress. The answer is not stored."""
    return Error(
        409,
        "There is currently another in-progress request using this Idempotent Key (that probably "
        "means you submitted twice, and the other request is still going through): "
        f"{key}. Please try again later.",
        type="idempotency_error",
        code="idempotency_key_in_use",
    )


def too_many_requests() -> Error:
    """The rate limit. The answer is not stored."""
    return Error(429, "Request rate limit exceeded.", code="rate_limit")


def broken(status: int = 500) -> Error:
    """A failure inside Stripe: it does not tell whether the request took effect."""
    return Error(
        status,
        "An unknown error occurred: a planned fault of the sandbox.",
        type="api_error",
    )
