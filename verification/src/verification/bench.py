"""What a call costs: as ratios within one run, and as CPU microseconds by component.

Machines are shared and noisy, so no figure stands alone: the service's CPU is put beside the CPU
of a bare echo on the same stack (`verification.echo`), and payments per second beside `pgbench` doing a
payment's very work (select, insert, update, in two commits) on the same PostgreSQL. Everything
runs here: PostgreSQL, the sandbox, both services, the load.
"""

import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

import psutil  # type: ignore[import-untyped]  # ships no types
import uvloop
from grpc import aio
from oncepay.customer.v1.customer_pb2 import Customer
from oncepay.customer.v1.customer_service_pb2 import CreateCustomerRequest, GetCustomerRequest
from oncepay.customer.v1.customer_service_pb2_grpc import CustomerServiceStub
from oncepay.payment.v1.payment_pb2 import Money, Payment
from oncepay.payment.v1.payment_service_pb2 import CreatePaymentRequest
from oncepay.payment.v1.payment_service_pb2_grpc import PaymentServiceStub
from rich.table import Table

from oncepay_cli.local import passwords
from oncepay_cli.local.installation import Installation
from oncepay_cli.local.postgresql import PostgreSQL, binary
from oncepay_cli.output import Output
from verification.echo import METHOD
from verification.house import pid_of, temporary_house

IN_FLIGHT = 32
"""Calls at once: enough to keep two cores busy, few enough that nobody queues for seconds."""
SECONDS = 5.0
WARM_UP_SECONDS = 1.0
ROUNDS = 3
"""Each figure is the median of so many rounds, all kinds in turn in each."""

PGBENCH = """
SELECT id FROM thin_payments WHERE request_id = gen_random_uuid();
INSERT INTO thin_payments (id, request_id, state, amount)
VALUES (gen_random_uuid(), gen_random_uuid(), 'CONFIRMING', 1000) RETURNING id \\gset
UPDATE thin_payments SET state = 'SUCCEEDED' WHERE id = :id;
"""
THIN = """
DROP TABLE IF EXISTS thin_payments;
CREATE TABLE thin_payments (id uuid PRIMARY KEY, request_id uuid NOT NULL UNIQUE,
                            state text NOT NULL, amount bigint NOT NULL);
"""

Call = Callable[[], Awaitable[object]]
"""One call, made anew each time it is called."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one kind of call cost: calls per second, and CPU microseconds a call by component."""

    rate: float
    cpu: dict[str, float]


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


async def measure(call: Call, components: list[Component], seconds: float) -> Cost:
    """Make calls, so many in flight, for so long."""
    calls = 0
    until = time.monotonic() + seconds

    async def worker() -> None:
        nonlocal calls
        while time.monotonic() < until:
            await call()
            calls += 1

    before = {component.name: component.cpu_seconds() for component in components}
    begin = time.monotonic()
    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
    elapsed = time.monotonic() - begin
    spent = {c.name: (c.cpu_seconds() - before[c.name]) / calls * 1e6 for c in components}
    return Cost(calls / elapsed, spent)


def pgbench(house: Installation, password: str) -> float:
    """Transactions per second of a payment's very work, in PostgreSQL alone."""
    address = ["-h", "127.0.0.1", "-p", str(house.ports.postgresql), "-U", "postgres"]
    run = subprocess.run(
        [
            *(str(binary("pgbench")), *address, "-n", "-M", "prepared", "-f", "/dev/stdin"),
            *("-c", str(IN_FLIGHT), "-j", "2", "-T", str(int(SECONDS)), "postgres"),
        ],
        input=PGBENCH,
        env={"PGPASSWORD": password},
        capture_output=True,
        text=True,
        check=True,
    )
    line = next(line for line in run.stdout.splitlines() if line.startswith("tps"))
    return float(line.split()[2])


def make_thin_table(house: Installation, password: str) -> None:
    server = PostgreSQL(
        data=house.paths.postgresql,
        log=house.paths.logs / "postgresql.log",
        port=house.ports.postgresql,
        password=password,
    )
    server.run(THIN)


@contextmanager
def echoing() -> Iterator[tuple[Component, str]]:
    """The reference, as a process of its own; the component and its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "verification.echo"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None, "it is a pipe"  # noqa: S101
        port = process.stdout.readline().strip()
        yield Component("echo", process.pid), f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def calls(
    echo: aio.Channel, customers: aio.Channel, payments: aio.Channel, customer: Customer
) -> dict[str, Call]:
    """The kinds of calls that are measured."""
    bounce: aio.UnaryUnaryMultiCallable[bytes, bytes] = echo.unary_unary(METHOD)
    get = CustomerServiceStub(customers).GetCustomer
    create = PaymentServiceStub(payments).CreatePayment
    get_request = GetCustomerRequest(name=customer.name)

    async def pay() -> None:
        request = CreatePaymentRequest(
            request_id=str(uuid4()),
            payment=Payment(
                customer=customer.name,
                amount=Money(minor_units=1000, currency_code="EUR"),
                payment_method="pm_card_visa",
            ),
        )
        payment = await create(request, timeout=30)
        if payment.state != Payment.SUCCEEDED:
            raise RuntimeError("a payment of the bench did not succeed")

    return {
        "Echo": lambda: bounce(get_request.SerializeToString(), timeout=30),
        "GetCustomer": lambda: get(get_request, timeout=30),
        "CreatePayment": pay,
    }


async def rounds(house: Installation, echo: Component, address: str) -> dict[str, list[Cost]]:
    """Every kind of call in turn, `ROUNDS` times."""
    parts = ("customer", "payment", "sandbox", "postgresql")
    components = [echo, *(Component(name, pid_of(house, name)) for name in parts)]
    costs: dict[str, list[Cost]] = {}
    async with (
        aio.insecure_channel(address) as echoes,
        aio.insecure_channel(f"127.0.0.1:{house.ports.customer}") as customers,
        aio.insecure_channel(f"127.0.0.1:{house.ports.payment}") as payments,
    ):
        registration = Customer(display_name="Bench", email=f"{uuid4()}@example.com")
        customer = await CustomerServiceStub(customers).CreateCustomer(
            CreateCustomerRequest(customer=registration)
        )
        for _ in range(ROUNDS):
            for kind, call in calls(echoes, customers, payments, customer).items():
                await measure(call, components, WARM_UP_SECONDS)
                costs.setdefault(kind, []).append(await measure(call, components, SECONDS))
    return costs


def median(costs: list[Cost]) -> Cost:
    names = costs[0].cpu
    return Cost(
        statistics.median(cost.rate for cost in costs),
        {name: statistics.median(cost.cpu[name] for cost in costs) for name in names},
    )


def report(output: Output, costs: dict[str, list[Cost]], thin: float) -> None:
    """The table of costs, and the ratios that the budgets are about."""
    middle = {kind: median(all_of_it) for kind, all_of_it in costs.items()}
    components = list(middle["Echo"].cpu)
    table = Table("call", "calls/s", *(f"{name}, µs" for name in components))
    for kind, cost in middle.items():
        cells = (f"{cost.cpu[name]:.0f}" for name in components)
        table.add_row(kind, f"{cost.rate:.0f}", *cells)
    output.console.print(table)
    echo = [cost.cpu["echo"] for cost in costs["Echo"]]
    get = [cost.cpu["customer"] for cost in costs["GetCustomer"]]
    create = [cost.cpu["payment"] for cost in costs["CreatePayment"]]
    payment = middle["CreatePayment"]
    per_core_second = 1e6 / sum(payment.cpu[name] for name in components)
    output.print_line(f"GetCustomer, the service's CPU to an echo's: {ratio(get, echo):.2f}")
    output.print_line(f"CreatePayment, the service's CPU to an echo's: {ratio(create, echo):.2f}")
    output.print_line(
        f"CreatePayment, payments/s to pgbench's {thin:.0f}/s: {payment.rate / thin:.3f}"
    )
    output.print_line(
        f"CreatePayment, payments per core-second of all processes: {per_core_second:.0f}"
    )


def ratio(ours: list[float], reference: list[float]) -> float:
    """The median of the ratios round by round: what drifts, drifts in both."""
    return statistics.median(a / b for a, b in zip(ours, reference, strict=True))


def run() -> None:
    """Measure, and print."""
    output = Output()
    with temporary_house() as house, echoing() as (echo, address):
        for name in ("customer", "payment"):
            resident = Component(name, pid_of(house, name)).resident_megabytes()
            output.print_line(f"{name}, resident memory when idle: {resident:.0f} MB")
        password = passwords.read(house.paths.secrets, passwords.SUPERUSER)
        make_thin_table(house, password)
        costs = uvloop.run(rounds(house, echo, address))
        report(output, costs, pgbench(house, password))
