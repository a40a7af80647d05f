"""The first payment of `oncepay up`: a customer, a payment, and the same request sent twice."""

import json
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import grpc
from oncepay.customer.v1.customer_pb2 import Customer
from oncepay.customer.v1.customer_service_pb2 import CreateCustomerRequest, ListCustomersRequest
from oncepay.customer.v1.customer_service_pb2_grpc import CustomerServiceStub
from oncepay.payment.v1.payment_pb2 import Money, Payment, PaymentEvent
from oncepay.payment.v1.payment_service_pb2 import CreatePaymentRequest, ListPaymentEventsRequest
from oncepay.payment.v1.payment_service_pb2_grpc import PaymentServiceStub

from oncepay_cli.connection import CallFailed, call
from oncepay_cli.errors import CommandError
from oncepay_cli.local.health import opener

AMOUNT = Money(currency_code="EUR", minor_units=4200)
# Stripe's test card that always succeeds; the sandbox has it too.
CARD = "pm_card_visa"
# The customers `demo`, `demo-2`, ... that are tried, should earlier ones be deleted, blocked or erased.
MAX_CUSTOMERS = 100
_AFTER_ALL_MOVEMENTS = 10**12


@dataclass(frozen=True, slots=True)
class FirstPayment:
    """The result of a first payment, as measured.

    Attributes:
        customer_is_new: whether the customer was registered now.
        request_id: the id with which the request was sent twice.
        sent: when the request was sent; answered: when its reply was received.
        events: the payment's events.
        charges: the amounts, in minor units, that the sandbox captured for it.
    """

    customer: Customer
    customer_is_new: bool
    payment: Payment
    request_id: str
    sent: datetime
    answered: datetime
    events: list[PaymentEvent]
    charges: list[int]


def execute(customers: grpc.Channel, payments: grpc.Channel, sandbox: str) -> FirstPayment:
    """Find or register a customer, create a payment, and send the same request again.

    Raises:
        CommandError: a call failed.
    """
    customer, is_new = _customer(CustomerServiceStub(customers))
    service = PaymentServiceStub(payments)
    request = CreatePaymentRequest(
        payment=Payment(
            customer=customer.name,
            amount=AMOUNT,
            payment_method=CARD,
            description="The first payment of `oncepay up`",
        ),
        request_id=str(uuid.uuid4()),
    )
    before = _movements(sandbox, after=_AFTER_ALL_MOVEMENTS)["total"]
    sent, started = datetime.now(UTC), time.monotonic()
    call(service.CreatePayment, request)
    seconds = time.monotonic() - started
    payment = call(service.CreatePayment, request)
    events = call(service.ListPaymentEvents, ListPaymentEventsRequest(parent=payment.name))
    return FirstPayment(
        customer=customer,
        customer_is_new=is_new,
        payment=payment,
        request_id=request.request_id,
        sent=sent,
        answered=datetime.fromtimestamp(sent.timestamp() + seconds, UTC),
        events=list(events.payment_events),
        charges=[
            movement["amount"]
            for movement in _movements(sandbox, after=before)["movements"]
            if movement["intent"] == payment.processor_id and movement["kind"] == "captured"
        ],
    )


def _customer(service: CustomerServiceStub) -> tuple[Customer, bool]:
    """The first demonstration customer that may pay, registered if missing; whether it is new."""
    for number in range(1, MAX_CUSTOMERS + 1):
        suffix = "" if number == 1 else f"-{number}"
        query = ListCustomersRequest(filter=f'reference = "demo{suffix}"', show_deleted=True)
        found = call(service.ListCustomers, query).customers
        if not found:
            customer = Customer(
                display_name="Ada Lovelace",
                email=f"ada{suffix}@example.com",
                reference=f"demo{suffix}",
            )
            request = CreateCustomerRequest(customer=customer, request_id=str(uuid.uuid4()))
            try:
                return call(service.CreateCustomer, request), True
            except CallFailed as failure:
                if "EMAIL_TAKEN" not in failure.reasons:
                    raise
        elif found[0].state == Customer.ACTIVE and not found[0].HasField("delete_time"):
            return found[0], False
    raise CommandError(f"No customer for a first payment: none of {MAX_CUSTOMERS} may pay.")


def _movements(sandbox: str, after: int) -> dict[str, Any]:
    """The sandbox's movements of money after the first `after` ones, and their total number."""
    try:
        with opener.open(f"{sandbox}/_sandbox/movements?after={after}", timeout=5) as reply:
            content: dict[str, Any] = json.load(reply)
    except OSError as error:
        raise CommandError(f"The sandbox at {sandbox} does not answer: {error}.") from error
    return content
