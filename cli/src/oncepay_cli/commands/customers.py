"""`oncepay customers`: who pays."""

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
    joined_filter,
    metadata,
    needs_change,
    order,
    said,
    shown_request_id,
)
from oncepay_cli.connection import call, call_once, connect
from oncepay_cli.tables import show_one, show_page

app = typer.Typer(help="Register customers, and look after them.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="CUSTOMER", help="customers/{id}, or the id")]
COLUMNS = ("name", "state", "display_name", "email", "reference")


class State(StrEnum):
    """What a customer may be set to."""

    ACTIVE = "ACTIVE"
    BLOCKED = "BLOCKED"


@app.command()
def register(
    display_name: Annotated[str, typer.Option(help="what to call them")],
    email: Annotated[str, typer.Option(help="no two living customers have the same")],
    phone: Annotated[str, typer.Option(help="E.164, as in +442071234567")] = "",
    reference: Annotated[str, typer.Option(help="your own number for them")] = "",
    pairs: MetadataPairs = [],  # noqa: B006  typer reads the default, and never changes it
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
    """Show a customer, a deleted one too."""
    request = GetCustomerRequest(name=full_name("customers", name))
    show_one(call(_service(address).GetCustomer, request), as_json)


@app.command("list")
def list_(
    email: Annotated[str, typer.Option(help="the one with this email")] = "",
    reference: Annotated[str, typer.Option(help="the one with this reference")] = "",
    state: Annotated[State | None, typer.Option(help="only those in this state")] = None,
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
        order_by=order(oldest_first),
        show_deleted=show_deleted,
        page_size=page_size,
        page_token=page_token,
    )
    reply = call(_service(address).ListCustomers, request)
    show_page(reply, reply.customers, COLUMNS, as_json)


@app.command()
def update(
    name: Name,
    display_name: Annotated[str | None, typer.Option(help="what to call them")] = None,
    email: Annotated[str | None, typer.Option(help="no two living customers have the same")] = None,
    phone: Annotated[str | None, typer.Option(help="'' takes it away")] = None,
    reference: Annotated[str | None, typer.Option(help="your own number for them")] = None,
    state: Annotated[State | None, typer.Option(help="BLOCKED starts no new payment")] = None,
    pairs: MetadataPairs = [],  # noqa: B006
    etag: Etag = "",
    as_json: AsJson = False,
    address: CustomerAddress = CUSTOMER_ADDRESS,
) -> None:
    """Change what is given, and nothing else; metadata is replaced whole."""
    paths = said(
        display_name=display_name, email=email, phone=phone, reference=reference, state=state
    )
    paths += ["metadata"] if pairs else []
    needs_change(paths, Customer)
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
    request = UpdateCustomerRequest(customer=customer, update_mask=FieldMask(paths=paths))
    show_one(call(_service(address).UpdateCustomer, request), as_json)


@app.command()
def delete(
    name: Name,
    etag: Etag = "",
    as_json: AsJson = False,
    address: CustomerAddress = CUSTOMER_ADDRESS,
) -> None:
    """Delete a customer; `undelete` brings it back."""
    request = DeleteCustomerRequest(name=full_name("customers", name), etag=etag)
    show_one(call(_service(address).DeleteCustomer, request), as_json)


@app.command()
def undelete(
    name: Name,
    etag: Etag = "",
    as_json: AsJson = False,
    address: CustomerAddress = CUSTOMER_ADDRESS,
) -> None:
    """Bring a deleted customer back."""
    request = UndeleteCustomerRequest(name=full_name("customers", name), etag=etag)
    show_one(call(_service(address).UndeleteCustomer, request), as_json)


@app.command()
def erase(
    name: Name,
    etag: Etag = "",
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    as_json: AsJson = False,
    address: CustomerAddress = CUSTOMER_ADDRESS,
) -> None:
    """Erase a customer's personal details, for ever."""
    full = full_name("customers", name)
    if not yes:
        typer.confirm(f"Erase the personal details of {full} for ever?", abort=True, err=True)
    request = EraseCustomerRequest(name=full, etag=etag)
    show_one(call(_service(address).EraseCustomer, request), as_json)


def _service(address: str) -> CustomerServiceStub:
    return CustomerServiceStub(connect(address))
