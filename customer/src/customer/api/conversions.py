"""Protobuf to values, naming the field of every bad one, and back."""

from collections.abc import Callable, Iterable
from typing import Any, cast

from oncepay.customer.v1 import customer_pb2, customer_service_pb2

from chassis.aip import field_masks, filters
from chassis.aip.messages import require, timestamp
from chassis.values import InvalidValue, Metadata, Reference, RequestId, with_field_path
from customer.domain.customer import Changes, Customer, PersonalDetails, Registration, State
from customer.domain.values import CustomerName, DisplayName, EmailAddress, PhoneNumber
from customer.service_layer.ports import Query


def customer_name(text: str, field: str = "name") -> CustomerName:
    """Reads the name of a customer."""
    return with_field_path(field, CustomerName.parse, text)


def registration(request: customer_service_pb2.CreateCustomerRequest) -> Registration:
    """Reads what CreateCustomer is asked for. Output-only fields are not looked at."""
    require(request, "customer")
    said = _read(request.customer, FIELDS)
    return Registration(
        details=PersonalDetails(
            display_name=said["display_name"],
            email=said["email"],
            phone=said["phone"],
            metadata=said["metadata"],
        ),
        reference=said["reference"],
        state=said["state"],
        request_id=with_field_path("request_id", RequestId, request.request_id)
        if request.request_id
        else None,
    )


def changes(request: customer_service_pb2.UpdateCustomerRequest) -> tuple[CustomerName, Changes]:
    """Reads which customer UpdateCustomer is to change, and how."""
    require(request, "customer")
    name = customer_name(request.customer.name, "customer.name")
    fields = field_masks.updated(request.customer, request.update_mask, FIELDS)
    return name, _read(request.customer, sorted(fields))


def query(request: customer_service_pb2.ListCustomersRequest) -> Query:
    """Reads which customers ListCustomers is asked for."""
    said = filters.parse(request.filter, FILTERS)
    equal = {each.field: str(each.value) for each in said}
    return Query(
        state=with_field_path("filter", _state_of, equal["state"]) if "state" in equal else None,
        email=with_field_path("filter", EmailAddress, equal["email"]) if "email" in equal else None,
        reference=with_field_path("filter", Reference, equal["reference"])
        if "reference" in equal
        else None,
        create_time=filters.times(said),
        newest_first=filters.newest_first(request.order_by),
        show_deleted=request.show_deleted,
    )


FILTERS = {
    "state": filters.Kind.TEXT,
    "email": filters.Kind.TEXT,
    "reference": filters.Kind.TEXT,
    "create_time": filters.Kind.TIME,
}
"""What a list is filtered by: what an index serves."""


def message(customer: Customer) -> customer_pb2.Customer:
    """Writes a customer; of an erased one, what is left."""
    said = customer_pb2.Customer(
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
        said.display_name = str(customer.details.display_name)
        said.email = str(customer.details.email)
        said.phone = str(customer.details.phone or "")
        said.metadata.update(customer.details.metadata.pairs)
    return said


def _state(number: customer_pb2.Customer.State.ValueType) -> State:
    if number == customer_pb2.Customer.STATE_UNSPECIFIED:
        return State.ACTIVE
    if number not in customer_pb2.Customer.State.values():
        raise InvalidValue("", "STATE", "it must be ACTIVE or BLOCKED, by their numbers")
    return State[customer_pb2.Customer.State.Name(number)]


def _state_of(name: str) -> State:
    if name not in State.__members__:
        raise InvalidValue("", "STATE", "state is compared with ACTIVE or BLOCKED")
    return State[name]


FIELDS: dict[str, Callable[[customer_pb2.Customer], object]] = {
    "display_name": lambda said: DisplayName(said.display_name),
    "email": lambda said: EmailAddress(said.email),
    "phone": lambda said: PhoneNumber(said.phone) if said.phone else None,
    "reference": lambda said: Reference(said.reference) if said.reference else None,
    "metadata": lambda said: Metadata.of(said.metadata),
    "state": lambda said: _state(said.state),
}
"""The fields that a caller may say, and how each is read: those of `Changes`."""


def _read(said: customer_pb2.Customer, fields: Iterable[str]) -> Changes:
    read: dict[str, Any] = {
        field: with_field_path(f"customer.{field}", FIELDS[field], said) for field in fields
    }
    return cast("Changes", read)
