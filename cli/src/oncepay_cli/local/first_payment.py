"""A first payment, so that one sees the whole work: a customer, a charge, and the charge sent twice."""

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
# Stripe's name for a test card that is never declined; the sandbox knows it too.
CARD = "pm_card_visa"
# Whoever deleted, blocked or erased that many demonstration customers does it on purpose.
MAX_CUSTOMERS = 100
_NO_MOVEMENT = 10**12


@dataclass(frozen=True, slots=True)
class FirstPayment:
    """What happened, as it was measured.

    Attributes:
        customer_is_new: whether the customer was registered now, or was found.
        request_id: what makes the second sending the same payment.
        sent: when the call left, answered: when its reply was there.
        events: what the service wrote down about the payment.
        charges: the amounts, in minor units, that the sandbox has taken from the card for it.
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
    """Register a customer or find it, pay, and send the very same payment again.

    Raises:
        CommandError: a call was refused.
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
    before = _movements(sandbox, after=_NO_MOVEMENT)["total"]
    sent, begin = datetime.now(UTC), time.monotonic()
    call(service.CreatePayment, request)
    took = time.monotonic() - begin
    again = call(service.CreatePayment, request)
    listed = ListPaymentEventsRequest(parent=again.name)
    return FirstPayment(
        customer=customer,
        customer_is_new=is_new,
        payment=again,
        request_id=request.request_id,
        sent=sent,
        answered=datetime.fromtimestamp(sent.timestamp() + took, UTC),
        events=list(call(service.ListPaymentEvents, listed).payment_events),
        charges=[
            movement["amount"]
            for movement in _movements(sandbox, after=before)["movements"]
            if movement["intent"] == again.processor_id and movement["kind"] == "captured"
        ],
    )


def _customer(service: CustomerServiceStub) -> tuple[Customer, bool]:
    """The demonstration customer that may pay; a new one where it was deleted, blocked or erased."""
    for number in range(1, MAX_CUSTOMERS + 1):
        mark = "" if number == 1 else f"-{number}"
        asked = ListCustomersRequest(filter=f'reference = "demo{mark}"', show_deleted=True)
        found = call(service.ListCustomers, asked).customers
        if not found:
            customer = Customer(
                display_name="Ada Lovelace",
                email=f"ada{mark}@example.com",
                reference=f"demo{mark}",
            )
            new = CreateCustomerRequest(customer=customer, request_id=str(uuid.uuid4()))
            try:
                return call(service.CreateCustomer, new), True
            except CallFailed as refused:
                if "EMAIL_TAKEN" not in refused.reasons:
                    raise
        elif found[0].state == Customer.ACTIVE and not found[0].HasField("delete_time"):
            return found[0], False
    raise CommandError(f"No customer for a first payment: {MAX_CUSTOMERS} of them may not pay.")


def _movements(sandbox: str, after: int) -> dict[str, Any]:
    """The movements of money in the sandbox's books, behind the first so many."""
    try:
        with opener.open(f"{sandbox}/_sandbox/movements?after={after}", timeout=5) as answer:
            books: dict[str, Any] = json.load(answer)
    except OSError as error:
        raise CommandError(f"The sandbox at {sandbox} does not show its books: {error}.") from error
    return books
