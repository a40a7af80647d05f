"""Protobuf to values and back: every bad value is named by its field and its rule."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from oncepay.payment.v1 import payment_pb2 as pb
from oncepay.payment.v1 import payment_service_pb2 as service_pb
from support.examples import NOW, PAYMENT_ID, REFUND_ID, REQUEST, a_payment, a_refund

from chassis.aip.filters import Comparison
from chassis.values import InvalidValue, Metadata, Reference
from payment.api import conversions
from payment.domain.events import EventType, PaymentEvent
from payment.domain.payment import CaptureMethod, Held, PublicState, State
from payment.domain.refund import RefundReason, RefundState
from payment.domain.values import Failure, Money
from payment.service_layer.change_payment import PaymentChanges
from payment.service_layer.ports import PaymentQuery

ROOT = Path(__file__).parents[3]
NAME = f"payments/{PAYMENT_ID}"
CUSTOMER = str(REQUEST.customer)
REQUEST_ID = str(REQUEST.request_id)
NOON = Timestamp(seconds=int(NOW.timestamp()))
EUR_10 = pb.Money(minor_units=1000, currency_code="EUR")
GOOD: dict[str, Any] = {
    "customer": CUSTOMER,
    "amount": EUR_10,
    "payment_method": "pm_card_visa",
}


def creation(**said: Any) -> service_pb.CreatePaymentRequest:
    request_id = said.pop("request_id", REQUEST_ID)
    return service_pb.CreatePaymentRequest(payment=pb.Payment(**GOOD | said), request_id=request_id)


def update(paths: list[str], **said: Any) -> service_pb.UpdatePaymentRequest:
    payment = pb.Payment(**{"name": NAME} | said)
    return service_pb.UpdatePaymentRequest(payment=payment, update_mask=FieldMask(paths=paths))


def refunding(**said: Any) -> service_pb.CreateRefundRequest:
    outside = {"parent": NAME, "request_id": REQUEST_ID}
    outside |= {field: said.pop(field) for field in list(said) if field in outside}
    return service_pb.CreateRefundRequest(refund=pb.Refund(**said), **outside)


def refused(read: Callable[[Any], object], request: Message) -> tuple[str, str]:
    with pytest.raises(InvalidValue) as error:
        read(request)
    assert len(error.value.message) < 1_000
    return error.value.field, error.value.rule


@pytest.mark.parametrize(
    ("said", "field", "rule"),
    [
        ({"request_id": ""}, "request_id", "UUID"),
        ({"request_id": "1"}, "request_id", "UUID"),
        ({"request_id": "00000000-0000-0000-0000-000000000000"}, "request_id", "UUID"),
        ({"request_id": "x" * 100_000}, "request_id", "UUID"),
        ({"customer": ""}, "payment.customer", "RESOURCE_NAME"),
        ({"customer": "customers/1"}, "payment.customer", "RESOURCE_NAME"),
        ({"customer": CUSTOMER.upper()}, "payment.customer", "RESOURCE_NAME"),
        ({"amount": None}, "payment.amount", "REQUIRED"),
        ({"amount": pb.Money()}, "payment.amount.currency_code", "CURRENCY_CODE"),
        (
            {"amount": pb.Money(minor_units=1, currency_code="eur")},
            "payment.amount.currency_code",
            "CURRENCY_CODE",
        ),
        (
            {"amount": pb.Money(minor_units=0, currency_code="EUR")},
            "payment.amount.minor_units",
            "AMOUNT_RANGE",
        ),
        (
            {"amount": pb.Money(minor_units=-1, currency_code="EUR")},
            "payment.amount.minor_units",
            "AMOUNT_RANGE",
        ),
        (
            {"amount": pb.Money(minor_units=10**12, currency_code="EUR")},
            "payment.amount.minor_units",
            "AMOUNT_RANGE",
        ),
        ({"payment_method": ""}, "payment.payment_method", "PAYMENT_METHOD_TOKEN"),
        ({"payment_method": "4242424242424242"}, "payment.payment_method", "PAYMENT_METHOD_TOKEN"),
        ({"payment_method": "pm_" + "x" * 253}, "payment.payment_method", "PAYMENT_METHOD_TOKEN"),
        ({"capture_method": 3}, "payment.capture_method", "CAPTURE_METHOD"),
        ({"capture_method": -1}, "payment.capture_method", "CAPTURE_METHOD"),
        ({"return_url": "http://shop.example/"}, "payment.return_url", "HTTPS"),
        ({"return_url": "/back"}, "payment.return_url", "ABSOLUTE_URL"),
        ({"return_url": "https://x/" + "x" * 2_000}, "payment.return_url", "TOO_LONG"),
        ({"description": "x" * 1_001}, "payment.description", "TOO_LONG"),
        ({"description": "a\0b"}, "payment.description", "UNPRINTABLE"),
        ({"description": "5555 5555 5555 4444"}, "payment.description", "CARD_NUMBER"),
        ({"reference": "x" * 129}, "payment.reference", "TOO_LONG"),
        ({"reference": " "}, "payment.reference", "SURROUNDING_SPACE"),
        ({"metadata": {"": "x"}}, "payment.metadata[]", "TOO_SHORT"),
        ({"metadata": {"k": "4242424242424242"}}, "payment.metadata[k]", "CARD_NUMBER"),
        (
            {"metadata": {str(number): "" for number in range(51)}},
            "payment.metadata",
            "TOO_MANY_PAIRS",
        ),
    ],
    ids=lambda value: str(value)[:40].replace("\n", " "),
)
def test_every_bad_value_of_a_payment_is_named(said: dict[str, Any], field: str, rule: str) -> None:
    assert refused(conversions.payment_request, creation(**said)) == (field, rule)


def test_a_request_without_its_resource_is_told_so() -> None:
    create, change = service_pb.CreatePaymentRequest(), service_pb.UpdatePaymentRequest()
    assert refused(conversions.payment_request, create) == ("payment", "REQUIRED")
    assert refused(conversions.changes, change) == ("payment", "REQUIRED")
    refund = service_pb.CreateRefundRequest(parent=NAME, request_id=REQUEST_ID)
    assert refused(conversions.refund_request, refund) == ("refund", "REQUIRED")


def test_a_payment_is_read_whole() -> None:
    read = conversions.payment_request(
        creation(
            request_id=REQUEST_ID.upper(),
            capture_method=pb.Payment.MANUAL,
            return_url="https://shop.example/back",
            description="two lines\nof text",
            reference="A-1",
            metadata={"k": "v"},
        )
    )
    assert (read.request_id, read.customer) == (REQUEST.request_id, REQUEST.customer)
    assert (read.amount, read.payment_method) == (REQUEST.amount, REQUEST.payment_method)
    assert read.capture_method is CaptureMethod.MANUAL
    assert read.return_url is not None
    assert read.return_url.address == "https://shop.example/back"
    assert read.description == "two lines\nof text"
    assert (read.reference, read.metadata) == (Reference("A-1"), Metadata((("k", "v"),)))


def test_what_is_not_said_of_a_payment_is_absent() -> None:
    read = conversions.payment_request(creation())
    assert read.capture_method is CaptureMethod.AUTOMATIC
    assert (read.return_url, read.reference) == (None, None)
    assert (read.description, read.metadata) == ("", Metadata())


def test_output_only_fields_of_a_payment_are_ignored() -> None:
    nonsense: dict[str, Any] = {
        "name": "\0",
        "etag": "x",
        "state": 99,
        "failure": pb.Failure(code="x"),
        "amount_captured": pb.Money(currency_code="x"),
        "create_time": NOW,
    }
    read = conversions.payment_request(creation(**nonsense))
    assert read == conversions.payment_request(creation())


@pytest.mark.parametrize(
    ("request_", "field", "rule"),
    [
        (update([], name=""), "payment.name", "RESOURCE_NAME"),
        (update([], name="payments/-"), "payment.name", "RESOURCE_NAME"),
        (update([], description="\0"), "payment.description", "UNPRINTABLE"),
        (update(["*"], reference="x" * 129), "payment.reference", "TOO_LONG"),
        (update(["metadata"], metadata={"k": "\0"}), "payment.metadata[k]", "UNPRINTABLE"),
        (update(["amount"]), "update_mask", "MASK_PATH"),
        (update(["state"]), "update_mask", "MASK_PATH"),
        (update(["customer"]), "update_mask", "MASK_PATH"),
        (update(["metadata.k"]), "update_mask", "MASK_PATH"),
        (update(["nonsense"]), "update_mask", "MASK_PATH"),
        (update(["*", "reference"]), "update_mask", "MASK_STAR"),
    ],
    ids=lambda value: str(value)[:40].replace("\n", " "),
)
def test_every_bad_value_of_an_update_is_named(request_: Message, field: str, rule: str) -> None:
    assert refused(conversions.changes, request_) == (field, rule)


@pytest.mark.parametrize(
    ("request_", "wanted"),
    [
        (update(["description"], reference="\0"), PaymentChanges(description="")),
        (
            update(["metadata"], metadata={"k": "v"}),
            PaymentChanges(metadata=Metadata.of({"k": "v"})),
        ),
        (update(["reference"]), PaymentChanges(clears_reference=True)),
        (update([]), PaymentChanges()),
        (update([], amount=EUR_10, etag='"1"'), PaymentChanges()),
        (update([], reference="A-1"), PaymentChanges(reference=Reference("A-1"))),
        (
            update(["*"], description="x"),
            PaymentChanges(description="x", metadata=Metadata(), clears_reference=True),
        ),
    ],
    ids=lambda value: str(value)[:60].replace("\n", " "),
)
def test_an_update_reads_the_fields_of_its_mask_and_no_other(
    request_: service_pb.UpdatePaymentRequest, wanted: PaymentChanges
) -> None:
    name, changes = conversions.changes(request_)
    assert (str(name), changes) == (NAME, wanted)


@pytest.mark.parametrize(
    ("request_", "field", "rule"),
    [
        (refunding(parent=""), "parent", "RESOURCE_NAME"),
        (refunding(parent="payments/-"), "parent", "RESOURCE_NAME"),
        (refunding(request_id=""), "request_id", "UUID"),
        (refunding(reason=9), "refund.reason", "REASON"),
        (refunding(amount=pb.Money()), "refund.amount.currency_code", "CURRENCY_CODE"),
        (
            refunding(amount=pb.Money(currency_code="EUR")),
            "refund.amount.minor_units",
            "AMOUNT_RANGE",
        ),
    ],
    ids=lambda value: str(value)[:40].replace("\n", " "),
)
def test_every_bad_value_of_a_refund_is_named(request_: Message, field: str, rule: str) -> None:
    assert refused(conversions.refund_request, request_) == (field, rule)


def test_a_refund_without_an_amount_is_of_all_that_is_left() -> None:
    read = conversions.refund_request(refunding())
    assert (str(read.payment), read.amount, read.reason) == (NAME, None, None)
    read = conversions.refund_request(refunding(amount=EUR_10, reason=pb.Refund.DUPLICATE))
    assert (read.amount, read.reason) == (Money(1000, "EUR"), RefundReason.DUPLICATE)


def test_a_capture_without_an_amount_is_of_all() -> None:
    assert conversions.capture_amount(service_pb.CapturePaymentRequest()) is None
    asked = service_pb.CapturePaymentRequest(amount=EUR_10)
    assert conversions.capture_amount(asked) == Money(1000, "EUR")
    wrong = service_pb.CapturePaymentRequest(amount=pb.Money(currency_code="EUR"))
    assert refused(conversions.capture_amount, wrong) == ("amount.minor_units", "AMOUNT_RANGE")


@pytest.mark.parametrize(
    ("note", "rule"),
    [("", "TOO_SHORT"), ("x" * 1_001, "TOO_LONG"), ("4242 4242 4242 4242", "CARD_NUMBER")],
    ids=lambda value: value[:20],
)
def test_a_release_says_what_was_found(note: str, rule: str) -> None:
    request = service_pb.ReleasePaymentRequest(note=note)
    assert refused(conversions.release_note, request) == ("note", rule)


@pytest.mark.parametrize("name", ["", "payments", "payments/", "payments/1", "x" * 100_000, "\0"])
def test_a_name_that_is_none_is_told_in_its_field(name: str) -> None:
    for read, field in (
        (conversions.payment_name, "name"),
        (conversions.refund_name, "name"),
        (conversions.events_of, "parent"),
    ):
        with pytest.raises(InvalidValue) as error:
            read(name)
        assert (error.value.field, error.value.rule) == (field, "RESOURCE_NAME")


def test_the_events_of_all_payments_are_asked_for_with_a_dash() -> None:
    assert conversions.events_of("payments/-") is None
    assert str(conversions.events_of(NAME)) == NAME


def listed(**said: Any) -> PaymentQuery:
    return conversions.query(service_pb.ListPaymentsRequest(**said), 11, None)


@pytest.mark.parametrize(
    ("said", "field", "rule"),
    [
        ({"filter": "customer = alice"}, "filter", "RESOURCE_NAME"),
        ({"filter": "state = CONFIRMING"}, "filter", "STATE"),
        ({"filter": "state = STATE_UNSPECIFIED"}, "filter", "STATE"),
        ({"filter": f'reference = "{"x" * 129}"'}, "filter", "TOO_LONG"),
        ({"filter": 'held = "true"'}, "filter", "FILTER_VALUE"),
        ({"filter": "amount = 1"}, "filter", "FILTER_FIELD"),
        ({"filter": "state != FAILED"}, "filter", "FILTER_OPERATOR"),
        ({"filter": 'create_time > "yesterday"'}, "filter", "FILTER_VALUE"),
        ({"filter": "held = true OR held = false"}, "filter", "FILTER_SYNTAX"),
        ({"order_by": "amount"}, "order_by", "ORDER_BY"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_every_bad_value_of_a_list_is_named(said: dict[str, str], field: str, rule: str) -> None:
    with pytest.raises(InvalidValue) as error:
        listed(**said)
    assert (error.value.field, error.value.rule) == (field, rule)


def test_a_filter_is_read_whole() -> None:
    read = listed(
        filter=f'customer = "{CUSTOMER}" AND state = "PROCESSING" AND reference = "A-1"'
        ' AND held = false AND create_time >= "2026-11-24T13:00:00+01:00"'
        ' AND create_time < "2027-01-01T00:00:00Z"',
        order_by="create_time",
        show_deleted=True,
    )
    assert read == PaymentQuery(
        limit=11,
        newest_first=False,
        show_deleted=True,
        customer=REQUEST.customer,
        state=PublicState.PROCESSING,
        reference=Reference("A-1"),
        held=False,
        create_time=(
            (Comparison.FROM, NOW),
            (Comparison.BEFORE, datetime(2027, 1, 1, tzinfo=UTC)),
        ),
    )
    assert listed() == PaymentQuery(limit=11)


def written(**more: Any) -> pb.Payment:
    """`a_payment` as callers see it, whatever its state."""
    said: dict[str, Any] = {
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
    return pb.Payment(**said | more)


DECLINED = Failure("card_declined", "insufficient_funds", "Your card has insufficient funds.")
DECLINED_MESSAGE = pb.Failure(
    code="card_declined",
    decline_code="insufficient_funds",
    message="Your card has insufficient funds.",
)


@pytest.mark.parametrize(
    ("state", "more"),
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
def test_what_belongs_to_a_state_is_shown_in_that_state_only(
    state: State, more: dict[str, Any]
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
    assert conversions.payment_message(payment) == written(**more)


def test_the_contract_shows_no_state_that_it_does_not_name() -> None:
    shown = {state.public for state in State}
    assert shown == set(PublicState)
    named = {each.name for each in pb.Payment.DESCRIPTOR.enum_types_by_name["State"].values}
    assert {state.value for state in PublicState} == named - {"STATE_UNSPECIFIED"}


def test_the_rest_of_a_payment_is_written_too() -> None:
    payment = a_payment(
        held=Held("why", NOW), delete_time=NOW + timedelta(microseconds=1), version=7
    )
    said = conversions.payment_message(payment)
    assert said.held == pb.Payment.Held(reason="why", time=NOON)
    assert said.delete_time.ToDatetime(UTC) == NOW + timedelta(microseconds=1)
    assert said.etag == '"7"'


def test_every_field_that_a_caller_may_write_survives_the_way_there_and_back() -> None:
    asked = pb.Payment(
        **GOOD,
        capture_method=pb.Payment.MANUAL,
        return_url="https://shop.example/back",
        description="two lines\nof text",
        reference="A-1",
        metadata={"k": "v", "a": "b"},
    )
    read = conversions.payment_request(
        service_pb.CreatePaymentRequest(payment=asked, request_id=REQUEST_ID)
    )
    said = conversions.payment_message(a_payment(request=read))
    for field, value in asked.ListFields():
        assert getattr(said, field.name) == value


def test_a_refund_is_written_whole() -> None:
    said = conversions.refund_message(
        a_refund(
            reason=RefundReason.FRAUDULENT,
            state=RefundState.FAILED,
            failure=Failure("lost_or_stolen_card"),
            processor_id="re_1",
            version=2,
        )
    )
    assert said == pb.Refund(
        name=f"{NAME}/refunds/{REFUND_ID}",
        amount=pb.Money(minor_units=400, currency_code="EUR"),
        reason=pb.Refund.FRAUDULENT,
        state=pb.Refund.FAILED,
        failure=pb.Failure(code="lost_or_stolen_card"),
        processor_id="re_1",
        create_time=NOON,
        update_time=NOON,
        etag='"2"',
    )
    pending = conversions.refund_message(a_refund())
    assert (pending.state, pending.reason) == (pb.Refund.PENDING, pb.Refund.REASON_UNSPECIFIED)
    assert not pending.HasField("failure")


def test_an_event_is_written_whole() -> None:
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
        event_time=NOON,
        cursor="c4",
    )
    of_the_payment = PaymentEvent(
        UUID(int=1), 1, EventType.CREATED, State.CAPTURING, None, "", NOW, "c1"
    )
    said = conversions.event_message(of_the_payment)
    assert (said.refund, said.state) == ("", pb.Payment.PROCESSING)


@pytest.mark.parametrize(
    ("enum", "table"),
    [
        (pb.Payment.CaptureMethod, conversions.CAPTURE_METHODS),
        (pb.Refund.Reason, conversions.REFUND_REASONS),
    ],
)
def test_every_number_of_the_contract_is_known(enum: Any, table: dict[int, Any]) -> None:
    assert set(enum.values()) == set(table)
    for number, value in table.items():
        if number:
            assert enum.Name(number) == value.name


def test_every_type_of_event_stands_in_the_contract() -> None:
    contract = (ROOT / "protobuf/oncepay/payment/v1/payment.proto").read_text()
    assert all(f"`{kind.value}`" in contract for kind in EventType)
