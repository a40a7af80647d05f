"""Requests as domain values: every invalid field is refused by its path and its rule."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from oncepay.payment.v1 import payment_pb2 as pb
from oncepay.payment.v1 import payment_service_pb2 as service_pb
from support.examples import NOW, PAYMENT_ID, REQUEST

from chassis.aip.filters import Comparison
from chassis.values import InvalidValue, Metadata, Reference
from payment.api import conversions
from payment.domain.payment import CaptureMethod, PublicState
from payment.domain.refund import RefundReason
from payment.domain.values import Money
from payment.service_layer.change_payment import PaymentChanges
from payment.service_layer.ports import PaymentQuery

NAME = f"payments/{PAYMENT_ID}"
CUSTOMER = str(REQUEST.customer)
REQUEST_ID = str(REQUEST.request_id)
EUR_10 = pb.Money(minor_units=1000, currency_code="EUR")
VALID_FIELDS: dict[str, Any] = {
    "customer": CUSTOMER,
    "amount": EUR_10,
    "payment_method": "pm_card_visa",
}


def create_request(**fields: Any) -> service_pb.CreatePaymentRequest:
    request_id = fields.pop("request_id", REQUEST_ID)
    return service_pb.CreatePaymentRequest(
        payment=pb.Payment(**VALID_FIELDS | fields), request_id=request_id
    )


def update_request(paths: list[str], **fields: Any) -> service_pb.UpdatePaymentRequest:
    payment = pb.Payment(**{"name": NAME} | fields)
    return service_pb.UpdatePaymentRequest(payment=payment, update_mask=FieldMask(paths=paths))


def refund_request(**fields: Any) -> service_pb.CreateRefundRequest:
    outside = {"parent": NAME, "request_id": REQUEST_ID}
    outside |= {field: fields.pop(field) for field in list(fields) if field in outside}
    return service_pb.CreateRefundRequest(refund=pb.Refund(**fields), **outside)


def refusal_of(read: Callable[[Any], object], request: Message) -> tuple[str, str]:
    with pytest.raises(InvalidValue) as error:
        read(request)
    assert len(error.value.message) < 1_000
    return error.value.field, error.value.rule


@pytest.mark.parametrize(
    ("fields", "field", "rule"),
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
def test_an_invalid_field_of_a_payment_is_refused_by_its_path_and_rule(
    fields: dict[str, Any], field: str, rule: str
) -> None:
    assert refusal_of(conversions.payment_request, create_request(**fields)) == (field, rule)


def test_a_request_without_its_resource_is_refused() -> None:
    create, change = service_pb.CreatePaymentRequest(), service_pb.UpdatePaymentRequest()
    assert refusal_of(conversions.payment_request, create) == ("payment", "REQUIRED")
    assert refusal_of(conversions.changes, change) == ("payment", "REQUIRED")
    refund = service_pb.CreateRefundRequest(parent=NAME, request_id=REQUEST_ID)
    assert refusal_of(conversions.refund_request, refund) == ("refund", "REQUIRED")


def test_every_field_of_a_payment_is_read() -> None:
    read = conversions.payment_request(
        create_request(
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


def test_a_field_of_a_payment_that_is_not_set_has_its_default() -> None:
    read = conversions.payment_request(create_request())
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
    read = conversions.payment_request(create_request(**nonsense))
    assert read == conversions.payment_request(create_request())


@pytest.mark.parametrize(
    ("message", "field", "rule"),
    [
        (update_request([], name=""), "payment.name", "RESOURCE_NAME"),
        (update_request([], name="payments/-"), "payment.name", "RESOURCE_NAME"),
        (update_request([], description="\0"), "payment.description", "UNPRINTABLE"),
        (update_request(["*"], reference="x" * 129), "payment.reference", "TOO_LONG"),
        (update_request(["metadata"], metadata={"k": "\0"}), "payment.metadata[k]", "UNPRINTABLE"),
        (update_request(["amount"]), "update_mask", "MASK_PATH"),
        (update_request(["state"]), "update_mask", "MASK_PATH"),
        (update_request(["customer"]), "update_mask", "MASK_PATH"),
        (update_request(["metadata.k"]), "update_mask", "MASK_PATH"),
        (update_request(["nonsense"]), "update_mask", "MASK_PATH"),
        (update_request(["*", "reference"]), "update_mask", "MASK_STAR"),
    ],
    ids=lambda value: str(value)[:40].replace("\n", " "),
)
def test_an_invalid_field_of_an_update_is_refused_by_its_path_and_rule(
    message: Message, field: str, rule: str
) -> None:
    assert refusal_of(conversions.changes, message) == (field, rule)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (update_request(["description"], reference="\0"), PaymentChanges(description="")),
        (
            update_request(["metadata"], metadata={"k": "v"}),
            PaymentChanges(metadata=Metadata.of({"k": "v"})),
        ),
        (update_request(["reference"]), PaymentChanges(clears_reference=True)),
        (update_request([]), PaymentChanges()),
        (update_request([], amount=EUR_10, etag='"1"'), PaymentChanges()),
        (update_request([], reference="A-1"), PaymentChanges(reference=Reference("A-1"))),
        (
            update_request(["*"], description="x"),
            PaymentChanges(description="x", metadata=Metadata(), clears_reference=True),
        ),
    ],
    ids=lambda value: str(value)[:60].replace("\n", " "),
)
def test_an_update_reads_the_fields_of_its_mask_and_no_other(
    message: service_pb.UpdatePaymentRequest, expected: PaymentChanges
) -> None:
    name, changes = conversions.changes(message)
    assert (str(name), changes) == (NAME, expected)


@pytest.mark.parametrize(
    ("message", "field", "rule"),
    [
        (refund_request(parent=""), "parent", "RESOURCE_NAME"),
        (refund_request(parent="payments/-"), "parent", "RESOURCE_NAME"),
        (refund_request(request_id=""), "request_id", "UUID"),
        (refund_request(reason=9), "refund.reason", "REASON"),
        (refund_request(amount=pb.Money()), "refund.amount.currency_code", "CURRENCY_CODE"),
        (
            refund_request(amount=pb.Money(currency_code="EUR")),
            "refund.amount.minor_units",
            "AMOUNT_RANGE",
        ),
    ],
    ids=lambda value: str(value)[:40].replace("\n", " "),
)
def test_an_invalid_field_of_a_refund_is_refused_by_its_path_and_rule(
    message: Message, field: str, rule: str
) -> None:
    assert refusal_of(conversions.refund_request, message) == (field, rule)


def test_a_refund_without_an_amount_has_none_and_one_with_an_amount_and_reason_has_both() -> None:
    read = conversions.refund_request(refund_request())
    assert (str(read.payment), read.amount, read.reason) == (NAME, None, None)
    read = conversions.refund_request(refund_request(amount=EUR_10, reason=pb.Refund.DUPLICATE))
    assert (read.amount, read.reason) == (Money(1000, "EUR"), RefundReason.DUPLICATE)


def test_the_amount_of_a_capture_is_optional() -> None:
    assert conversions.capture_amount(service_pb.CapturePaymentRequest()) is None
    request = service_pb.CapturePaymentRequest(amount=EUR_10)
    assert conversions.capture_amount(request) == Money(1000, "EUR")
    wrong = service_pb.CapturePaymentRequest(amount=pb.Money(currency_code="EUR"))
    assert refusal_of(conversions.capture_amount, wrong) == ("amount.minor_units", "AMOUNT_RANGE")


@pytest.mark.parametrize(
    ("note", "rule"),
    [("", "TOO_SHORT"), ("x" * 1_001, "TOO_LONG"), ("4242 4242 4242 4242", "CARD_NUMBER")],
    ids=lambda value: value[:20],
)
def test_an_invalid_note_of_a_release_is_refused(note: str, rule: str) -> None:
    request = service_pb.ReleasePaymentRequest(note=note)
    assert refusal_of(conversions.release_note, request) == ("note", rule)


@pytest.mark.parametrize("name", ["", "payments", "payments/", "payments/1", "x" * 100_000, "\0"])
def test_an_invalid_resource_name_is_refused_by_its_field(name: str) -> None:
    for read, field in (
        (conversions.payment_name, "name"),
        (conversions.refund_name, "name"),
        (conversions.events_of, "parent"),
    ):
        with pytest.raises(InvalidValue) as error:
            read(name)
        assert (error.value.field, error.value.rule) == (field, "RESOURCE_NAME")


def test_a_dash_as_the_parent_stands_for_the_events_of_all_payments() -> None:
    assert conversions.events_of("payments/-") is None
    assert str(conversions.events_of(NAME)) == NAME


def payment_query(**fields: Any) -> PaymentQuery:
    return conversions.query(service_pb.ListPaymentsRequest(**fields), 11, None)


@pytest.mark.parametrize(
    ("fields", "field", "rule"),
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
def test_an_invalid_filter_or_order_of_a_list_is_refused_by_its_rule(
    fields: dict[str, str], field: str, rule: str
) -> None:
    with pytest.raises(InvalidValue) as error:
        payment_query(**fields)
    assert (error.value.field, error.value.rule) == (field, rule)


def test_every_restriction_of_a_filter_is_read() -> None:
    read = payment_query(
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
    assert payment_query() == PaymentQuery(limit=11)
