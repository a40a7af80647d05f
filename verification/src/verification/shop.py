"""A shop that takes money through the whole house, and the processor's ledger beside it.

What the services say is one side; what the ledger says happened to money is the truth.
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
from oncepay_cli.local.health import HOST
from oncepay_cli.local.installation import Installation

FINAL = {Payment.SUCCEEDED, Payment.FAILED, Payment.CANCELED}
PATIENCE_SECONDS = 60.0
"""Longer than recovery ever takes here: who waits longer may call it stuck."""


def a_request_id() -> str:
    return str(uuid.uuid4())


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call came back with: a reply, or the code and the reason of a refusal."""

    reply: Any = None
    code: grpc.StatusCode = grpc.StatusCode.OK
    reason: str = ""
    fields: tuple[str, ...] = ()


@dataclass
class Shop:
    """One shop with one customer, in one house."""

    house: Installation
    customer: str = ""
    email: str = field(default_factory=lambda: f"{uuid.uuid4().hex}@suffered.example")

    def __post_init__(self) -> None:
        self.customers: Any = CustomerServiceStub(connect(f"{HOST}:{self.house.ports.customer}"))
        self.payments: Any = PaymentServiceStub(connect(f"{HOST}:{self.house.ports.payment}"))
        who = Customer(display_name="Ada Lovelace", email=self.email, phone="+49301234567")
        self.customer = self.customers.CreateCustomer(
            customers_pb.CreateCustomerRequest(customer=who)
        ).name

    def creation(self, request_id: str = "", **said: Any) -> pb.CreatePaymentRequest:
        """A request for EUR 100 by a good card."""
        payment: dict[str, Any] = {
            "customer": self.customer,
            "amount": Money(minor_units=10_000, currency_code="EUR"),
            "payment_method": "pm_card_visa",
        }
        return pb.CreatePaymentRequest(
            payment=Payment(**payment | said), request_id=request_id or a_request_id()
        )

    def pay(self, request_id: str = "", **said: Any) -> Payment:
        payment: Payment = self.payments.CreatePayment(self.creation(request_id, **said))
        return payment

    def refund(self, payment: Payment, minor_units: int, request_id: str = "") -> Answer:
        amount = Money(minor_units=minor_units, currency_code=payment.amount.currency_code)
        request = pb.CreateRefundRequest(
            parent=payment.name,
            refund=Refund(amount=amount),
            request_id=request_id or a_request_id(),
        )
        return answered(self.payments.CreateRefund, request)

    def get(self, payment: Payment) -> Payment:
        found: Payment = self.payments.GetPayment(pb.GetPaymentRequest(name=payment.name))
        return found

    def at_the_end(self, payment: Payment) -> Payment:
        """The payment once it is final, without anybody asking for that."""
        until = time.monotonic() + PATIENCE_SECONDS
        while (found := self.get(payment)).state not in FINAL:
            if time.monotonic() > until:
                raise TimeoutError(f"{found.name} is stuck")
            time.sleep(0.1)
        return found

    def events(self, payment: Payment) -> Sequence[Any]:
        request = pb.ListPaymentEventsRequest(parent=payment.name, page_size=1000)
        found: Sequence[Any] = self.payments.ListPaymentEvents(request).payment_events
        return found

    def moved(self, *payments: Payment) -> dict[str, list[int]]:
        """What happened to money for these payments, by the processor's ledger: amounts by kind. A
        refund's entry carries no payment of ours, so that intents stand between.
        """
        names = {payment.name.removeprefix("payments/") for payment in payments}
        movements = self._sandbox("GET", "movements")["movements"]
        intents = {one["intent"] for one in movements if one["metadata"].get("payment") in names}
        found: dict[str, list[int]] = {}
        for one in movements:
            if one["intent"] in intents:
                found.setdefault(one["kind"], []).append(one["amount"])
        return found

    @contextmanager
    def trouble(self, *plans: dict[str, Any]) -> Iterator[None]:
        """What goes wrong at the processor while the block lasts; see `sandbox.faults.Fault`."""
        for plan in plans:
            self._sandbox("POST", "faults", plan)
        try:
            yield
        finally:
            self._sandbox("DELETE", "faults")

    def _sandbox(self, method: str, path: str, said: object = None) -> Any:
        request = urllib.request.Request(
            f"http://{HOST}:{self.house.ports.sandbox}/_sandbox/{path}",
            method=method,
            data=None if said is None else json.dumps(said).encode(),
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return json.load(answer)


def answered(method: Any, request: object) -> Answer:
    """Calls, and takes a refusal as an answer."""
    try:
        return Answer(method(request))
    except grpc.RpcError as error:
        call: Any = error  # every one is a call, too, whatever the stubs say
        status = rpc_status.from_call(call)
        info, bad = details.ErrorInfo(), details.BadRequest()
        for each in status.details if status else ():
            each.Unpack(info)
            each.Unpack(bad)
        fields = tuple(violation.field for violation in bad.field_violations)
        return Answer(None, call.code(), info.reason, fields)


def at_once(method: Any, requests: Sequence[object]) -> list[Answer]:
    """The answers of calls that are all made at the same time."""
    with ThreadPoolExecutor(len(requests)) as callers:
        return list(callers.map(lambda request: answered(method, request), requests))
