"""Stripe's test cards: the behaviour of each token of a payment method.

The names are those of https://docs.stripe.com/testing; `pm_sandbox_*` are the sandbox's own, for behaviour
without a test card at Stripe.
"""

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class Decline:
    """A decline: Stripe's error code, the issuer's decline code (cards only), the message."""

    code: str
    decline_code: str | None
    message: str


class RefundOutcome(Enum):
    """The outcome of a refund to this card."""

    SUCCEEDS = "succeeds"
    SUCCEEDS_LATER = "succeeds later"  # it is pending first
    FAILS_LATER = "fails later"  # it succeeds first, as at Stripe


@dataclass(frozen=True, slots=True)
class Card:
    """One test card. `token` is its value in the parameter `payment_method`."""

    token: str
    brand: str = "visa"
    last4: str = "4242"
    funding: str = "credit"
    country: str = "US"
    decline: Decline | None = None
    authentication: bool = False  # 3D Secure first, then the rest
    delayed: bool = False  # the intent is `processing` first, then the rest
    refund: RefundOutcome = RefundOutcome.SUCCEEDS


def _declined(reason: str, message: str = "Your card was declined.") -> Decline:
    return Decline("card_declined", reason, message)


GENERIC = _declined("generic_decline")
INSUFFICIENT_FUNDS = _declined("insufficient_funds", "Your card has insufficient funds.")
LOST = _declined("lost_card")
STOLEN = _declined("stolen_card")
VELOCITY = _declined(
    "card_velocity_exceeded",
    "Your card was declined for making repeated attempts too frequently or exceeding its amount "
    "limit.",
)
FRAUDULENT = _declined("fraudulent")
EXPIRED = Decline("expired_card", "expired_card", "Your card has expired.")
INCORRECT_CVC = Decline("incorrect_cvc", "incorrect_cvc", "Your card's security code is incorrect.")
PROCESSING_ERROR = Decline(
    "processing_error",
    "processing_error",
    "An error occurred while processing your card. Try again in a little bit.",
)
AUTHENTICATION_REQUIRED = Decline(
    "authentication_required",
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
)
AUTHENTICATION_FAILED = Decline(
    "payment_intent_authentication_failure",
    None,
    "The provided PaymentMethod has failed authentication. You can provide payment_method_data or "
    "a new PaymentMethod to attempt to fulfill this PaymentIntent again.",
)

_CARDS = (
    Card("pm_card_visa"),
    Card("pm_card_visa_debit", last4="5556", funding="debit"),
    Card("pm_card_mastercard", "mastercard", "4444"),
    Card("pm_card_mastercard_debit", "mastercard", "8210", "debit"),
    Card("pm_card_mastercard_prepaid", "mastercard", "5100", "prepaid"),
    Card("pm_card_amex", "amex", "0005"),
    Card("pm_card_discover", "discover", "1117"),
    Card("pm_card_diners", "diners", "0004"),
    Card("pm_card_jcb", "jcb", "0505", country="JP"),
    Card("pm_card_unionpay", "unionpay", "0005", country="CN"),
    # Declined when charged.
    Card("pm_card_visa_chargeDeclined", last4="0002", decline=GENERIC),
    Card("pm_card_chargeDeclined", last4="0002", decline=GENERIC),
    Card("pm_card_chargeCustomerFail", last4="0341", decline=GENERIC),
    Card("pm_card_visa_chargeDeclinedInsufficientFunds", last4="9995", decline=INSUFFICIENT_FUNDS),
    Card("pm_card_chargeDeclinedInsufficientFunds", last4="9995", decline=INSUFFICIENT_FUNDS),
    Card("pm_card_visa_chargeDeclinedLostCard", last4="9987", decline=LOST),
    Card("pm_card_chargeDeclinedLostCard", last4="9987", decline=LOST),
    Card("pm_card_visa_chargeDeclinedStolenCard", last4="9979", decline=STOLEN),
    Card("pm_card_chargeDeclinedStolenCard", last4="9979", decline=STOLEN),
    Card("pm_card_visa_chargeDeclinedVelocityLimitExceeded", last4="6975", decline=VELOCITY),
    Card("pm_card_chargeDeclinedFraudulent", last4="0019", decline=FRAUDULENT),
    Card("pm_card_radarBlock", last4="0019", decline=FRAUDULENT),
    Card("pm_card_chargeDeclinedExpiredCard", last4="0069", decline=EXPIRED),
    Card("pm_card_chargeDeclinedIncorrectCvc", last4="0127", decline=INCORRECT_CVC),
    Card("pm_card_chargeDeclinedProcessingError", last4="0119", decline=PROCESSING_ERROR),
    # 3D Secure. "OnSetup" is exempt only off session, after a setup.
    Card("pm_card_authenticationRequired", last4="3184", authentication=True),
    Card("pm_card_authenticationRequiredOnSetup", last4="3155", authentication=True),
    Card("pm_card_authenticationRequiredSetupForOffSession", last4="0446", authentication=True),
    Card(
        "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds",
        last4="3178",
        authentication=True,
        decline=INSUFFICIENT_FUNDS,
    ),
    Card("pm_card_threeDSecure2Required", last4="3220", authentication=True),
    Card("pm_card_threeDSecureRequired", last4="3063", authentication=True),
    Card(
        "pm_card_threeDSecureRequiredChargeDeclined",
        last4="1629",
        authentication=True,
        decline=GENERIC,
    ),
    Card("pm_card_threeDSecureOptional", last4="3055"),
    Card("pm_card_amex_threeDSecureNotSupported", "amex", "0005"),
    # Refunds with a later outcome.
    Card("pm_card_pendingRefund", last4="7726", refund=RefundOutcome.SUCCEEDS_LATER),
    Card("pm_card_refundFail", last4="5126", refund=RefundOutcome.FAILS_LATER),
    # The sandbox's own: an intent that is `processing` first, as with slower payment methods.
    Card("pm_sandbox_processing", last4="0901", delayed=True),
    Card("pm_sandbox_processingDeclined", last4="0902", delayed=True, decline=GENERIC),
)

CARDS = {card.token: card for card in _CARDS}
