"""Calls for a while, so many in flight, and what they cost each process of a system."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from uuid import uuid4

import psutil  # type: ignore[import-untyped]  # ships no types
from grpc import aio
from oncepay.customer.v1.customer_pb2 import Customer
from oncepay.customer.v1.customer_service_pb2 import CreateCustomerRequest, GetCustomerRequest
from oncepay.customer.v1.customer_service_pb2_grpc import CustomerServiceStub
from oncepay.payment.v1.payment_pb2 import Money, Payment
from oncepay.payment.v1.payment_service_pb2 import CreatePaymentRequest
from oncepay.payment.v1.payment_service_pb2_grpc import PaymentServiceStub

from oncepay_cli.local.health import HOST
from verification.bench.echo import METHOD
from verification.bench.systems import System
from verification.local_stack import process_id

CLIENTS = 32
"""Calls in flight: enough to keep two cores busy, few enough that none queues for seconds."""
SECONDS = 5.0
WARM_UP_SECONDS = 1.0
ROUNDS = 3
"""Each figure is the median of so many rounds; in each, all kinds of calls of all systems in turn."""
TIMEOUT_SECONDS = 60.0
ECHO = ("", "Echo")
COMPONENTS = ("customer", "payment", "sandbox", "postgresql")

Call: TypeAlias = Callable[[], Awaitable[object]]
"""Makes one call."""
Costs: TypeAlias = "dict[tuple[str, str], list[Cost]]"
"""Of every round, by system and kind of call; `ECHO` belongs to no system."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one kind of call cost: calls per second, and CPU microseconds a call by component."""

    rate: float
    cpu: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Component:
    """A process and its children, whose CPU is counted together."""

    name: str
    pid: int

    def cpu_seconds(self) -> float:
        root = psutil.Process(self.pid)
        total = 0.0
        for process in [root, *root.children(recursive=True)]:
            try:
                times = process.cpu_times()
            except psutil.Error:  # a backend that ended meanwhile
                continue
            total += times.user + times.system
        return total

    def resident_megabytes(self) -> float:
        return float(psutil.Process(self.pid).memory_info().rss) / 1e6


def components_of(system: System) -> list[Component]:
    """The processes of a system, found by their ports."""
    return [Component(name, process_id(getattr(system.ports, name))) for name in COMPONENTS]


async def measure(call: Call, components: Sequence[Component], seconds: float) -> Cost:
    """Make calls for so long, at least one for each client."""
    calls = 0
    until = time.monotonic() + seconds

    async def client() -> None:
        nonlocal calls
        while True:
            await call()
            calls += 1
            if time.monotonic() >= until:
                return

    before = {component.name: component.cpu_seconds() for component in components}
    began = time.monotonic()
    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    elapsed = time.monotonic() - began
    cpu = {c.name: (c.cpu_seconds() - before[c.name]) / calls * 1e6 for c in components}
    return Cost(calls / elapsed, cpu)


async def measure_rounds(
    systems: Sequence[System],
    echo: System,
    rounds: int = ROUNDS,
    seconds: float = SECONDS,
    warm_up: float = WARM_UP_SECONDS,
) -> Costs:
    """Every kind of call of every system in turn; every other round begins with the last system."""
    costs: Costs = {}
    async with aio.insecure_channel(f"{HOST}:{echo.ports.customer}") as echoes:
        bounce: aio.UnaryUnaryMultiCallable[bytes, bytes] = echoes.unary_unary(METHOD)
        components = [Component("echo", process_id(echo.ports.customer))]

        async def call_echo() -> None:
            await bounce(b"echo", timeout=TIMEOUT_SECONDS)

        for number in range(rounds):
            await measure(call_echo, components, warm_up)
            costs.setdefault(ECHO, []).append(await measure(call_echo, components, seconds))
            for system in systems if number % 2 == 0 else reversed(systems):
                for kind, cost in (await measure_system(system, seconds, warm_up)).items():
                    costs.setdefault((system.name, kind), []).append(cost)
    return costs


async def measure_system(system: System, seconds: float, warm_up: float) -> dict[str, Cost]:
    """One round of one system, by kind of call."""
    components = components_of(system)
    async with (
        aio.insecure_channel(f"{HOST}:{system.ports.customer}") as customers,
        aio.insecure_channel(f"{HOST}:{system.ports.payment}") as payments,
    ):
        registration = Customer(display_name="Bench", email=f"{uuid4()}@example.com")
        customer = await CustomerServiceStub(customers).CreateCustomer(
            CreateCustomerRequest(customer=registration), timeout=TIMEOUT_SECONDS
        )
        costs = {}
        for kind, call in calls(customers, payments, customer.name).items():
            await measure(call, components, warm_up)
            costs[kind] = await measure(call, components, seconds)
        return costs


def calls(customers: aio.Channel, payments: aio.Channel, customer: str) -> dict[str, Call]:
    """The kinds of calls that are measured."""
    get = CustomerServiceStub(customers).GetCustomer
    create = PaymentServiceStub(payments).CreatePayment
    get_request = GetCustomerRequest(name=customer)
    payment = Payment(
        customer=customer,
        amount=Money(minor_units=1000, currency_code="EUR"),
        payment_method="pm_card_visa",
    )

    async def pay() -> None:
        request = CreatePaymentRequest(request_id=str(uuid4()), payment=payment)
        made = await create(request, timeout=TIMEOUT_SECONDS)
        if made.state != Payment.SUCCEEDED:
            raise RuntimeError("a payment of the bench did not succeed")

    return {"GetCustomer": lambda: get(get_request, timeout=TIMEOUT_SECONDS), "CreatePayment": pay}
