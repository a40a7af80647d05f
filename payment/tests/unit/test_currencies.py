"""Amounts on their way to Stripe and back: ours are ISO 4217's, Stripe's nearly."""

import pytest

from payment.domain.evidence import Rejection
from payment.domain.values import RequestPart
from payment.processors.stripe.currencies import UNITS, from_stripe, to_stripe


@pytest.mark.parametrize(
    ("currency_code", "ours", "stripes"),
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
def test_an_amount_is_said_in_stripes_units_and_comes_back_as_it_was(
    currency_code: str, ours: int, stripes: int
) -> None:
    assert to_stripe(ours, currency_code) == stripes
    assert from_stripe(stripes, currency_code) == ours


@pytest.mark.parametrize(
    ("currency_code", "amount"),
    [("MGA", 5020), ("KWD", 5124), ("BHD", 5), ("JOD", 11), ("OMR", 1), ("TND", 9)],
)
def test_an_amount_that_stripe_cannot_say_is_refused_and_never_rounded(
    currency_code: str, amount: int
) -> None:
    refused = to_stripe(amount, currency_code)

    assert isinstance(refused, Rejection)
    assert refused.part is RequestPart.AMOUNT
    assert currency_code in refused.message


@pytest.mark.parametrize(("currency_code", "amount"), [("ISK", 150), ("UGX", 1), ("KWD", 5124)])
def test_an_amount_of_stripes_that_the_currency_does_not_have_is_never_rounded(
    currency_code: str, amount: int
) -> None:
    with pytest.raises(ValueError, match=currency_code):
        from_stripe(amount, currency_code)


@pytest.mark.parametrize("currency_code", ["EUR", *UNITS])
def test_nothing_is_nothing_everywhere(currency_code: str) -> None:
    assert to_stripe(0, currency_code) == from_stripe(0, currency_code) == 0
