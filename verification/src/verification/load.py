"""Payments, one after the other, by callers that never give up; and what became of each."""

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from oncepay.customer.v1.customer_pb2 import Customer
from oncepay.customer.v1.customer_service_pb2 import CreateCustomerRequest
from oncepay.customer.v1.customer_service_pb2_grpc import CustomerServiceStub
from oncepay.payment.v1.payment_pb2 import Money, Payment
from oncepay.payment.v1.payment_service_pb2 import CreatePaymentRequest, ListPaymentsRequest
from oncepay.payment.v1.payment_service_pb2_grpc import PaymentServiceStub

from oncepay_cli.connection import CallFailed, call, connect
from oncepay_cli.local.health import HOST
from oncepay_cli.local.installation import Ports

CALLERS = 6
AMOUNT = Money(currency_code="EUR", minor_units=1_250)
# Longer than any crash that is looked at here: who stops before may not call it lost.
PATIENCE_SECONDS = 120.0


@dataclass
class Load:
    """What was asked of Payment for one customer, and answered.

    Attributes:
        answered: the name of the payment that each request_id was answered with.
        refused: what a caller that sends again was told at the end.
    """

    customer: str
    answered: dict[str, str] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)


@contextmanager
def under_load(ports: Ports) -> Iterator[Load]:
    """Callers pay for as long as the block lasts; each call that left is seen to its end."""
    load = Load(_register(ports))
    ending = threading.Event()
    callers = [threading.Thread(target=_pay, args=(ports, load, ending)) for _ in range(CALLERS)]
    for caller in callers:
        caller.start()
    try:
        yield load
    finally:
        ending.set()
        for caller in callers:
            caller.join()


def payments_of(ports: Ports, customer: str) -> list[Payment]:
    """Every payment of a customer, as Payment lists them."""
    found: list[Payment] = []
    request = ListPaymentsRequest(filter=f'customer = "{customer}"', page_size=1_000)
    with connect(f"{HOST}:{ports.payment}") as channel:
        service = PaymentServiceStub(channel)
        while True:
            page = call(service.ListPayments, request)
            found += page.payments
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token


def settled_payments_of(ports: Ports, customer: str) -> list[Payment]:
    """The same, once recovery has brought all to their end, or patience has."""
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = payments_of(ports, customer)
        if all(payment.state == Payment.SUCCEEDED for payment in found):
            return found
        if time.monotonic() > until:
            return found
        time.sleep(0.5)


def _register(ports: Ports) -> str:
    customer = Customer(display_name="Grace", email=f"{uuid.uuid4()}@example.com")
    request = CreateCustomerRequest(customer=customer, request_id=str(uuid.uuid4()))
    with connect(f"{HOST}:{ports.customer}") as channel:
        return str(call(CustomerServiceStub(channel).CreateCustomer, request).name)


def _pay(ports: Ports, load: Load, ending: threading.Event) -> None:
    with connect(f"{HOST}:{ports.payment}") as channel:
        service = PaymentServiceStub(channel)
        while not ending.is_set():
            request = CreatePaymentRequest(
                payment=Payment(
                    customer=load.customer, amount=AMOUNT, payment_method="pm_card_visa"
                ),
                request_id=str(uuid.uuid4()),
            )
            try:
                load.answered[request.request_id] = _until_answered(service, request).name
            except CallFailed as refused:
                load.refused.append(str(refused))


def _until_answered(service: PaymentServiceStub, request: CreatePaymentRequest) -> Payment:
    """Send it again, with the same request_id, while its end is unknown."""
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return call(service.CreatePayment, request)
        except CallFailed as refused:
            if not refused.is_outcome_unknown or time.monotonic() > until:
                raise
