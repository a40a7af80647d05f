"""ISO 4217: the decimals of currencies, and amounts as text."""

import pytest

from chassis.iso_4217 import decimals, format_amount


@pytest.mark.parametrize(
    ("currency_code", "number"), [("EUR", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4), ("XYZ", 2)]
)
def test_a_currency_has_two_decimals_unless_it_is_listed(currency_code: str, number: int) -> None:
    assert decimals(currency_code) == number


@pytest.mark.parametrize(
    ("minor_units", "currency_code", "text"),
    [
        (123456, "EUR", "EUR 1,234.56"),
        (5, "EUR", "EUR 0.05"),
        (0, "EUR", "EUR 0.00"),
        (1234, "JPY", "JPY 1,234"),
        (12340, "KWD", "KWD 12.340"),
    ],
)
def test_an_amount_is_formatted_with_its_currencys_decimals(
    minor_units: int, currency_code: str, text: str
) -> None:
    assert format_amount(minor_units, currency_code) == text
