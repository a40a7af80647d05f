"""Amounts: parsed from text to minor units, and formatted."""

import re

from oncepay.payment.v1.payment_pb2 import Money

from chassis.iso_4217 import decimals, format_amount
from oncepay_cli.errors import CommandError


def parse(amount: str, currency: str) -> Money:
    """The amount in minor units: `42.00` and `EUR` are 4200. Computed without floats.

    Raises:
        CommandError: the amount or the currency is malformed, or there are too many decimals.
    """
    code = currency.upper()
    if not re.fullmatch(r"[A-Z]{3}", code):
        raise CommandError(
            f"{currency!r} is not a currency code: give three letters (ISO 4217), for example EUR."
        )
    number = re.fullmatch(r"([0-9]{1,15})(?:\.([0-9]+))?", amount)
    if number is None:
        raise CommandError(
            f"{amount!r} is not an amount: write digits and a decimal point, for example 42.00."
        )
    units, fraction = number[1], number[2] or ""
    places = decimals(code)
    if len(fraction) > places:
        allowed = {0: "no decimals", 1: "1 decimal"}.get(places, f"{places} decimals")
        raise CommandError(f"{amount} has too many decimals: {code} has {allowed}.")
    return Money(currency_code=code, minor_units=int(units + fraction.ljust(places, "0")))


def formatted(money: Money) -> str:
    """The amount as text: `EUR 42.00`."""
    return format_amount(money.minor_units, money.currency_code)
