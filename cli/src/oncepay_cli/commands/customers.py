"""`oncepay customers`: registering and managing customers."""

from enum import StrEnum
from typing import Annotated

import typer
from google.protobuf.field_mask_pb2 import FieldMask
from oncepay.customer.v1.customer_pb2 import Customer
from oncepay.customer.v1.customer_service_pb2 import (
    CreateCustomerRequest,
    DeleteCustomerRequest,
    EraseCustomerRequest,
    GetCustomerRequest,
    ListCustomersRequest,
    UndeleteCustomerRequest,
    UpdateCustomerRequest,
)
from oncepay.customer.v1.customer_service_pb2_grpc import CustomerServiceStub

from oncepay_cli.commands.options import (
    CUSTOMER_ADDRESS,
    AsJson,
    CustomerAddress,
    Etag,
    Filter,
    MetadataPairs,
    OldestFirst,
    PageSize,
    PageToken,
    RequestId,
    ShowDeleted,
    full_name,
    given_fields,
    joined_filter,
    metadata,
    order_by,
    require_fields,
    shown_request_id,
)
from oncepay_cli.connection import call, call_once, connect
from oncepay_cli.tables import show_one, show_page

app = typer.Typer(help="Register and manage customers.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="CUSTOMER", help="customers/{id}, or the id")]
COLUMNS = ("name", "state", "display_name", "email", "reference")


class State(StrEnum):
    """The states that an update may set."""

    ACTIVE = "ACTIVE"
    BLOCKED = "BLOCKED"


@app.command()
def register(
    display_name: Annotated[str, typer.Option(help="full name")],
    email: Annotated[str, typer.Option(help="unique among customers that are not deleted")],
    phone: Annotated[str, typer.Option(help="E.164, for example +442071234567")] = "",
    reference: Annotated[str, typer.Option(help="your own identifier")] = "",
    pairs: MetadataPairs = [],  # noqa: B006  typer never changes the default
    request_id: RequestId = "",
    as_json: AsJson = False,
    address: CustomerAddress = CUSTOMER_ADDRESS,
) -> None:
    """Register a customer."""
    request = CreateCustomerRequest(
        customer=Customer(
            display_name=display_name,
            email=email,
            phone=phone,
            reference=reference,
            metadata=metadata(pairs),
        ),
        request_id=shown_request_id(request_id),
    )
    customer = call_once(_service(address).CreateCustomer, request, request.request_id)
    show_one(customer, as_json)


@app.command()
def get(name: Name, as_json: AsJson = False, address: CustomerAddress = CUSTOMER_ADDRESS) -> None:
    """Show a customer, including a deleted one."""
    request = GetCustomerRequest(name=full_name("customers", name))
    show_one(call(_service(address).GetCustomer, request), as_json)


@app.command("list")
def list_(
    email: Annotated[str, typer.Option(help="with this email")] = "",
    reference: Annotated[str, typer.Option(help="with this reference")] = "",
    state: Annotated[State | None, typer.Option(help="in this state")] = None,
    more: Filter = "",
    show_deleted: ShowDeleted = False,
    oldest_first: OldestFirst = False,
    page_size: PageSize = 0,
    page_token: PageToken = "",
    as_json: AsJson = False,
    address: CustomerAddress = CUSTOMER_ADDRESS,
) -> None:
    """List customers."""
    equal = {"email": email, "reference": reference, "state": state or ""}
    request = ListCustomersRequest(
        filter=joined_filter(more, equal),
        order_by=order_by(oldest_first),
        show_deleted=show_deleted,
        page_size=page_size,
        page_token=page_token,
    )
    reply = call(_service(address).ListCustomers, request)
    show_page(reply, reply.customers, COLUMNS, as_json)


@app.command()
def update(
    name: Name,
    display_name: Annotated[str | None, typer.Option(help="full name")] = None,
    email: Annotated[
        str | None, typer.Option(help="unique among customers that are not deleted")
    ] = None,
    phone: Annotated[str | None, typer.Option(help="'' clears it")] = None,
    reference: Annotated[str | None, typer.Option(help="your own identifier")] = None,
    state: Annotated[State | None, typer.Option(help="BLOCKED: no new payments")] = None,
    pairs: MetadataPairs = [],  # noqa: B006
    etag: Etag = "",
    as_json: AsJson = False,
    address: CustomerAddress = CUSTOMER_ADDRESS,
) -> None:
    """Change the given fields only; metadata is replaced as a whole."""
    fields = given_fields(
        display_name=display_name, email=email, phone=phone, reference=reference, state=state
    )
    fields += ["metadata"] if pairs else []
    require_fields(fields, Customer)
    customer = Customer(
        name=full_name("customers", name),
        display_name=display_name or "",
        email=email or "",
        phone=phone or "",
        reference=reference or "",
        state=Customer.State.Value(state or "STATE_UNSPECIFIED"),
        metadata=metadata(pairs),
        etag=etag,
    )
    request = UpdateCustomerRequest(customer=customer, update_mask=FieldMask(paths=fields))
    show_one(call(_service(address).UpdateCustomer, request), as_json)


@app.command()
def delete(
    name: Name,
    etag: Etag = "",
    as_json: AsJson = False,
    address: CustomerAddress = CUSTOMER_ADDRESS,
) -> None:
    """Delete a customer; `undelete` restores it."""
    request = DeleteCustomerRequest(name=full_name("customers", name), etag=etag)
    show_one(call(_service(address).DeleteCustomer, request), as_json)


@app.command()
def undelete(
    name: Name,
    etag: Etag = "",
    as_json: AsJson = False,
    address: CustomerAddress = CUSTOMER_ADDRESS,
) -> None:
    """Restore a deleted customer."""
    request = UndeleteCustomerRequest(name=full_name("customers", name), etag=etag)
    show_one(call(_service(address).UndeleteCustomer, request), as_json)


@app.command()
def erase(
    name: Name,
    etag: Etag = "",
    yes: Annotated[bool, typer.Option("--yes", help="skip the confirmation")] = False,
    as_json: AsJson = False,
    address: CustomerAddress = CUSTOMER_ADDRESS,
) -> None:
    """Erase a customer's personal data, permanently."""
    full = full_name("customers", name)
    if not yes:
        typer.confirm(f"Erase the personal data of {full} permanently?", abort=True, err=True)
    request = EraseCustomerRequest(name=full, etag=etag)
    show_one(call(_service(address).EraseCustomer, request), as_json)


def _service(address: str) -> CustomerServiceStub:
    return CustomerServiceStub(connect(address))
