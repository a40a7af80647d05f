"""The checked values of a payment."""

from uuid import UUID

import pytest
from support.examples import PAYMENT_ID, REFUND_ID

from chassis.values import InvalidValue
from payment.domain.values import (
    CustomerName,
    Money,
    PaymentMethod,
    PaymentName,
    RefundName,
    ReturnUrl,
)


@pytest.mark.parametrize("code", ["", "eur", "EURO", "E1R", "€€€", "EUR\n"])
def test_a_currency_code_other_than_three_capital_letters_is_refused(code: str) -> None:
    with pytest.raises(InvalidValue) as error:
        Money(1, code)
    assert (error.value.field, error.value.rule) == ("currency_code", "CURRENCY_CODE")


@pytest.mark.parametrize("units", [0, -1, 1_000_000_000_000, -(2**63), 2**63 - 1])
def test_an_amount_below_one_or_above_twelve_digits_is_refused(units: int) -> None:
    with pytest.raises(InvalidValue) as error:
        Money(units, "EUR")
    assert (error.value.field, error.value.rule) == ("minor_units", "AMOUNT_RANGE")


@pytest.mark.parametrize("token", ["pm_card_visa", "tok_1", "src_A9", "a1", "p" * 255])
def test_a_payment_method_is_any_token_that_begins_with_a_letter(token: str) -> None:
    assert PaymentMethod(token).token == token


@pytest.mark.parametrize(
    "token",
    [
        "",
        "p",
        "4242424242424242",
        "4pm_card",
        "_pm",
        "pm_a b",
        "pm-card",
        "pm_é",
        "pm_1\n",
        "p" * 256,
    ],
)
def test_a_card_number_or_another_text_that_is_no_token_is_no_payment_method(token: str) -> None:
    with pytest.raises(InvalidValue) as error:
        PaymentMethod(token)
    assert error.value.rule == "PAYMENT_METHOD_TOKEN"


@pytest.mark.parametrize(
    "address",
    ["https://shop.example/back?order=1", "http://localhost:8000/", "http://127.0.0.1/done"],
)
def test_a_return_url_is_an_absolute_https_address_or_one_of_the_loopback(address: str) -> None:
    assert ReturnUrl(address).address == address


@pytest.mark.parametrize(
    "address",
    [
        "",
        "/back",
        "shop.example",
        "http://shop.example",
        "ftp://shop.example",
        "javascript:alert(1)",
        "https://",
        "https://[::1",
        "https://shöp.example",
        "https://shop.example/a b",
        "https://shop.example/" + "a" * 2000,
    ],
)
def test_any_other_return_url_is_refused(address: str) -> None:
    with pytest.raises(InvalidValue):
        ReturnUrl(address)


def test_names_are_read_and_written() -> None:
    customer = f"customers/{UUID(int=5)}"
    assert str(CustomerName.parse(customer)) == customer
    payment = f"payments/{PAYMENT_ID}"
    assert str(PaymentName.parse(payment)) == payment
    refund = f"{payment}/refunds/{REFUND_ID}"
    assert str(RefundName.parse(refund)) == refund


@pytest.mark.parametrize("name", ["", "payments/", "payments/1", f"payments/{PAYMENT_ID}/refunds"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(InvalidValue):
        PaymentName.parse(name)
    with pytest.raises(InvalidValue):
        RefundName.parse(name)
