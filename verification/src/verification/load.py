"""A load of clients that keep the contract: they repeat a call whose outcome is unknown, with the same
request_id.

This file needs gRPC and the contracts alone, so that it runs in a pod of the service's own image too:
`python load.py` calls what CUSTOMER_TARGET and PAYMENT_TARGET name until SIGTERM, and then writes what
was observed, as one line of JSON.
"""

import asyncio
import json
import os
import signal
import sys
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from grpc import aio
from oncepay.customer.v1.customer_pb2 import Customer
from oncepay.customer.v1.customer_service_pb2 import CreateCustomerRequest, GetCustomerRequest
from oncepay.customer.v1.customer_service_pb2_grpc import CustomerServiceStub
from oncepay.payment.v1.payment_pb2 import Money, Payment
from oncepay.payment.v1.payment_service_pb2 import CreatePaymentRequest
from oncepay.payment.v1.payment_service_pb2_grpc import PaymentServiceStub

CLIENTS = 6
PAUSE_SECONDS = 0.01
AMOUNT = Money(currency_code="EUR", minor_units=1_250)
TIMEOUT_SECONDS = 15.0
"""A service's own answer comes within 10 s; a little is left for the way."""
PATIENCE_SECONDS = 120.0
"""How long a client repeats a call: longer than any crash or roll that is looked at."""
FIRST_WAIT_SECONDS, MAX_WAIT_SECONDS = 0.05, 1.0
OUTCOME_UNKNOWN = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.INTERNAL,
)
CHANNEL_OPTIONS = (
    ("grpc.service_config", json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})),
    ("grpc.dns_min_time_between_resolutions_ms", 5_000),
    ("grpc.enable_http_proxy", 0),
)


@dataclass
class Observations:
    """What the clients observed.

    Attributes:
        customer: the one that they pay for, by name.
        calls: how many they wanted to make, by method.
        failed: first attempts that failed, by method and status: what a client sees without retries.
        given_up: what failed in the end: a definite error, or no answer for all their patience.
        longest_seconds: the longest wait for an answer, retries included.
        payments: the payments that they were answered with, by name.
    """

    customer: str = ""
    calls: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    given_up: list[str] = field(default_factory=list)
    longest_seconds: float = 0.0
    payments: list[str] = field(default_factory=list)


class LoadClients:
    """Clients that read their customer and pay for it, in turns, until `stop`."""

    def __init__(self, customer_target: str, payment_target: str) -> None:
        self.observed = Observations()
        self._is_stopping = False
        self._targets = customer_target, payment_target

    def stop(self) -> None:
        """Begin no call any more. Any thread may say so."""
        self._is_stopping = True

    async def run(self) -> None:
        """Call until `stop`; every call that was begun is repeated to its end."""
        customer_target, payment_target = self._targets
        async with (
            aio.insecure_channel(customer_target, CHANNEL_OPTIONS) as customers,
            aio.insecure_channel(payment_target, CHANNEL_OPTIONS) as payments,
        ):
            await self._run(CustomerServiceStub(customers), PaymentServiceStub(payments))

    async def _run(self, customers: Any, payments: Any) -> None:
        customer = Customer(display_name="Grace", email=f"{uuid.uuid4()}@example.com")
        create = CreateCustomerRequest(customer=customer, request_id=str(uuid.uuid4()))
        created = await self._answer("CreateCustomer", customers.CreateCustomer, create)
        if created is not None:
            self.observed.customer = created.name
            await asyncio.gather(*(self._work(customers, payments) for _ in range(CLIENTS)))

    async def _work(self, customers: Any, payments: Any) -> None:
        get = GetCustomerRequest(name=self.observed.customer)
        payment = Payment(
            customer=self.observed.customer, amount=AMOUNT, payment_method="pm_card_visa"
        )
        while not self._is_stopping:
            await self._answer("GetCustomer", customers.GetCustomer, get)
            create = CreatePaymentRequest(payment=payment, request_id=str(uuid.uuid4()))
            created = await self._answer("CreatePayment", payments.CreatePayment, create)
            if created is not None:
                self.observed.payments.append(created.name)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _answer(
        self, name: str, method: Callable[..., Awaitable[Any]], request: Any
    ) -> Any | None:
        """The answer to the first attempt or to a later one; None where it was given up."""
        self.observed.calls[name] += 1
        began, wait, is_first = time.monotonic(), FIRST_WAIT_SECONDS, True
        while True:
            try:
                answer = await method(request, timeout=TIMEOUT_SECONDS)
            except aio.AioRpcError as error:
                failure = f"{name} {error.code().name}: {error.details()}"
                if is_first:
                    self.observed.failed[failure] += 1
                is_patient = time.monotonic() - began < PATIENCE_SECONDS
                if error.code() not in OUTCOME_UNKNOWN or not is_patient:
                    self.observed.given_up.append(failure)
                    return None
            else:
                took = time.monotonic() - began
                self.observed.longest_seconds = max(self.observed.longest_seconds, took)
                return answer
            await asyncio.sleep(wait)
            wait, is_first = min(2 * wait, MAX_WAIT_SECONDS), False


@contextmanager
def under_load(customer_target: str, payment_target: str) -> Iterator[Observations]:
    """Run the clients in a thread while the block lasts; the observations grow meanwhile."""
    clients = LoadClients(customer_target, payment_target)
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(lambda: asyncio.run(clients.run()))
        try:
            yield clients.observed
        finally:
            clients.stop()
            running.result()


async def run_until_terminated(customer_target: str, payment_target: str) -> Observations:
    """Run the clients until SIGTERM or SIGINT."""
    clients = LoadClients(customer_target, payment_target)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, clients.stop)
    await clients.run()
    return clients.observed


if __name__ == "__main__":
    targets = os.environ["CUSTOMER_TARGET"], os.environ["PAYMENT_TARGET"]
    sys.stdout.write(json.dumps(vars(asyncio.run(run_until_terminated(*targets)))) + "\n")
