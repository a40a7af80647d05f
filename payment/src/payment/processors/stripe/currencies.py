"""Where Stripe's amounts differ from ISO 4217's minor units (https://docs.stripe.com/currencies).

Ours are ISO's everywhere. They are converted on the way to Stripe and back, and compared after that.
"""

from payment.domain.evidence import Rejection
from payment.domain.values import RequestPart

UNITS: dict[str, tuple[int, int]] = {
    "ISK": (1, 100),  # no decimals in ISO; Stripe keeps two, which must be zero
    "UGX": (1, 100),  # the same
    "MGA": (100, 1),  # two decimals in ISO (though 1 ariary is 5 iraimbilanja); none with Stripe
    "BHD": (10, 10),  # three decimals; Stripe's partners want the last digit to be 0
    "JOD": (10, 10),
    "KWD": (10, 10),
    "OMR": (10, 10),
    "TND": (10, 10),
}
"""So many of our minor units equal so many of Stripe's; neither side can express less."""
SAME = (1, 1)


def to_stripe(minor_units: int, currency_code: str) -> int | Rejection:
    """Our amount in Stripe's units; a Rejection, without asking Stripe, where it has none for it."""
    ours, theirs = UNITS.get(currency_code, SAME)
    whole, rest = divmod(minor_units, ours)
    if rest:
        message = f"an amount in {currency_code} must be a multiple of {ours} minor units"
        return Rejection("amount_not_payable", RequestPart.AMOUNT, message)
    return whole * theirs


def from_stripe(amount: int, currency_code: str) -> int:
    """Stripe's amount in our minor units.

    Raises:
        ValueError: it cannot be expressed in them.
    """
    ours, theirs = UNITS.get(currency_code, SAME)
    whole, rest = divmod(amount, theirs)
    if rest:
        raise ValueError(f"{amount} is no amount in {currency_code}")
    return whole * ours
