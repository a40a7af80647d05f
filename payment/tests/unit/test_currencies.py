"""Amounts in our units, ISO 4217's, and in Stripe's, which differ for some currencies."""

import pytest

from payment.domain.evidence import Rejection
from payment.domain.values import RequestPart
from payment.processors.stripe.currencies import UNITS, from_stripe, to_stripe


@pytest.mark.parametrize(
    ("currency_code", "our_amount", "stripe_amount"),
    [
        ("EUR", 1050, 1050),
        ("JPY", 1050, 1050),
        ("ISK", 1050, 105_000),
        ("UGX", 1, 100),
        ("MGA", 5000, 50),
        ("BHD", 5120, 5120),
        ("JOD", 10, 10),
        ("KWD", 5120, 5120),
        ("OMR", 5120, 5120),
        ("TND", 5120, 5120),
    ],
)
def test_an_amount_is_converted_to_stripes_units_and_back(
    currency_code: str, our_amount: int, stripe_amount: int
) -> None:
    assert to_stripe(our_amount, currency_code) == stripe_amount
    assert from_stripe(stripe_amount, currency_code) == our_amount


@pytest.mark.parametrize(
    ("currency_code", "amount"),
    [("MGA", 5020), ("KWD", 5124), ("BHD", 5), ("JOD", 11), ("OMR", 1), ("TND", 9)],
)
def test_an_amount_that_stripes_units_cannot_express_is_refused_and_never_rounded(
    currency_code: str, amount: int
) -> None:
    rejection = to_stripe(amount, currency_code)

    assert isinstance(rejection, Rejection)
    assert rejection.part is RequestPart.AMOUNT
    assert currency_code in rejection.message


@pytest.mark.parametrize(("currency_code", "amount"), [("ISK", 150), ("UGX", 1), ("KWD", 5124)])
def test_an_amount_of_stripes_that_our_units_cannot_express_is_refused_and_never_rounded(
    currency_code: str, amount: int
) -> None:
    with pytest.raises(ValueError, match=currency_code):
        from_stripe(amount, currency_code)


@pytest.mark.parametrize("currency_code", ["EUR", *UNITS])
def test_zero_is_zero_in_the_units_of_every_currency(currency_code: str) -> None:
    assert to_stripe(0, currency_code) == from_stripe(0, currency_code) == 0
