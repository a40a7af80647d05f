"""Domain values as messages: what callers are shown."""

from datetime import UTC, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from oncepay.payment.v1 import payment_pb2 as pb
from oncepay.payment.v1 import payment_service_pb2 as service_pb
from support.examples import NOW, PAYMENT_ID, REFUND_ID, REQUEST, a_payment, a_refund

from payment.api import conversions
from payment.domain.events import EventType, PaymentEvent
from payment.domain.payment import Held, PublicState, State
from payment.domain.refund import RefundReason, RefundState
from payment.domain.values import Failure

ROOT = Path(__file__).parents[3]
NAME = f"payments/{PAYMENT_ID}"
CUSTOMER = str(REQUEST.customer)
REQUEST_ID = str(REQUEST.request_id)
NOW_TIMESTAMP = Timestamp(seconds=int(NOW.timestamp()))
EUR_10 = pb.Money(minor_units=1000, currency_code="EUR")
VALID_FIELDS: dict[str, Any] = {
    "customer": CUSTOMER,
    "amount": EUR_10,
    "payment_method": "pm_card_visa",
}


def message_of_example(**fields: Any) -> pb.Payment:
    """`a_payment` as callers are shown it; `fields` are those of its state."""
    of_every_state: dict[str, Any] = {
        "name": NAME,
        "customer": CUSTOMER,
        "amount": EUR_10,
        "payment_method": "pm_card_visa",
        "capture_method": pb.Payment.AUTOMATIC,
        "reference": "order-1",
        "amount_captured": pb.Money(currency_code="EUR"),
        "amount_refunded": pb.Money(currency_code="EUR"),
        "customer_etag": '"1"',
        "processor_id": "pi_1",
        "create_time": NOW,
        "update_time": NOW,
        "etag": '"1"',
    }
    return pb.Payment(**of_every_state | fields)


DECLINED = Failure("card_declined", "insufficient_funds", "Your card has insufficient funds.")
DECLINED_MESSAGE = pb.Failure(
    code="card_declined",
    decline_code="insufficient_funds",
    message="Your card has insufficient funds.",
)


@pytest.mark.parametrize(
    ("state", "fields"),
    [
        (State.CONFIRMING, {"state": pb.Payment.PROCESSING}),
        (State.CAPTURING, {"state": pb.Payment.PROCESSING}),
        (State.CANCELING, {"state": pb.Payment.PROCESSING}),
        (
            State.REQUIRES_ACTION,
            {
                "state": pb.Payment.REQUIRES_ACTION,
                "next_action": pb.Payment.NextAction(redirect_url="https://bank.example/3ds"),
            },
        ),
        (
            State.AUTHORIZED,
            {"state": pb.Payment.AUTHORIZED, "capture_before_time": NOW + timedelta(days=7)},
        ),
        (
            State.SUCCEEDED,
            {
                "state": pb.Payment.SUCCEEDED,
                "amount_captured": pb.Money(minor_units=900, currency_code="EUR"),
                "amount_refunded": pb.Money(minor_units=400, currency_code="EUR"),
            },
        ),
        (State.FAILED, {"state": pb.Payment.FAILED, "failure": DECLINED_MESSAGE}),
        (State.CANCELED, {"state": pb.Payment.CANCELED}),
    ],
)
def test_a_field_that_belongs_to_a_state_is_shown_in_that_state_only(
    state: State, fields: dict[str, Any]
) -> None:
    """Each of these payments went through every state, and kept what the states left behind."""
    succeeded = state is State.SUCCEEDED
    payment = a_payment(
        state,
        failure=DECLINED,
        redirect_url="https://bank.example/3ds",
        action_by=NOW,
        capture_before=NOW + timedelta(days=7),
        amount_capturing=900,
        amount_captured=900 if succeeded else 0,
        amount_refunded=400 if succeeded else 0,
    )
    assert conversions.payment_message(payment) == message_of_example(**fields)


def test_the_public_states_are_those_of_the_contract() -> None:
    shown = {state.public for state in State}
    assert shown == set(PublicState)
    named = {each.name for each in pb.Payment.DESCRIPTOR.enum_types_by_name["State"].values}
    assert {state.value for state in PublicState} == named - {"STATE_UNSPECIFIED"}


def test_why_a_payment_is_held_its_deletion_and_its_etag_are_shown() -> None:
    payment = a_payment(
        held=Held("why", NOW), delete_time=NOW + timedelta(microseconds=1), version=7
    )
    message = conversions.payment_message(payment)
    assert message.held == pb.Payment.Held(reason="why", time=NOW_TIMESTAMP)
    assert message.delete_time.ToDatetime(UTC) == NOW + timedelta(microseconds=1)
    assert message.etag == '"7"'


def test_every_field_that_a_caller_sets_is_shown_as_it_was_set() -> None:
    request = pb.Payment(
        **VALID_FIELDS,
        capture_method=pb.Payment.MANUAL,
        return_url="https://shop.example/back",
        description="two lines\nof text",
        reference="A-1",
        metadata={"k": "v", "a": "b"},
    )
    read = conversions.payment_request(
        service_pb.CreatePaymentRequest(payment=request, request_id=REQUEST_ID)
    )
    message = conversions.payment_message(a_payment(request=read))
    for field, value in request.ListFields():
        assert getattr(message, field.name) == value


def test_every_field_of_a_refund_is_shown() -> None:
    message = conversions.refund_message(
        a_refund(
            reason=RefundReason.FRAUDULENT,
            state=RefundState.FAILED,
            failure=Failure("lost_or_stolen_card"),
            processor_id="re_1",
            version=2,
        )
    )
    assert message == pb.Refund(
        name=f"{NAME}/refunds/{REFUND_ID}",
        amount=pb.Money(minor_units=400, currency_code="EUR"),
        reason=pb.Refund.FRAUDULENT,
        state=pb.Refund.FAILED,
        failure=pb.Failure(code="lost_or_stolen_card"),
        processor_id="re_1",
        create_time=NOW_TIMESTAMP,
        update_time=NOW_TIMESTAMP,
        etag='"2"',
    )
    bare = conversions.refund_message(a_refund())
    assert (bare.state, bare.reason) == (pb.Refund.PENDING, pb.Refund.REASON_UNSPECIFIED)
    assert not bare.HasField("failure")


def test_every_field_of_an_event_is_shown() -> None:
    event = PaymentEvent(
        PAYMENT_ID, 4, EventType.REFUND_CREATED, State.SUCCEEDED, REFUND_ID, "why", NOW, "c4"
    )
    assert conversions.event_message(event) == pb.PaymentEvent(
        payment=NAME,
        sequence=4,
        type="refund.created",
        state=pb.Payment.SUCCEEDED,
        refund=f"{NAME}/refunds/{REFUND_ID}",
        note="why",
        event_time=NOW_TIMESTAMP,
        cursor="c4",
    )
    payment_event = PaymentEvent(
        UUID(int=1), 1, EventType.CREATED, State.CAPTURING, None, "", NOW, "c1"
    )
    message = conversions.event_message(payment_event)
    assert (message.refund, message.state) == ("", pb.Payment.PROCESSING)


@pytest.mark.parametrize(
    ("enum", "numbers"),
    [
        (pb.Payment.CaptureMethod, conversions.CAPTURE_METHODS),
        (pb.Refund.Reason, conversions.REFUND_REASONS),
    ],
)
def test_every_number_of_an_enum_of_the_contract_is_known(
    enum: Any, numbers: dict[int, Any]
) -> None:
    assert set(enum.values()) == set(numbers)
    for number, value in numbers.items():
        if number:
            assert enum.Name(number) == value.name


def test_every_event_type_is_documented_in_the_contract() -> None:
    contract = (ROOT / "protobuf/oncepay/payment/v1/payment.proto").read_text()
    assert all(f"`{event_type.value}`" in contract for event_type in EventType)
