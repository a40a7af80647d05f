"""Where Stripe's amounts are not ISO 4217's minor units (https://docs.stripe.com/currencies).

Ours are ISO's everywhere. They are converted on the way out and back, and compared after that.
"""

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


class NotPayable(ValueError):
    """The amount cannot be said in the other side's units."""


def to_stripe(minor_units: int, currency_code: str) -> int:
    """Our amount as Stripe counts. Raises NotPayable."""
    ours, theirs = UNITS.get(currency_code, SAME)
    return _converted(minor_units, ours, theirs)


def from_stripe(amount: int, currency_code: str) -> int:
    """Stripe's amount in our minor units. Raises NotPayable."""
    ours, theirs = UNITS.get(currency_code, SAME)
    return _converted(amount, theirs, ours)


def _converted(amount: int, unit: int, other_unit: int) -> int:
    whole, rest = divmod(amount, unit)
    if rest:
        raise NotPayable(f"the amount must be a multiple of {unit}")
    return whole * other_unit
