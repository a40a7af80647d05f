"""`oncepay payments`: money, once."""

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
    joined_filter,
    metadata,
    needs_change,
    order,
    said,
    shown_request_id,
)
from oncepay_cli.connection import MAX_WAIT_SECONDS, call, call_once, connect, refused
from oncepay_cli.output import Output
from oncepay_cli.tables import cells, json, show_one, show_page

app = typer.Typer(help="Make payments, and follow them.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="PAYMENT", help="payments/{id}, or the id")]
NameOrAll = Annotated[
    str, typer.Argument(metavar="[PAYMENT]", help="payments/{id}, or the id; all of them without")
]
Part = Annotated[str, typer.Option("--amount", help="a part, as in 12.50; without it all")]
Reference = Annotated[str, typer.Option(help="your own number for what is paid")]
Description = Annotated[str, typer.Option(help="what it is for; no personal details")]
COLUMNS = ("name", "state", "amount", "reference", "create_time", "held")
REFUND_COLUMNS = ("name", "state", "amount", "reason", "create_time")
# Stripe's names for cards that behave: what the Tab key offers.
TEST_CARDS = (
    "pm_card_visa",
    "pm_card_chargeDeclined",
    "pm_card_chargeDeclinedInsufficientFunds",
    "pm_card_threeDSecure2Required",
    "pm_card_pendingRefund",
    "pm_card_refundFail",
)
EVENT_COLUMNS = ("event_time", "type", "state", "refund", "note", "payment")


class State(StrEnum):
    """Where a payment may stand."""

    PROCESSING = "PROCESSING"
    REQUIRES_ACTION = "REQUIRES_ACTION"
    AUTHORIZED = "AUTHORIZED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


class Capture(StrEnum):
    """Whether authorising also takes the money."""

    AUTOMATIC = "automatic"
    MANUAL = "manual"


class Reason(StrEnum):
    """Why money goes back."""

    DUPLICATE = "DUPLICATE"
    FRAUDULENT = "FRAUDULENT"
    REQUESTED_BY_CUSTOMER = "REQUESTED_BY_CUSTOMER"


@app.command()
def create(
    customer: Annotated[str, typer.Option(help="who pays: customers/{id}, or the id")],
    amount: Annotated[str, typer.Option(help="as in 42.00")],
    currency: Annotated[
        str,
        typer.Option(help="ISO 4217, as in EUR", autocompletion=lambda: money.COMMON_CURRENCIES),
    ],
    payment_method: Annotated[
        str,
        typer.Option(
            help="the processor's token, as in pm_card_visa", autocompletion=lambda: TEST_CARDS
        ),
    ],
    capture_method: Annotated[
        Capture, typer.Option("--capture", help="manual only holds the money, until `capture`")
    ] = Capture.AUTOMATIC,
    return_url: Annotated[str, typer.Option(help="where 3D Secure sends the browser")] = "",
    description: Description = "",
    reference: Reference = "",
    pairs: MetadataPairs = [],  # noqa: B006  typer reads the default, and never changes it
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
    made = call_once(_service(address).CreatePayment, request, request.request_id)
    show_one(made, as_json)
    if made.state == Payment.REQUIRES_ACTION and not as_json:
        _show_way(made)


@app.command()
def get(name: Name, as_json: AsJson = False, address: PaymentAddress = PAYMENT_ADDRESS) -> None:
    """Show a payment, a deleted one too."""
    show_one(_get(_service(address), name), as_json)


@app.command("list")
def list_(
    customer: Annotated[str, typer.Option(help="only theirs: customers/{id}, or the id")] = "",
    state: Annotated[State | None, typer.Option(help="only those in this state")] = None,
    reference: Annotated[str, typer.Option(help="only those with this reference")] = "",
    held: Annotated[bool, typer.Option("--held", help="only those that wait for a person")] = False,
    more: Filter = "",
    show_deleted: ShowDeleted = False,
    oldest_first: OldestFirst = False,
    page_size: PageSize = 0,
    page_token: PageToken = "",
    as_json: AsJson = False,
    address: PaymentAddress = PAYMENT_ADDRESS,
) -> None:
    """List payments."""
    payer = full_name("customers", customer) if customer else ""
    equal = {"customer": payer, "state": state or "", "reference": reference}
    given = " AND ".join([*([more] if more else []), *(["held = true"] if held else [])])
    request = ListPaymentsRequest(
        filter=joined_filter(given, equal),
        order_by=order(oldest_first),
        show_deleted=show_deleted,
        page_size=page_size,
        page_token=page_token,
    )
    reply = call(_service(address).ListPayments, request)
    show_page(reply, reply.payments, COLUMNS, as_json)


@app.command()
def update(
    name: Name,
    description: Annotated[str | None, typer.Option(help="what it is for")] = None,
    reference: Annotated[str | None, typer.Option(help="once, while there is none")] = None,
    pairs: MetadataPairs = [],  # noqa: B006
    etag: Etag = "",
    as_json: AsJson = False,
    address: PaymentAddress = PAYMENT_ADDRESS,
) -> None:
    """Change what is no money; metadata is replaced whole."""
    paths = said(description=description, reference=reference)
    paths += ["metadata"] if pairs else []
    needs_change(paths, Payment)
    payment = Payment(
        name=full_name("payments", name),
        description=description or "",
        reference=reference or "",
        metadata=metadata(pairs),
        etag=etag,
    )
    request = UpdatePaymentRequest(payment=payment, update_mask=FieldMask(paths=paths))
    show_one(call(_service(address).UpdatePayment, request), as_json)


@app.command()
def delete(
    name: Name, etag: Etag = "", as_json: AsJson = False, address: PaymentAddress = PAYMENT_ADDRESS
) -> None:
    """Delete a payment that failed or was canceled; `undelete` brings it back."""
    request = DeletePaymentRequest(name=full_name("payments", name), etag=etag)
    show_one(call(_service(address).DeletePayment, request), as_json)


@app.command()
def undelete(
    name: Name, etag: Etag = "", as_json: AsJson = False, address: PaymentAddress = PAYMENT_ADDRESS
) -> None:
    """Bring a deleted payment back."""
    request = UndeletePaymentRequest(name=full_name("payments", name), etag=etag)
    show_one(call(_service(address).UndeletePayment, request), as_json)


@app.command()
def capture(
    name: Name,
    amount: Part = "",
    etag: Etag = "",
    request_id: RequestId = "",
    as_json: AsJson = False,
    address: PaymentAddress = PAYMENT_ADDRESS,
) -> None:
    """Take the money of an authorized payment, once."""
    service = _service(address)
    request = CapturePaymentRequest(
        name=full_name("payments", name),
        amount=_part(service, name, amount),
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
    """Call a payment off that has not succeeded."""
    request = CancelPaymentRequest(
        name=full_name("payments", name), request_id=shown_request_id(request_id), etag=etag
    )
    show_one(call_once(_service(address).CancelPayment, request, request.request_id), as_json)


@app.command()
def release(
    name: Name,
    note: Annotated[str, typer.Option(help="what you found; no personal details")],
    etag: Etag = "",
    as_json: AsJson = False,
    address: PaymentAddress = PAYMENT_ADDRESS,
) -> None:
    """Let a held payment go on, once a person has looked into it."""
    request = ReleasePaymentRequest(name=full_name("payments", name), note=note, etag=etag)
    show_one(call(_service(address).ReleasePayment, request), as_json)


@app.command()
def refund(
    name: Name,
    amount: Part = "",
    reason: Annotated[Reason | None, typer.Option(help="why")] = None,
    request_id: RequestId = "",
    as_json: AsJson = False,
    address: PaymentAddress = PAYMENT_ADDRESS,
) -> None:
    """Send money back, whole or in part."""
    service = _service(address)
    request = CreateRefundRequest(
        parent=full_name("payments", name),
        refund=Refund(
            amount=_part(service, name, amount),
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
    """List what happened, the oldest first."""
    request = ListPaymentEventsRequest(
        parent=full_name("payments", name), page_size=page_size, page_token=page_token
    )
    reply = call(_service(address).ListPaymentEvents, request)
    show_page(reply, reply.payment_events, EVENT_COLUMNS, as_json)


@app.command()
def watch(
    name: NameOrAll = "-",
    cursor: Annotated[str, typer.Option(help="go on behind this event; else from the first")] = "",
    as_json: AsJson = False,
    address: PaymentAddress = PAYMENT_ADDRESS,
) -> None:
    """Show what happens as it happens, until Ctrl-C. With --json, an event a line."""
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
    """Show events until the stream ends; the request then says where to go on."""
    try:
        for message in service.WatchPaymentEvents(request):
            _show_event(output, message.payment_event, as_json)
            request.cursor = message.payment_event.cursor
    except grpc.RpcError as error:
        # The service restarts, or the stream has become too old: watch again, and miss nothing.
        if error.code() is not grpc.StatusCode.UNAVAILABLE:
            raise refused(error) from None
        sys.stderr.write("Payment does not answer; trying again.\n")


def _show_event(output: Output, event: PaymentEvent, as_json: bool) -> None:
    if as_json:
        output.console.file.write(json(event, indent=None) + "\n")
    else:
        output.print_plain("  ".join(cell for cell in cells(event, EVENT_COLUMNS) if cell))
    output.console.file.flush()


def _show_way(payment: Payment) -> None:
    """What the payer has to do: 3D Secure."""
    if url := payment.next_action.redirect_url:
        say = f"The bank asks the payer: approve or decline in a browser, at\n  {url}"
    else:
        say = "The bank asks the payer, and gave no address to do so: say where to come back to"
        say += " with --return-url, in a payment of its own."
    Output().print_plain(f"{say}\nThen see what became of it: oncepay payments get {payment.name}")


def _get(service: PaymentServiceStub, name: str) -> Payment:
    return call(service.GetPayment, GetPaymentRequest(name=full_name("payments", name)))


def _part(service: PaymentServiceStub, name: str, amount: str) -> Money | None:
    """An amount in the payment's own currency, which is asked for."""
    if not amount:
        return None
    return money.parse(amount, _get(service, name).amount.currency_code)


def _service(address: str) -> PaymentServiceStub:
    return PaymentServiceStub(connect(address))
