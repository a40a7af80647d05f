"""What became of a load's payments: Payment's list, the clients' answers and the processor's ledger
against each other.
"""

import time
from collections import Counter

from oncepay.payment.v1.payment_pb2 import Payment
from oncepay.payment.v1.payment_service_pb2 import ListPaymentsRequest
from oncepay.payment.v1.payment_service_pb2_grpc import PaymentServiceStub

from oncepay_cli.connection import call, connect
from oncepay_cli.local.health import HOST
from oncepay_cli.local.installation import Ports
from verification.client import movements
from verification.load import AMOUNT, Observations
from verification.waiting import PATIENCE_SECONDS


def discrepancies(ports: Ports, observed: Observations) -> list[str]:
    """Each payment that was answered and is not listed, or listed and was not answered; or that did not
    end SUCCEEDED with its amount, or for which money was not taken exactly once.
    """
    payments = {payment.name: payment for payment in settled_payments(ports, observed.customer)}
    captures = Counter(
        entry["intent"] for entry in movements(ports.sandbox) if entry["kind"] == "captured"
    )
    found = [f"{name} was not answered" for name in payments.keys() - {*observed.payments}]
    found += [f"{name} is not listed" for name in {*observed.payments} - payments.keys()]
    for name, payment in payments.items():
        times, state = captures[payment.processor_id], Payment.State.Name(payment.state)
        if (state, payment.amount_captured, times) != ("SUCCEEDED", AMOUNT, 1):
            taken = payment.amount_captured.minor_units
            found.append(f"{name}: {state}, {taken} captured, money taken {times} times")
    return sorted(found)


def settled_payments(ports: Ports, customer: str) -> list[Payment]:
    """Every payment of a customer, once recovery has brought all to their end, or patience has."""
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = list_payments(ports, customer)
        is_settled = all(payment.state == Payment.SUCCEEDED for payment in found)
        if is_settled or time.monotonic() > until:
            return found
        time.sleep(0.5)


def list_payments(ports: Ports, customer: str) -> list[Payment]:
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
