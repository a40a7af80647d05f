"""`oncepay payments`: executing and following payments."""

import sys
import time
from enum import StrEnum
from typing import Annotated

import grpc
import typer
from google.protobuf.field_mask_pb2 import FieldMask
from oncepay.payment.v1.payment_pb2 import Money, Payment, PaymentEvent, Refund
from oncepay.payment.v1.payment_service_pb2 import (
    CancelPaymentRequest,
    CapturePaymentRequest,
    CreatePaymentRequest,
    CreateRefundRequest,
    DeletePaymentRequest,
    GetPaymentRequest,
    ListPaymentEventsRequest,
    ListPaymentsRequest,
    ListRefundsRequest,
    ReleasePaymentRequest,
    UndeletePaymentRequest,
    UpdatePaymentRequest,
    WatchPaymentEventsRequest,
)
from oncepay.payment.v1.payment_service_pb2_grpc import PaymentServiceStub

from oncepay_cli import money
from oncepay_cli.commands.options import (
    PAYMENT_ADDRESS,
    AsJson,
    Etag,
    Filter,
    MetadataPairs,
    OldestFirst,
    PageSize,
    PageToken,
    PaymentAddress,
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
from oncepay_cli.connection import MAX_WAIT_SECONDS, call, call_failed, call_once, connect
from oncepay_cli.output import Output
from oncepay_cli.tables import cells, json, show_one, show_page

app = typer.Typer(help="Execute and follow payments.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="PAYMENT", help="payments/{id}, or the id")]
NameOrAll = Annotated[
    str, typer.Argument(metavar="[PAYMENT]", help="payments/{id}, or the id; default: all")
]
PartialAmount = Annotated[str, typer.Option("--amount", help="for example 12.50; default: all")]
Reference = Annotated[str, typer.Option(help="your own identifier, for example an order number")]
Description = Annotated[str, typer.Option(help="no personal data")]
COLUMNS = ("name", "state", "amount", "reference", "create_time", "held")
REFUND_COLUMNS = ("name", "state", "amount", "reason", "create_time")
EVENT_COLUMNS = ("event_time", "type", "state", "refund", "note", "payment")


class State(StrEnum):
    """The states of a payment."""

    PROCESSING = "PROCESSING"
    REQUIRES_ACTION = "REQUIRES_ACTION"
    AUTHORIZED = "AUTHORIZED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


class Capture(StrEnum):
    """Whether authorizing a payment also captures it."""

    AUTOMATIC = "automatic"
    MANUAL = "manual"


class Reason(StrEnum):
    """The reasons for a refund."""

    DUPLICATE = "DUPLICATE"
    FRAUDULENT = "FRAUDULENT"
    REQUESTED_BY_CUSTOMER = "REQUESTED_BY_CUSTOMER"


@app.command()
def create(
    customer: Annotated[str, typer.Option(help="customers/{id}, or the id")],
    amount: Annotated[str, typer.Option(help="for example 42.00")],
    currency: Annotated[str, typer.Option(help="ISO 4217, for example EUR")],
    payment_method: Annotated[
        str, typer.Option(help="the processor's token, for example pm_card_visa")
    ],
    capture_method: Annotated[
        Capture, typer.Option("--capture", help="manual: authorize only, until `capture`")
    ] = Capture.AUTOMATIC,
    return_url: Annotated[str, typer.Option(help="where 3D Secure redirects the browser")] = "",
    description: Description = "",
    reference: Reference = "",
    pairs: MetadataPairs = [],  # noqa: B006  typer never changes the default
    request_id: RequestId = "",
    as_json: AsJson = False,
    address: PaymentAddress = PAYMENT_ADDRESS,
) -> None:
    """Execute a payment."""
    payment = Payment(
        customer=full_name("customers", customer),
        amount=money.parse(amount, currency),
        payment_method=payment_method,
        capture_method=Payment.CaptureMethod.Value(capture_method.name),
        return_url=return_url,
        description=description,
        reference=reference,
        metadata=metadata(pairs),
    )
    request = CreatePaymentRequest(payment=payment, request_id=shown_request_id(request_id))
    created = call_once(_service(address).CreatePayment, request, request.request_id)
    show_one(created, as_json)
    if created.state == Payment.REQUIRES_ACTION and not as_json:
        _show_next_action(created)


@app.command()
def get(name: Name, as_json: AsJson = False, address: PaymentAddress = PAYMENT_ADDRESS) -> None:
    """Show a payment, including a deleted one."""
    show_one(_get(_service(address), name), as_json)


@app.command("list")
def list_(
    customer: Annotated[str, typer.Option(help="of this customer: customers/{id}, or the id")] = "",
    state: Annotated[State | None, typer.Option(help="in this state")] = None,
    reference: Annotated[str, typer.Option(help="with this reference")] = "",
    held: Annotated[bool, typer.Option("--held", help="in need of manual review")] = False,
    more: Filter = "",
    show_deleted: ShowDeleted = False,
    oldest_first: OldestFirst = False,
    page_size: PageSize = 0,
    page_token: PageToken = "",
    as_json: AsJson = False,
    address: PaymentAddress = PAYMENT_ADDRESS,
) -> None:
    """List payments."""
    customer_name = full_name("customers", customer) if customer else ""
    equal = {"customer": customer_name, "state": state or "", "reference": reference}
    given = " AND ".join([*([more] if more else []), *(["held = true"] if held else [])])
    request = ListPaymentsRequest(
        filter=joined_filter(given, equal),
        order_by=order_by(oldest_first),
        show_deleted=show_deleted,
        page_size=page_size,
        page_token=page_token,
    )
    reply = call(_service(address).ListPayments, request)
    show_page(reply, reply.payments, COLUMNS, as_json)


@app.command()
def update(
    name: Name,
    description: Annotated[str | None, typer.Option(help="no personal data")] = None,
    reference: Annotated[str | None, typer.Option(help="can be set once")] = None,
    pairs: MetadataPairs = [],  # noqa: B006
    etag: Etag = "",
    as_json: AsJson = False,
    address: PaymentAddress = PAYMENT_ADDRESS,
) -> None:
    """Change the given fields only; metadata is replaced as a whole."""
    fields = given_fields(description=description, reference=reference)
    fields += ["metadata"] if pairs else []
    require_fields(fields, Payment)
    payment = Payment(
        name=full_name("payments", name),
        description=description or "",
        reference=reference or "",
        metadata=metadata(pairs),
        etag=etag,
    )
    request = UpdatePaymentRequest(payment=payment, update_mask=FieldMask(paths=fields))
    show_one(call(_service(address).UpdatePayment, request), as_json)


@app.command()
def delete(
    name: Name, etag: Etag = "", as_json: AsJson = False, address: PaymentAddress = PAYMENT_ADDRESS
) -> None:
    """Delete a payment that failed or was canceled; `undelete` restores it."""
    request = DeletePaymentRequest(name=full_name("payments", name), etag=etag)
    show_one(call(_service(address).DeletePayment, request), as_json)


@app.command()
def undelete(
    name: Name, etag: Etag = "", as_json: AsJson = False, address: PaymentAddress = PAYMENT_ADDRESS
) -> None:
    """Restore a deleted payment."""
    request = UndeletePaymentRequest(name=full_name("payments", name), etag=etag)
    show_one(call(_service(address).UndeletePayment, request), as_json)


@app.command()
def capture(
    name: Name,
    amount: PartialAmount = "",
    etag: Etag = "",
    request_id: RequestId = "",
    as_json: AsJson = False,
    address: PaymentAddress = PAYMENT_ADDRESS,
) -> None:
    """Capture an authorized payment, once."""
    service = _service(address)
    request = CapturePaymentRequest(
        name=full_name("payments", name),
        amount=_amount_of(service, name, amount),
        request_id=shown_request_id(request_id),
        etag=etag,
    )
    show_one(call_once(service.CapturePayment, request, request.request_id), as_json)


@app.command()
def cancel(
    name: Name,
    etag: Etag = "",
    request_id: RequestId = "",
    as_json: AsJson = False,
    address: PaymentAddress = PAYMENT_ADDRESS,
) -> None:
    """Cancel a payment that has not succeeded."""
    request = CancelPaymentRequest(
        name=full_name("payments", name), request_id=shown_request_id(request_id), etag=etag
    )
    show_one(call_once(_service(address).CancelPayment, request, request.request_id), as_json)


@app.command()
def release(
    name: Name,
    note: Annotated[str, typer.Option(help="what the review found; no personal data")],
    etag: Etag = "",
    as_json: AsJson = False,
    address: PaymentAddress = PAYMENT_ADDRESS,
) -> None:
    """Release a held payment after a manual review."""
    request = ReleasePaymentRequest(name=full_name("payments", name), note=note, etag=etag)
    show_one(call(_service(address).ReleasePayment, request), as_json)


@app.command()
def refund(
    name: Name,
    amount: PartialAmount = "",
    reason: Annotated[Reason | None, typer.Option()] = None,
    request_id: RequestId = "",
    as_json: AsJson = False,
    address: PaymentAddress = PAYMENT_ADDRESS,
) -> None:
    """Refund a payment, in full or in part."""
    service = _service(address)
    request = CreateRefundRequest(
        parent=full_name("payments", name),
        refund=Refund(
            amount=_amount_of(service, name, amount),
            reason=Refund.Reason.Value(reason or "REASON_UNSPECIFIED"),
        ),
        request_id=shown_request_id(request_id),
    )
    show_one(call_once(service.CreateRefund, request, request.request_id), as_json)


@app.command()
def refunds(
    name: Name,
    page_size: PageSize = 0,
    page_token: PageToken = "",
    as_json: AsJson = False,
    address: PaymentAddress = PAYMENT_ADDRESS,
) -> None:
    """List a payment's refunds."""
    request = ListRefundsRequest(
        parent=full_name("payments", name), page_size=page_size, page_token=page_token
    )
    reply = call(_service(address).ListRefunds, request)
    show_page(reply, reply.refunds, REFUND_COLUMNS, as_json)


@app.command()
def events(
    name: NameOrAll = "-",
    page_size: PageSize = 0,
    page_token: PageToken = "",
    as_json: AsJson = False,
    address: PaymentAddress = PAYMENT_ADDRESS,
) -> None:
    """List events, oldest first."""
    request = ListPaymentEventsRequest(
        parent=full_name("payments", name), page_size=page_size, page_token=page_token
    )
    reply = call(_service(address).ListPaymentEvents, request)
    show_page(reply, reply.payment_events, EVENT_COLUMNS, as_json)


@app.command()
def watch(
    name: NameOrAll = "-",
    cursor: Annotated[
        str, typer.Option(help="start after this event; default: from the first")
    ] = "",
    as_json: AsJson = False,
    address: PaymentAddress = PAYMENT_ADDRESS,
) -> None:
    """Show events as they happen, until Ctrl-C. With --json, one event per line."""
    output = Output()
    service = _service(address)
    request = WatchPaymentEventsRequest(parent=full_name("payments", name), cursor=cursor)
    try:
        while True:
            _show_stream(output, service, request, as_json)
            time.sleep(MAX_WAIT_SECONDS)
    except KeyboardInterrupt:
        return


def _show_stream(
    output: Output, service: PaymentServiceStub, request: WatchPaymentEventsRequest, as_json: bool
) -> None:
    """Show events until the stream ends; the request's cursor is then the last event's."""
    try:
        for message in service.WatchPaymentEvents(request):
            _show_event(output, message.payment_event, as_json)
            request.cursor = message.payment_event.cursor
    except grpc.RpcError as error:
        # The service restarts, or it closed a long-lived stream: watch again from the cursor.
        if error.code() is not grpc.StatusCode.UNAVAILABLE:
            raise call_failed(error) from None
        sys.stderr.write("Payment is unavailable; retrying.\n")


def _show_event(output: Output, event: PaymentEvent, as_json: bool) -> None:
    if as_json:
        output.console.file.write(json(event, indent=None) + "\n")
    else:
        output.print_plain("  ".join(cell for cell in cells(event, EVENT_COLUMNS) if cell))
    output.console.file.flush()


def _show_next_action(payment: Payment) -> None:
    """Say how the payer authenticates: 3D Secure."""
    if url := payment.next_action.redirect_url:
        text = f"The bank requires 3D Secure: approve or decline in a browser, at\n  {url}"
    else:
        text = "The bank requires 3D Secure, but without --return-url there is no page for it:"
        text += " create another payment with it."
    Output().print_plain(f"{text}\nThen see the result: oncepay payments get {payment.name}")


def _get(service: PaymentServiceStub, name: str) -> Payment:
    return call(service.GetPayment, GetPaymentRequest(name=full_name("payments", name)))


def _amount_of(service: PaymentServiceStub, name: str, amount: str) -> Money | None:
    """The amount in the payment's currency, which is read from the service; None where not given."""
    if not amount:
        return None
    return money.parse(amount, _get(service, name).amount.currency_code)


def _service(address: str) -> PaymentServiceStub:
    return PaymentServiceStub(connect(address))
