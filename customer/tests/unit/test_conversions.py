"""Protobuf to domain values and back: every invalid value is named by its field and its rule."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from oncepay.customer.v1.customer_pb2 import Customer as CustomerMessage
from oncepay.customer.v1.customer_service_pb2 import (
    CreateCustomerRequest,
    ListCustomersRequest,
    UpdateCustomerRequest,
)

from chassis.aip.filters import Comparison
from chassis.aip.pages import Position
from chassis.values import InvalidValue
from customer.api import conversions
from customer.domain.customer import State
from customer.repository.memory import first_version
from customer.service_layer.ports import CustomerQuery

from ..conftest import NOON, REQUEST_ID, MakeRequest

NAME = f"customers/{REQUEST_ID}"
GOOD = {"display_name": "Alice", "email": "alice@example.com"}


def creation(request_id: str = "", **fields: Any) -> CreateCustomerRequest:
    return CreateCustomerRequest(customer=CustomerMessage(**GOOD | fields), request_id=request_id)


def timestamp(time: datetime) -> Timestamp:
    written = Timestamp()
    written.FromDatetime(time)
    return written


def query(request: ListCustomersRequest) -> CustomerQuery:
    return conversions.query(request, 51, None)


def refused(read: Callable[[Any], object], request: Message) -> tuple[str, str]:
    with pytest.raises(InvalidValue) as error:
        read(request)
    assert len(error.value.message) < 1_000
    return error.value.field, error.value.rule


@pytest.mark.parametrize(
    ("fields", "field", "rule"),
    [
        ({"display_name": ""}, "customer.display_name", "TOO_SHORT"),
        ({"display_name": "x" * 100_000}, "customer.display_name", "TOO_LONG"),
        ({"display_name": "a\0b"}, "customer.display_name", "UNPRINTABLE"),
        ({"display_name": "5555 5555 5555 4444"}, "customer.display_name", "CARD_NUMBER"),
        ({"email": ""}, "customer.email", "EMAIL"),
        ({"email": "alice"}, "customer.email", "EMAIL"),
        ({"email": "a" * 100_000}, "customer.email", "TOO_LONG"),
        ({"email": "a\0@example.com"}, "customer.email", "EMAIL"),
        ({"phone": "0301234"}, "customer.phone", "E164"),
        ({"phone": "+49\0"}, "customer.phone", "E164"),
        ({"reference": "x" * 129}, "customer.reference", "TOO_LONG"),
        ({"reference": "A\n1"}, "customer.reference", "UNPRINTABLE"),
        ({"reference": " "}, "customer.reference", "SURROUNDING_SPACE"),
        (
            {"metadata": {str(number): "" for number in range(51)}},
            "customer.metadata",
            "TOO_MANY_PAIRS",
        ),
        ({"metadata": {"": "x"}}, "customer.metadata[]", "TOO_SHORT"),
        ({"metadata": {"x" * 41: ""}}, "customer.metadata[]", "TOO_LONG"),
        ({"metadata": {"k": "x" * 501}}, "customer.metadata[k]", "TOO_LONG"),
        ({"metadata": {"k": "\0"}}, "customer.metadata[k]", "UNPRINTABLE"),
        ({"metadata": {"k": "4242424242424242"}}, "customer.metadata[k]", "CARD_NUMBER"),
        ({"state": 3}, "customer.state", "STATE"),
        ({"state": -1}, "customer.state", "STATE"),
        ({"request_id": "1"}, "request_id", "UUID"),
        ({"request_id": "00000000-0000-0000-0000-000000000000"}, "request_id", "UUID"),
        ({"request_id": "x" * 100_000}, "request_id", "UUID"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_every_invalid_field_of_a_create_request_is_named(
    fields: dict[str, Any], field: str, rule: str
) -> None:
    assert refused(conversions.customer_request, creation(**fields)) == (field, rule)


def test_a_request_without_a_customer_is_refused() -> None:
    wanted = ("customer", "REQUIRED")
    assert refused(conversions.customer_request, CreateCustomerRequest()) == wanted
    assert refused(conversions.changes, UpdateCustomerRequest()) == wanted


def test_a_create_request_is_read_whole() -> None:
    fields = {"phone": "+49301", "reference": "A-1", "metadata": {"k": "v"}, "state": 2}
    read = conversions.customer_request(creation(REQUEST_ID.upper(), **fields))
    assert str(read.details.display_name) == "Alice"
    assert str(read.details.email) == "alice@example.com"
    assert str(read.details.phone) == "+49301"
    assert read.details.metadata.as_dict() == {"k": "v"}
    assert (str(read.reference), read.state) == ("A-1", State.BLOCKED)
    assert str(read.request_id) == REQUEST_ID


def test_an_empty_field_of_a_create_request_is_absent() -> None:
    read = conversions.customer_request(creation())
    assert (read.details.phone, read.reference, read.request_id) == (None, None, None)
    assert read.details.metadata.pairs == ()
    assert read.state is State.ACTIVE


def test_output_only_fields_of_a_create_request_are_ignored() -> None:
    nonsense: dict[str, Any] = {"name": "\0", "etag": "x", "create_time": NOON, "delete_time": NOON}
    assert conversions.customer_request(creation(**nonsense)) == conversions.customer_request(
        creation()
    )


def update(paths: list[str], **fields: Any) -> UpdateCustomerRequest:
    message = CustomerMessage(**{"name": NAME} | fields)
    return UpdateCustomerRequest(customer=message, update_mask=FieldMask(paths=paths))


@pytest.mark.parametrize(
    ("request_", "field", "rule"),
    [
        (update([], name=""), "customer.name", "RESOURCE_NAME"),
        (update([], name=f"customers/{REQUEST_ID.upper()}"), "customer.name", "RESOURCE_NAME"),
        (update(["display_name"]), "customer.display_name", "TOO_SHORT"),
        (update(["*"], email="a@example.com"), "customer.display_name", "TOO_SHORT"),
        (update(["*"], display_name="A"), "customer.email", "EMAIL"),
        (update([], state=99), "customer.state", "STATE"),
        (update(["name"]), "update_mask", "MASK_PATH"),
        (update(["create_time"]), "update_mask", "MASK_PATH"),
        (update(["etag"]), "update_mask", "MASK_PATH"),
        (update(["metadata.k"]), "update_mask", "MASK_PATH"),
        (update(["displayName"]), "update_mask", "MASK_PATH"),
        (update(["x" * 100_000]), "update_mask", "MASK_PATH"),
        (update([""]), "update_mask", "MASK_PATH"),
        (update(["*", "email"]), "update_mask", "MASK_STAR"),
    ],
    ids=lambda value: str(value)[:40].replace("\n", " "),
)
def test_every_invalid_field_of_an_update_is_named(
    request_: UpdateCustomerRequest, field: str, rule: str
) -> None:
    assert refused(conversions.changes, request_) == (field, rule)


def test_an_update_reads_the_fields_of_its_mask_and_no_others() -> None:
    request = update(["phone", "metadata"], display_name="\0", metadata={"k": "v"})
    name, changes = conversions.changes(request)
    assert name.id == UUID(REQUEST_ID)
    assert set(changes) == {"phone", "metadata"}
    assert changes["phone"] is None
    assert changes["metadata"].as_dict() == {"k": "v"}


def test_an_update_without_a_mask_reads_the_fields_that_have_a_value() -> None:
    _, changes = conversions.changes(update([], display_name="Bob", etag='"1"'))
    assert set(changes) == {"display_name"}


def test_a_full_replacement_reads_all_fields() -> None:
    _, changes = conversions.changes(update(["*"], **GOOD))
    assert set(changes) == set(conversions.FIELD_READERS)
    assert changes["reference"] is None
    assert changes["state"] is State.ACTIVE


@pytest.mark.parametrize(
    ("fields", "field", "rule"),
    [
        ({"filter": "state = DELETED"}, "filter", "STATE"),
        ({"filter": "state = STATE_UNSPECIFIED"}, "filter", "STATE"),
        ({"filter": "email = alice"}, "filter", "EMAIL"),
        ({"filter": f'reference = "{"x" * 129}"'}, "filter", "TOO_LONG"),
        ({"filter": 'reference = ""'}, "filter", "TOO_SHORT"),
        ({"filter": 'display_name = "Alice"'}, "filter", "FILTER_FIELD"),
        ({"filter": 'email != "a@example.com"'}, "filter", "FILTER_OPERATOR"),
        ({"filter": 'create_time = "2026-01-01T00:00:00Z"'}, "filter", "FILTER_OPERATOR"),
        ({"filter": 'create_time > "yesterday"'}, "filter", "FILTER_VALUE"),
        ({"filter": "state = ACTIVE OR state = BLOCKED"}, "filter", "FILTER_SYNTAX"),
        ({"filter": "state = ACTIVE AND state = BLOCKED"}, "filter", "FILTER_REPEATED"),
        ({"filter": "\0"}, "filter", "UNPRINTABLE"),
        ({"filter": "x" * 100_000}, "filter", "TOO_LONG"),
        ({"order_by": "email"}, "order_by", "ORDER_BY"),
        ({"order_by": "create_time, email"}, "order_by", "ORDER_BY"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_every_invalid_field_of_a_list_request_is_named(
    fields: dict[str, str], field: str, rule: str
) -> None:
    assert refused(query, ListCustomersRequest(**fields)) == (field, rule)  # type: ignore[arg-type]


def test_a_page_begins_after_its_position_and_has_a_limit() -> None:
    after = Position(NOON, UUID(REQUEST_ID))
    read = conversions.query(ListCustomersRequest(), 51, after)
    assert (read.limit, read.after) == (51, after)


def test_a_filter_is_read_whole() -> None:
    read = query(
        ListCustomersRequest(
            filter='state = "BLOCKED" AND email = "Alice@Example.com" AND reference = "A-1"'
            ' AND create_time >= "2026-11-24T13:00:00+01:00" AND create_time < "2027-01-01T00:00:00Z"',
            order_by="create_time",
            show_deleted=True,
        )
    )
    assert (read.state, str(read.reference)) == (State.BLOCKED, "A-1")
    assert read.email is not None
    assert read.email.key == "alice@example.com"
    assert read.create_time == (
        (Comparison.FROM, NOON),
        (Comparison.BEFORE, datetime(2027, 1, 1, tzinfo=UTC)),
    )
    assert (read.newest_first, read.show_deleted) == (False, True)


def test_a_customer_is_written_whole(make_request: MakeRequest) -> None:
    asked = make_request(
        email="alice@example.com", phone="+49301", reference="A-1", metadata={"k": "v"}
    )
    now = NOON + timedelta(microseconds=1)
    deleted = first_version(UUID(REQUEST_ID), asked, NOON).delete(now)
    deleted = replace(deleted, version=2, update_time=now)
    assert conversions.customer_message(deleted) == CustomerMessage(
        name=NAME,
        display_name="Alice",
        email="alice@example.com",
        phone="+49301",
        reference="A-1",
        metadata={"k": "v"},
        state=CustomerMessage.ACTIVE,
        create_time=timestamp(NOON),
        update_time=timestamp(now),
        delete_time=timestamp(now),
        etag='"2"',
    )


def test_of_an_erased_customer_no_personal_detail_is_written(
    make_request: MakeRequest,
) -> None:
    erased = first_version(UUID(REQUEST_ID), make_request(), NOON).erase(NOON)
    assert conversions.customer_message(erased) == CustomerMessage(
        name=NAME,
        state=CustomerMessage.ACTIVE,
        create_time=timestamp(NOON),
        update_time=timestamp(NOON),
        delete_time=timestamp(NOON),
        erase_time=timestamp(NOON),
        etag='"1"',
    )


def test_every_field_that_the_contract_lets_a_caller_write_is_read() -> None:
    written = {
        field.name
        for field in CustomerMessage.DESCRIPTOR.fields
        if field.name not in {"name", "etag"} and not field.name.endswith("_time")
    }
    assert set(conversions.FIELD_READERS) == written
