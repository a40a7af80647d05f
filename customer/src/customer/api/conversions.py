"""Protobuf to domain values, naming the field of every invalid one, and back."""

from collections.abc import Callable, Iterable
from typing import Any, cast

from oncepay.customer.v1 import customer_pb2
from oncepay.customer.v1 import customer_service_pb2 as pb

from chassis.aip import field_masks, filters
from chassis.aip.messages import require, timestamp
from chassis.aip.pages import Position
from chassis.values import InvalidValue, Metadata, Reference, RequestId, with_field_path
from customer.domain.customer import (
    Customer,
    CustomerChanges,
    CustomerRequest,
    PersonalDetails,
    State,
)
from customer.domain.values import CustomerName, DisplayName, EmailAddress, PhoneNumber
from customer.service_layer.ports import CustomerQuery


def customer_name(text: str, field: str = "name") -> CustomerName:
    return with_field_path(field, CustomerName.parse, text)


def customer_request(request: pb.CreateCustomerRequest) -> CustomerRequest:
    """Reads a CreateCustomerRequest. Output-only fields are ignored."""
    require(request, "customer")
    fields = _read(request.customer, FIELD_READERS)
    request_id = request.request_id
    return CustomerRequest(
        details=PersonalDetails(
            display_name=fields["display_name"],
            email=fields["email"],
            phone=fields["phone"],
            metadata=fields["metadata"],
        ),
        reference=fields["reference"],
        state=fields["state"],
        request_id=with_field_path("request_id", RequestId, request_id) if request_id else None,
    )


def changes(request: pb.UpdateCustomerRequest) -> tuple[CustomerName, CustomerChanges]:
    """Reads which customer an UpdateCustomerRequest changes, and how."""
    require(request, "customer")
    name = customer_name(request.customer.name, "customer.name")
    fields = field_masks.updated(request.customer, request.update_mask, FIELD_READERS)
    return name, _read(request.customer, sorted(fields))


def query(request: pb.ListCustomersRequest, limit: int, after: Position | None) -> CustomerQuery:
    """Reads which customers a ListCustomersRequest asks for."""
    restrictions = filters.parse(request.filter, FILTERS)
    values = {restriction.field: str(restriction.value) for restriction in restrictions}

    def value(field: str, make: Callable[[str], Any]) -> Any:
        return with_field_path("filter", make, values[field]) if field in values else None

    return CustomerQuery(
        limit=limit,
        after=after,
        newest_first=filters.newest_first(request.order_by),
        show_deleted=request.show_deleted,
        state=value("state", _state_named),
        email=value("email", EmailAddress),
        reference=value("reference", Reference),
        create_time=filters.times(restrictions),
    )


FILTERS = {
    "state": filters.Kind.TEXT,
    "email": filters.Kind.TEXT,
    "reference": filters.Kind.TEXT,
    "create_time": filters.Kind.TIME,
}
"""The fields that a list can be filtered by: those that an index serves."""


def customer_message(customer: Customer) -> customer_pb2.Customer:
    """Writes a customer. An erased one has no personal details."""
    message = customer_pb2.Customer(
        name=str(customer.name),
        reference=str(customer.reference or ""),
        state=customer_pb2.Customer.State.Value(customer.state.value),
        create_time=timestamp(customer.create_time),
        update_time=timestamp(customer.update_time),
        delete_time=timestamp(customer.delete_time),
        erase_time=timestamp(customer.erase_time),
        etag=customer.etag,
    )
    if customer.details is not None:
        message.display_name = str(customer.details.display_name)
        message.email = str(customer.details.email)
        message.phone = str(customer.details.phone or "")
        message.metadata.update(customer.details.metadata.pairs)
    return message


def _state(number: customer_pb2.Customer.State.ValueType) -> State:
    if number == customer_pb2.Customer.STATE_UNSPECIFIED:
        return State.ACTIVE
    if number not in customer_pb2.Customer.State.values():
        raise InvalidValue("", "STATE", "it must be ACTIVE or BLOCKED, by their numbers")
    return State[customer_pb2.Customer.State.Name(number)]


def _state_named(name: str) -> State:
    if name not in State.__members__:
        raise InvalidValue("", "STATE", "state is compared with ACTIVE or BLOCKED")
    return State[name]


FIELD_READERS: dict[str, Callable[[customer_pb2.Customer], object]] = {
    "display_name": lambda message: DisplayName(message.display_name),
    "email": lambda message: EmailAddress(message.email),
    "phone": lambda message: PhoneNumber(message.phone) if message.phone else None,
    "reference": lambda message: Reference(message.reference) if message.reference else None,
    "metadata": lambda message: Metadata.of(message.metadata),
    "state": lambda message: _state(message.state),
}
"""How each field is read that a caller may write: the fields of `CustomerChanges`."""


def _read(message: customer_pb2.Customer, fields: Iterable[str]) -> CustomerChanges:
    values: dict[str, Any] = {
        field: with_field_path(f"customer.{field}", FIELD_READERS[field], message)
        for field in fields
    }
    return cast("CustomerChanges", values)
