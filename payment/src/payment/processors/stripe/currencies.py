"""Where Stripe's amounts are not ISO 4217's minor units (https://docs.stripe.com/currencies).

Ours are ISO's everywhere. They are converted on the way out and back, and compared after that.
"""

from payment.domain.evidence import Rejection

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
"""So many of our minor units are so many of Stripe's; neither side can say less."""
SAME = (1, 1)


def to_stripe(minor_units: int, currency_code: str) -> int | Rejection:
    """Our amount as Stripe counts; Rejection, with nothing asked, where it cannot be said."""
    ours, theirs = UNITS.get(currency_code, SAME)
    whole, rest = divmod(minor_units, ours)
    if rest:
        message = f"an amount in {currency_code} must be a multiple of {ours} minor units"
        return Rejection("amount_not_payable", "amount", message)
    return whole * theirs


def from_stripe(amount: int, currency_code: str) -> int:
    """Stripe's amount in our minor units. Raises ValueError where it cannot be said."""
    ours, theirs = UNITS.get(currency_code, SAME)
    whole, rest = divmod(amount, theirs)
    if rest:
        raise ValueError(f"{amount} is no amount in {currency_code}")
    return whole * ours
