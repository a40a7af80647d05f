"""Google's API Improvement Proposals (https://google.aip.dev), checked over the descriptors where buf
has no rule.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from google.api import annotations_pb2, client_pb2, field_behavior_pb2, resource_pb2
from google.protobuf.descriptor import (
    Descriptor,
    FieldDescriptor,
    MethodDescriptor,
    ServiceDescriptor,
)
from oncepay.customer.v1 import customer_pb2, customer_service_pb2
from oncepay.payment.v1 import payment_pb2, payment_service_pb2

FILES = [customer_pb2, customer_service_pb2, payment_pb2, payment_service_pb2]
SERVICES: list[ServiceDescriptor] = [
    service for file in FILES for service in file.DESCRIPTOR.services_by_name.values()
]
METHODS: list[MethodDescriptor] = [method for service in SERVICES for method in service.methods]
MESSAGES: list[Descriptor] = [
    message for file in FILES for message in file.DESCRIPTOR.message_types_by_name.values()
]


def options(described: Any) -> Any:
    """Any: the extensions of google.api have types that do not fit those of protobuf."""
    return described.GetOptions()


RESOURCES = [m for m in MESSAGES if options(m).HasExtension(resource_pb2.resource)]
REQUESTS = [method.input_type for method in METHODS]
MOVES_MONEY = {"CreatePayment", "CapturePayment", "CancelPayment", "CreateRefund"}
MOVES_NO_MONEY = {
    *("CreateCustomer", "UpdateCustomer", "DeleteCustomer", "UndeleteCustomer", "EraseCustomer"),
    *("UpdatePayment", "DeletePayment", "UndeletePayment"),
    "ReleasePayment",  # it continues what an earlier request asked for
}


def behaviors(field: FieldDescriptor) -> set[str]:
    kinds = options(field).Extensions[field_behavior_pb2.field_behavior]
    return {field_behavior_pb2.FieldBehavior.Name(kind) for kind in kinds}


def http_rule(method: MethodDescriptor) -> tuple[str, str, str]:
    """The HTTP verb, path and body of a method."""
    rule = options(method).Extensions[annotations_pb2.http]
    verb = rule.WhichOneof("pattern")
    return verb, getattr(rule, verb), rule.body


def fields_of(messages: list[Descriptor]) -> Iterator[FieldDescriptor]:
    for message in messages:
        yield from message.fields


def named(things: object) -> str:
    return getattr(things, "full_name", str(things))


# The replies of lists and of the stream carry what the service writes: nothing to state.
STATED = [m for m in MESSAGES if not m.name.endswith("Response")]


@pytest.mark.parametrize("field", list(fields_of(STATED)), ids=named)
def test_every_field_states_who_writes_it_and_whether_it_is_required(
    field: FieldDescriptor,
) -> None:
    """AIP-203."""
    stated = behaviors(field)
    assert len(stated & {"REQUIRED", "OPTIONAL", "OUTPUT_ONLY", "IDENTIFIER"}) == 1


@pytest.mark.parametrize("resource", RESOURCES, ids=named)
def test_a_resource_has_a_name_a_pattern_and_an_etag(resource: Descriptor) -> None:
    """AIP-122, 123, 154."""
    declared = options(resource).Extensions[resource_pb2.resource]
    assert resource.fields[0].name == "name"
    assert behaviors(resource.fields_by_name["name"]) == {"IDENTIFIER"}
    assert declared.type.startswith(f"{resource.file.package.removesuffix('.v1')}/")
    assert list(declared.pattern)
    assert declared.singular == resource.name.lower()
    assert declared.plural == f"{declared.singular}s"
    assert "etag" in resource.fields_by_name


@pytest.mark.parametrize("resource", RESOURCES, ids=named)
def test_times_end_in_time_and_are_the_services_own(resource: Descriptor) -> None:
    """AIP-142, 148."""
    times = [f for f in resource.fields if f.message_type and f.message_type.name == "Timestamp"]
    assert {"create_time", "update_time"} <= {field.name for field in times}
    for field in times:
        assert field.name.endswith("_time")
        assert behaviors(field) == {"OUTPUT_ONLY"}


@pytest.mark.parametrize("method", METHODS, ids=named)
def test_a_method_has_a_request_of_its_own_a_signature_and_a_path(
    method: MethodDescriptor,
) -> None:
    """AIP-127, 136, 4232: the path's variable is a field of the request."""
    assert method.input_type.name == f"{method.name}Request"
    assert len(options(method).Extensions[client_pb2.method_signature]) == 1
    verb, path, body = http_rule(method)
    for variable in re.findall(r"{([a-z_.]+)=", path):
        message: Descriptor | None = method.input_type
        for part in variable.split("."):
            assert message and part in message.fields_by_name, f"{path} names no field"
            message = message.fields_by_name[part].message_type
    if body not in ("", "*"):
        assert body in method.input_type.fields_by_name
    assert (verb in {"get", "delete"}) == (body == "")


@pytest.mark.parametrize("method", METHODS, ids=named)
def test_a_standard_method_has_its_standard_shape(method: MethodDescriptor) -> None:
    """AIP-131 to 135, 164."""
    verb, path, _ = http_rule(method)
    fields = method.input_type.fields_by_name
    match re.match("Get|List|Create|Update|Delete|Undelete", method.name):
        case None:
            assert re.search(r":[a-z]+$", path) is not None, "AIP-136: a custom method's path"
        case found:
            kind = found[0]
            assert verb == {"Get": "get", "List": "get", "Update": "patch", "Delete": "delete"}.get(
                kind, "post"
            )
            if kind in {"Get", "Delete", "Undelete"}:
                assert behaviors(fields["name"]) == {"REQUIRED"}
            if kind == "List":
                assert method.output_type.name == f"{method.name}Response"
            else:
                assert method.output_type.name == method.name.removeprefix(kind)
            if kind == "Update":
                mask = fields["update_mask"].message_type
                assert mask and mask.name == "FieldMask"


@pytest.mark.parametrize(
    "method", [method for method in METHODS if method.name.startswith("List")], ids=named
)
def test_a_list_is_paged(method: MethodDescriptor) -> None:
    """AIP-132, 158."""
    fields = method.input_type.fields_by_name
    assert fields["page_size"].type == FieldDescriptor.TYPE_INT32
    assert fields["page_token"].type == FieldDescriptor.TYPE_STRING
    reply = method.output_type.fields_by_name
    assert reply["next_page_token"].type == FieldDescriptor.TYPE_STRING
    assert method.output_type.fields[0].is_repeated


@pytest.mark.parametrize("field", list(fields_of(REQUESTS)), ids=named)
def test_a_name_or_a_parent_states_its_resource_type(field: FieldDescriptor) -> None:
    """AIP-122: resource_reference."""
    if field.name in {"name", "parent"}:
        assert options(field).HasExtension(resource_pb2.resource_reference)


def test_every_method_that_writes_is_known_to_move_money_or_not() -> None:
    """So that nobody forgets the request_id of a new one."""
    writing = {method.name for method in METHODS if http_rule(method)[0] != "get"}
    assert writing == MOVES_MONEY | MOVES_NO_MONEY
    assert not MOVES_MONEY & MOVES_NO_MONEY


@pytest.mark.parametrize("method", METHODS, ids=named)
def test_a_request_id_is_required_exactly_where_money_moves(method: MethodDescriptor) -> None:
    """AIP-155, and the first promise of Oncepay."""
    field = method.input_type.fields_by_name.get("request_id")
    if method.name in MOVES_MONEY:
        assert field is not None
        assert behaviors(field) == {"REQUIRED"}
    elif field is not None:
        assert behaviors(field) == {"OPTIONAL"}


@pytest.mark.parametrize("message", MESSAGES, ids=named)
def test_no_field_can_hold_a_card_number(message: Descriptor) -> None:
    """PCI DSS: data that never arrives needs no protection."""
    for field in message.fields:
        assert not re.search("card|pan|cvc|cvv|number|expiry", field.name)


@pytest.mark.parametrize("message", MESSAGES, ids=named)
def test_enums_are_nested_and_begin_with_unspecified(message: Descriptor) -> None:
    """AIP-126."""
    assert not message.file.enum_types_by_name
    for enum in message.enum_types:
        assert enum.values_by_number[0].name.endswith("_UNSPECIFIED")
