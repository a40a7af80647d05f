"""A client of both services for tests, which also reads the processor's ledger.

What the services answer is one side; what the ledger says happened to money is the truth.
"""

import json
import time
import urllib.request
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.rpc import error_details_pb2 as details
from grpc_status import rpc_status
from oncepay.customer.v1 import customer_service_pb2 as customers_pb
from oncepay.customer.v1.customer_pb2 import Customer
from oncepay.customer.v1.customer_service_pb2_grpc import CustomerServiceStub
from oncepay.payment.v1 import payment_service_pb2 as pb
from oncepay.payment.v1.payment_pb2 import Money, Payment, Refund
from oncepay.payment.v1.payment_service_pb2_grpc import PaymentServiceStub

from oncepay_cli.connection import connect
from oncepay_cli.local import first_payment, health
from oncepay_cli.local.first_payment import FirstPayment
from oncepay_cli.local.health import HOST
from oncepay_cli.local.installation import Ports
from verification.waiting import PATIENCE_SECONDS, POLL_SECONDS, wait_until

FINAL = {Payment.SUCCEEDED, Payment.FAILED, Payment.CANCELED}


def new_request_id() -> str:
    return str(uuid.uuid4())


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call came back with: a reply, or the code, the reason and the fields of an error."""

    reply: Any = None
    code: grpc.StatusCode = grpc.StatusCode.OK
    reason: str = ""
    fields: tuple[str, ...] = ()


@dataclass
class Client:
    """A merchant with one customer, on one stack."""

    ports: Ports
    customer: str = ""
    email: str = field(default_factory=lambda: f"{uuid.uuid4().hex}@merchant.example")

    def __post_init__(self) -> None:
        self.customers: Any = CustomerServiceStub(connect(f"{HOST}:{self.ports.customer}"))
        self.payments: Any = PaymentServiceStub(connect(f"{HOST}:{self.ports.payment}"))
        customer = Customer(display_name="Ada Lovelace", email=self.email, phone="+49301234567")
        self.customer = self.customers.CreateCustomer(
            customers_pb.CreateCustomerRequest(customer=customer)
        ).name

    def payment_request(self, request_id: str = "", **changed: Any) -> pb.CreatePaymentRequest:
        """A request for EUR 100 by a good card, with what a test changes."""
        payment: dict[str, Any] = {
            "customer": self.customer,
            "amount": Money(minor_units=10_000, currency_code="EUR"),
            "payment_method": "pm_card_visa",
        }
        return pb.CreatePaymentRequest(
            payment=Payment(**payment | changed), request_id=request_id or new_request_id()
        )

    def pay(self, request_id: str = "", **changed: Any) -> Payment:
        return self._payment("CreatePayment", self.payment_request(request_id, **changed))

    def capture(self, payment: Payment) -> Payment:
        request = pb.CapturePaymentRequest(name=payment.name, request_id=new_request_id())
        return self._payment("CapturePayment", request)

    def get(self, payment: Payment) -> Payment:
        return self._payment("GetPayment", pb.GetPaymentRequest(name=payment.name))

    def _payment(self, method: str, request: object) -> Payment:
        """The payment that a method answers with, which must not be an error."""
        answer = call(getattr(self.payments, method), request)
        if answer.code is not grpc.StatusCode.OK:
            raise AssertionError(f"{method}: {answer}")
        payment: Payment = answer.reply
        return payment

    def refund(self, payment: Payment, minor_units: int, request_id: str = "") -> Answer:
        return call(self.payments.CreateRefund, refund_request(payment, minor_units, request_id))

    def wait_until_final(self, payment: Payment) -> Payment:
        """The payment once it is final, with no other call than GetPayment."""
        wait_until(lambda: self.get(payment).state in FINAL, f"{payment.name} is stuck")
        return self.get(payment)

    def events(self, payment: Payment) -> Sequence[Any]:
        request = pb.ListPaymentEventsRequest(parent=payment.name, page_size=1000)
        found: Sequence[Any] = self.payments.ListPaymentEvents(request).payment_events
        return found

    def money_moved(self, *payments: Payment) -> dict[str, list[int]]:
        """What happened to money for these payments, by the processor's ledger: amounts by kind. A
        refund's entry has no payment of ours, but the intent of one.
        """
        names = {payment.name.removeprefix("payments/") for payment in payments}
        ledger = movements(self.ports.sandbox)
        intents = {entry["intent"] for entry in ledger if entry["metadata"].get("payment") in names}
        found: dict[str, list[int]] = {}
        for entry in ledger:
            if entry["intent"] in intents:
                found.setdefault(entry["kind"], []).append(entry["amount"])
        return found

    @contextmanager
    def processor_faults(self, *faults: dict[str, Any]) -> Iterator[None]:
        """What the processor does wrong while the block lasts; see `sandbox.faults.Fault`."""
        for fault in faults:
            ask_sandbox(self.ports.sandbox, "POST", "faults", fault)
        try:
            yield
        finally:
            ask_sandbox(self.ports.sandbox, "DELETE", "faults")


def execute_first_payment(ports: Ports) -> FirstPayment:
    """The first payment of `make run`, on what is up already."""
    with (
        connect(f"{HOST}:{ports.customer}") as customers,
        connect(f"{HOST}:{ports.payment}") as payments,
    ):
        return first_payment.execute(customers, payments, f"http://{HOST}:{ports.sandbox}")


def refund_request(
    payment: Payment, minor_units: int, request_id: str = ""
) -> pb.CreateRefundRequest:
    amount = Money(minor_units=minor_units, currency_code=payment.amount.currency_code)
    return pb.CreateRefundRequest(
        parent=payment.name,
        refund=Refund(amount=amount),
        request_id=request_id or new_request_id(),
    )


def call(method: Any, request: object) -> Answer:
    """Call, repeat the request while the service is unavailable, and take an error as an answer.

    A busy machine makes a service unavailable for moments, which no test is about.
    """
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return Answer(method(request, timeout=PATIENCE_SECONDS))
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE or time.monotonic() > until:
                return _error(error)
        time.sleep(POLL_SECONDS)


def _error(error: grpc.RpcError) -> Answer:
    failed: Any = error  # every one is a call, too, whatever the stubs say
    status = rpc_status.from_call(failed)
    info, bad = details.ErrorInfo(), details.BadRequest()
    for detail in status.details if status else ():
        detail.Unpack(info)
        detail.Unpack(bad)
    fields = tuple(violation.field for violation in bad.field_violations)
    return Answer(None, failed.code(), info.reason, fields)


def call_concurrently(method: Any, requests: Sequence[object]) -> list[Answer]:
    """The answers of calls that are all made at the same time."""
    with ThreadPoolExecutor(len(requests)) as callers:
        return list(callers.map(lambda request: call(method, request), requests))


def movements(sandbox_port: int) -> list[dict[str, Any]]:
    """Every entry of the processor's ledger."""
    found: list[dict[str, Any]] = ask_sandbox(sandbox_port, "GET", "movements")["movements"]
    return found


def ask_sandbox(port: int, method: str, path: str, body: object = None) -> Any:
    """A call of the sandbox's control interface."""
    request = urllib.request.Request(
        f"http://{HOST}:{port}/_sandbox/{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
    )
    with health.opener.open(request, timeout=30) as answer:
        return json.load(answer)
