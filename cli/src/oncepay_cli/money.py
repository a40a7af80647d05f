"""Amounts as people write them, and as the services count them: in the smallest unit."""

import re

from oncepay.payment.v1.payment_pb2 import Money

from chassis.iso_4217 import decimals, format_amount
from oncepay_cli.errors import CommandError


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
    return format_amount(money.minor_units, money.currency_code)
