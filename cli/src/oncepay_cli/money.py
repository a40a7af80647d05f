"""Amounts as people write them, and as the services count them: in the smallest unit."""

import re

from oncepay.payment.v1.payment_pb2 import Money

from oncepay_cli.errors import CommandError

# ISO 4217: how many decimals a currency has, where it is not two.
_DECIMALS = {
    **dict.fromkeys(
        [
            *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI"),
            *("VND", "VUV", "XAF", "XOF", "XPF"),
        ],
        0,
    ),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
    **dict.fromkeys(["CLF", "UYW"], 4),
}
# What people are offered when they press Tab; every other code is taken too.
COMMON_CURRENCIES = ("EUR", "USD", "GBP", "CHF", "JPY", "SEK", "PLN", "KWD")


def decimals(currency: str) -> int:
    return _DECIMALS.get(currency, 2)


def parse(amount: str, currency: str) -> Money:
    """`42.00` and `EUR` are 4200 minor units. No float is near it.

    Raises:
        CommandError: it is no amount, or finer than the currency is.
    """
    code = currency.upper()
    if not re.fullmatch(r"[A-Z]{3}", code):
        raise CommandError(
            f"{currency!r} is no currency: give three letters (ISO 4217), as in EUR."
        )
    written = re.fullmatch(r"([0-9]{1,15})(?:\.([0-9]+))?", amount)
    if written is None:
        raise CommandError(
            f"{amount!r} is no amount: write it with digits and a point, as in 42.00."
        )
    whole, fraction = written[1], written[2] or ""
    digits_after = decimals(code)
    if len(fraction) > digits_after:
        counted = {0: "no decimals", 1: "1 decimal"}.get(digits_after, f"{digits_after} decimals")
        raise CommandError(f"{amount} is too fine: {code} has {counted}.")
    return Money(currency_code=code, minor_units=int(whole + fraction.ljust(digits_after, "0")))


def written(money: Money) -> str:
    """`EUR 42.00`."""
    digits_after = decimals(money.currency_code)
    digits = str(money.minor_units).rjust(digits_after + 1, "0")
    whole, fraction = (
        (digits[:-digits_after], digits[-digits_after:]) if digits_after else (digits, "")
    )
    return f"{money.currency_code} {int(whole):,}{'.' if fraction else ''}{fraction}"
