"""Parsing and formatting amounts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oncepay.payment.v1.payment_pb2 import Money

from oncepay_cli import money
from oncepay_cli.errors import CommandError


@pytest.mark.parametrize(
    ("amount", "currency", "minor_units", "formatted"),
    [
        ("42.00", "EUR", 4200, "EUR 42.00"),
        ("42", "eur", 4200, "EUR 42.00"),
        ("0.1", "EUR", 10, "EUR 0.10"),
        ("0.29", "EUR", 29, "EUR 0.29"),  # 0.29 * 100 is 28.999999999999996 in floats
        ("1050", "JPY", 1050, "JPY 1,050"),
        ("1.05", "KWD", 1050, "KWD 1.050"),
        ("9999999999.99", "USD", 999_999_999_999, "USD 9,999,999,999.99"),
    ],
)
def test_an_amount_is_parsed_to_minor_units_and_formatted_with_its_decimals(
    amount: str, currency: str, minor_units: int, formatted: str
) -> None:
    parsed = money.parse(amount, currency)
    assert (parsed.minor_units, parsed.currency_code) == (minor_units, currency.upper())
    assert money.formatted(parsed) == formatted


@given(st.integers(0, 10**12), st.sampled_from(["EUR", "JPY", "KWD", "CLF"]))
def test_a_formatted_amount_parses_to_the_same_amount(minor_units: int, currency: str) -> None:
    amount = Money(currency_code=currency, minor_units=minor_units)
    _, digits = money.formatted(amount).replace(",", "").split()
    assert money.parse(digits, currency) == amount


@pytest.mark.parametrize(
    ("amount", "currency", "reason"),
    [
        ("42.001", "EUR", "EUR has 2 decimals"),
        ("42.0", "JPY", "JPY has no decimals"),
        ("42,00", "EUR", "is not an amount"),
        ("-1", "EUR", "is not an amount"),
        ("1e3", "EUR", "is not an amount"),
        ("", "EUR", "is not an amount"),
        ("٤٢", "EUR", "is not an amount"),
        ("42", "EURO", "is not a currency code"),
    ],
)
def test_an_invalid_amount_or_currency_is_rejected_with_the_reason(
    amount: str, currency: str, reason: str
) -> None:
    with pytest.raises(CommandError, match=reason):
        money.parse(amount, currency)
