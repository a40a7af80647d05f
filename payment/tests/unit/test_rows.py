"""Rows as domain values and back: no field is lost, and none is invented."""

import dataclasses
from datetime import timedelta
from typing import Any

import pytest
from support.examples import NOW, REQUEST, a_payment, a_refund

from chassis.values import Metadata
from payment.domain.payment import CancelReason, CaptureMethod, Held, Payment, State
from payment.domain.refund import Refund, RefundReason, RefundState
from payment.domain.values import Failure, ReturnUrl
from payment.repository.postgresql import rows

FAILURE = Failure("card_declined", "insufficient_funds", "Your card has insufficient funds.")
COMPLETE_PAYMENT = a_payment(
    request=dataclasses.replace(
        REQUEST,
        capture_method=CaptureMethod.MANUAL,
        return_url=ReturnUrl("https://shop.example/back"),
        description="two chairs",
        metadata=Metadata.of({"b": "2", "a": "1"}),
    ),
    state=State.CANCELED,
    idempotency_counter=3,
    version=7,
    action_by=NOW + timedelta(hours=1),
    capture_before=NOW + timedelta(hours=2),
    redirect_url="https://bank.example/3ds",
    cancel_reason=CancelReason.EXPIRED,
    failure=FAILURE,
    held=Held("another amount", NOW + timedelta(hours=3)),
    amount_capturing=900,
    amount_captured=800,
    amount_refunded=700,
    delete_time=NOW + timedelta(hours=4),
    update_time=NOW + timedelta(hours=5),
)
COMPLETE_REFUND = a_refund(
    reason=RefundReason.FRAUDULENT,
    state=RefundState.FAILED,
    failure=FAILURE,
    processor_id="re_1",
    version=4,
    update_time=NOW + timedelta(hours=1),
)


def row_of_payment(payment: Payment) -> Any:
    """The row that has the columns which inserts and saves write, and those that the database writes."""
    by_the_database = {
        "version": payment.version,
        "create_time": payment.create_time,
        "update_time": payment.update_time,
        "amount_refunded": payment.amount_refunded,
    }
    return rows.request_columns(payment) | rows.changeable_columns(payment) | by_the_database


def row_of_refund(refund: Refund) -> Any:
    return {
        **{field.name: getattr(refund, field.name) for field in dataclasses.fields(refund)},
        "reason": refund.reason and refund.reason.value,
        "state": refund.state.value,
        "failure": rows.failure(refund.failure),
        "processor_id": refund.processor_id or None,
    }


@pytest.mark.parametrize("complete", [COMPLETE_PAYMENT, COMPLETE_REFUND], ids=["payment", "refund"])
def test_the_complete_examples_have_no_field_that_is_as_it_is_by_default(
    complete: Payment | Refund,
) -> None:
    """Otherwise the tests below would not see that it is lost."""
    for field in dataclasses.fields(complete):
        assert getattr(complete, field.name) != field.default, field.name


@pytest.mark.parametrize("payment", [COMPLETE_PAYMENT, *map(a_payment, State)])
def test_a_payment_comes_back_from_its_row_as_it_was(payment: Payment) -> None:
    assert rows.payment(row_of_payment(payment)) == payment


@pytest.mark.parametrize(
    "refund", [COMPLETE_REFUND, *(a_refund(state=state) for state in RefundState)]
)
def test_a_refund_comes_back_from_its_row_as_it_was(refund: Refund) -> None:
    assert rows.refund(row_of_refund(refund)) == refund


def test_a_payment_without_what_is_optional_has_no_value_in_those_columns() -> None:
    bare = a_payment(request=dataclasses.replace(REQUEST, reference=None))
    columns = row_of_payment(bare)
    optional = {
        *("return_url", "reference", "action_by", "capture_before", "cancel_reason", "failure"),
        *("held_reason", "held_time", "delete_time"),
    }
    assert {name for name, value in columns.items() if value is None} == optional
