"""Callers that keep the contract: what ends in the unknown is sent again, with the same request_id.

It needs gRPC and the contracts alone, and so runs in a pod of the service's own image as well:
`python caller.py` calls what CUSTOMER_TARGET and PAYMENT_TARGET name until it is told to stop, and
then writes what it saw, as one line of JSON.
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

CALLERS = 6
PAUSE_SECONDS = 0.01
AMOUNT = Money(currency_code="EUR", minor_units=1_250)
# A service's own answer comes within 10 s; a little is left for the way.
TIMEOUT_SECONDS = 15.0
PATIENCE_SECONDS = 60.0
WAIT_SECONDS = (0.05, 1.0)
# What the contract calls unknown.
UNKNOWN = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.INTERNAL,
)
OPTIONS = (
    ("grpc.service_config", json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})),
    ("grpc.dns_min_time_between_resolutions_ms", 5_000),
    ("grpc.enable_http_proxy", 0),
)


@dataclass
class Snapshot:
    """What the callers saw.

    Attributes:
        calls: how many they wanted to make, by method.
        failed: first attempts that failed, by method and status: what a caller sees without retries.
        given_up: what failed in the end: a refusal, or no answer for all their patience.
        longest_seconds: how long one waited for its answer at most, retries included.
        payments: the payments that they were answered with, by name.
    """

    customer: str = ""
    calls: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    given_up: list[str] = field(default_factory=list)
    longest_seconds: float = 0.0
    payments: list[str] = field(default_factory=list)


class Callers:
    """They look their customer up and pay for it, in turns."""

    def __init__(self, customers: aio.Channel, payments: aio.Channel) -> None:
        self._customers: Any = CustomerServiceStub(customers)
        self._payments: Any = PaymentServiceStub(payments)
        self.seen = Snapshot()
        self.ending = asyncio.Event()

    async def run(self) -> Snapshot:
        """Call until `ending`; every call that was begun is seen to its end."""
        customer = Customer(display_name="Grace", email=f"{uuid.uuid4()}@example.com")
        create = CreateCustomerRequest(customer=customer, request_id=str(uuid.uuid4()))
        made = await self._answered("CreateCustomer", self._customers.CreateCustomer, create)
        if made is not None:
            self.seen.customer = made.name
            await asyncio.gather(*(self._call() for _ in range(CALLERS)))
        return self.seen

    async def _call(self) -> None:
        get = GetCustomerRequest(name=self.seen.customer)
        while not self.ending.is_set():
            await self._answered("GetCustomer", self._customers.GetCustomer, get)
            payment = Payment(
                customer=self.seen.customer, amount=AMOUNT, payment_method="pm_card_visa"
            )
            create = CreatePaymentRequest(payment=payment, request_id=str(uuid.uuid4()))
            made = await self._answered("CreatePayment", self._payments.CreatePayment, create)
            if made is not None:
                self.seen.payments.append(made.name)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _answered(
        self, name: str, method: Callable[..., Awaitable[Any]], request: Any
    ) -> Any | None:
        """The answer, to the first attempt or to a later one; None where it was given up."""
        self.seen.calls[name] += 1
        began = time.monotonic()
        for attempt, wait in enumerate(_waits()):
            try:
                answer = await method(request, timeout=TIMEOUT_SECONDS)
            except aio.AioRpcError as error:
                if attempt == 0:
                    self.seen.failed[f"{name} {error.code().name}: {error.details()}"] += 1
                patient = time.monotonic() - began < PATIENCE_SECONDS
                if error.code() not in UNKNOWN or not patient:
                    self.seen.given_up.append(f"{name} {error.code().name}: {error.details()}")
                    return None
                await asyncio.sleep(wait)
            else:
                took = time.monotonic() - began
                self.seen.longest_seconds = max(self.seen.longest_seconds, took)
                return answer
        return None


def _waits() -> Iterator[float]:
    wait, most = WAIT_SECONDS
    while True:
        yield wait
        wait = min(2 * wait, most)


async def call_until_told_to_stop(customer_target: str, payment_target: str) -> Snapshot:
    async with (
        aio.insecure_channel(customer_target, OPTIONS) as customers,
        aio.insecure_channel(payment_target, OPTIONS) as payments,
    ):
        callers = Callers(customers, payments)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, callers.ending.set)
        return await callers.run()


if __name__ == "__main__":
    targets = os.environ["CUSTOMER_TARGET"], os.environ["PAYMENT_TARGET"]
    sys.stdout.write(json.dumps(vars(asyncio.run(call_until_told_to_stop(*targets)))) + "\n")
