"""Stripe's errors, in its own words: what the API says instead of an object.

The sentences and codes are those that Stripe's API answers (https://docs.stripe.com/error-codes);
`type` decides which class the official library raises.
"""

from dataclasses import dataclass

from sandbox.cards import Decline
from sandbox.objects import Intent, LastError, Status

INVALID_REQUEST = "invalid_request_error"


@dataclass(frozen=True, slots=True)
class Error:
    """The body of an error. `intent` is shown inside it where Stripe shows it."""

    status: int
    message: str
    type: str = INVALID_REQUEST
    code: str | None = None
    param: str | None = None
    decline_code: str | None = None
    intent: Intent | None = None
    last_error: LastError | None = None


class Rejection(Exception):
    """Ends a decision with an error, nothing having changed."""

    def __init__(self, error: Error) -> None:
        super().__init__(error.message)
        self.error = error


# How Stripe calls things in this sentence, and the part of the path that names them.
_NAMES = {"payment_method": "PaymentMethod"}
_IN_PATH = {"payment_intent": "intent", "payment_method": "payment_method"}


def no_such(kind: str, identifier: str, *, param: str | None = None) -> Error:
    """An id that names nothing: 400 where it came as the parameter `param`, 404 in the path."""
    return Error(
        400 if param else 404,
        f"No such {_NAMES.get(kind, kind)}: '{identifier}'",
        code="resource_missing",
        param=param or _IN_PATH.get(kind, "id"),
    )


def declined(decline: Decline, intent: Intent) -> Error:
    """The card was tried and refused."""
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
    """What a refund would take is not on the account just now."""
    return Error(400, "Insufficient funds in your Stripe balance.", code="balance_insufficient")


def _unexpected_state(message: str, intent: Intent) -> Error:
    return Error(400, message, code="payment_intent_unexpected_state", intent=intent)


def cannot_confirm(intent: Intent) -> Error:
    """Confirm, in a state that has no way on."""
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
    """Confirm without a payment method: none was given, or the last one was declined."""
    return _unexpected_state(
        "You cannot confirm this PaymentIntent because it's missing a payment method. You can "
        "either update the PaymentIntent with a payment method and then confirm it again, or "
        "confirm it again directly with a payment method or ConfirmationToken.",
        intent,
    )


def cannot_capture(intent: Intent) -> Error:
    """Capture of what is not held: taken already, over, or not there yet."""
    return _unexpected_state(
        "This PaymentIntent could not be captured because it has a status of "
        f"{intent.status.value}. Only a PaymentIntent with one of the following statuses may be "
        "captured: requires_capture.",
        intent,
    )


def cannot_cancel(intent: Intent) -> Error:
    """Cancel of what has taken money, is being taken, or is canceled."""
    return _unexpected_state(
        f"You cannot cancel this PaymentIntent because it has a status of {intent.status.value}. "
        "Only a PaymentIntent with one of the following statuses may be canceled: "
        "requires_payment_method, requires_capture, requires_reauthorization, "
        "requires_confirmation, requires_action, processing.",
        intent,
    )


def cannot_authenticate(intent: Intent) -> Error:
    """The page of 3D Secure was used when no authentication was asked for (any more)."""
    return _unexpected_state("This PaymentIntent does not wait for an authentication.", intent)


def return_url_required() -> Error:
    """Confirm of an intent whose methods may redirect the payer."""
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
    """Capture of more than is held."""
    return Error(
        400,
        f"Amount to capture ({amount}) is greater than the amount capturable "
        f"({intent.amount_capturable}).",
        code="amount_too_large",
        param="amount_to_capture",
    )


def nothing_to_refund(intent: Intent) -> Error:
    """Refund of an intent that has taken no money."""
    return Error(
        400,
        f"This PaymentIntent ({intent.id}) does not have a successful charge to refund.",
        param="payment_intent",
    )


def already_refunded(charge: str) -> Error:
    """Refund of what is all given back."""
    return Error(400, f"Charge {charge} has already been refunded.", code="charge_already_refunded")


def refund_too_large(amount: int, left: int, currency: str) -> Error:
    """Refund of more than is left: Stripe gives this one no code."""
    unit = currency.upper()
    return Error(
        400,
        f"Refund amount ({amount} {unit}) is greater than unrefunded amount on charge "
        f"({left} {unit})",
        param="amount",
    )


def key_with_other_parameters(key: str) -> Error:
    """An idempotency key comes again with another content."""
    return Error(
        400,
        "Keys for idempotent requests can only be used with the same parameters they were first "
        f"used with. Try using a key other than '{key}' if you meant to execute a different "
        "request.",
        type="idempotency_error",
    )


def key_with_other_path(key: str, now: str, first: str) -> Error:
    """An idempotency key comes again at another place."""
    return Error(
        400,
        "Keys for idempotent requests can only be used for the same endpoint they were first used "
        f"for ('{now}' vs '{first}'). Try using a key other than '{key}' if you meant to execute "
        "a different request.",
        type="idempotency_error",
    )


def key_in_use(key: str) -> Error:
    """Another request with this key is under way. Nothing of it is saved."""
    return Error(
        409,
        "There is currently another in-progress request using this Idempotent Key (that probably "
        "means you submitted twice, and the other request is still going through): "
        f"{key}. Please try again later.",
        type="idempotency_error",
        code="idempotency_key_in_use",
    )


def too_many_requests() -> Error:
    """The rate limit. Nothing of it is saved."""
    return Error(429, "Request rate limit exceeded.", code="rate_limit")


def broken(status: int = 500) -> Error:
    """Stripe's own failure: nothing follows from it about what was done."""
    return Error(
        status,
        "An unknown error occurred in the sandbox, as it was told to.",
        type="api_error",
    )
