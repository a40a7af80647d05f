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
    places = decimals(code)
    if len(fraction) > places:
        counted = {0: "no decimals", 1: "1 decimal"}.get(places, f"{places} decimals")
        raise CommandError(f"{amount} is too fine: {code} has {counted}.")
    return Money(currency_code=code, minor_units=int(whole + fraction.ljust(places, "0")))


def written(money: Money) -> str:
    """`EUR 42.00`."""
    places = decimals(money.currency_code)
    digits = str(money.minor_units).rjust(places + 1, "0")
    whole, fraction = (digits[:-places], digits[-places:]) if places else (digits, "")
    return f"{money.currency_code} {int(whole):,}{'.' if fraction else ''}{fraction}"
