"""`oncepay up`, `down` and `demo`: everything on this machine."""

import errno
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from oncepay_cli import receipt
from oncepay_cli.connection import connect
from oncepay_cli.errors import CommandError
from oncepay_cli.local import first_payment, lock, processes
from oncepay_cli.local.health import HOST
from oncepay_cli.local.installation import DEFAULT_PORTS, Installation, Ports
from oncepay_cli.local.paths import Paths
from oncepay_cli.local.postgresql import PostgreSQL
from oncepay_cli.output import Output

Port = Annotated[int, typer.Option(min=1, max=65535, help="on 127.0.0.1")]

# Where the containers' ports are published is told to Compose by the same variables.
CustomerPort = Annotated[int, typer.Option(min=1, max=65535, envvar="ONCEPAY_CUSTOMER_PORT")]
PaymentPort = Annotated[int, typer.Option(min=1, max=65535, envvar="ONCEPAY_PAYMENT_PORT")]
SandboxPort = Annotated[int, typer.Option(min=1, max=65535, envvar="ONCEPAY_SANDBOX_PORT")]

# Services drain, PostgreSQL writes a checkpoint.
DOWN_SECONDS = 60.0
# A folder that may not be written, or a disk that is read-only or full.
_UNUSABLE = (
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT),
    *(errno.ENOTDIR, errno.EEXIST),  # a file where a folder belongs
)
_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def up(
    customer_port: Port = DEFAULT_PORTS.customer,
    payment_port: Port = DEFAULT_PORTS.payment,
    sandbox_port: Port = DEFAULT_PORTS.sandbox,
    postgresql_port: Port = DEFAULT_PORTS.postgresql,
    webhooks_port: Port = DEFAULT_PORTS.webhooks,
) -> None:
    """Start everything, execute a first payment, and stay up until Ctrl-C."""
    output = Output()
    paths = Paths.of()
    ports = Ports(customer_port, payment_port, sandbox_port, postgresql_port, webhooks_port)
    is_up = False
    try:
        with _endings_interrupt():
            paths.make()
            with lock.only_one(paths), _stopping_quietly(output, paths, ports) as installation:
                installation.start()
                with output.step("Executing a first payment") as step:
                    first = _first_payment(ports)
                    step.done = "A first payment, executed"
                is_up = True
                receipt.show(output, first)
                receipt.go_on(output, first, ports)
                installation.watch()
    except KeyboardInterrupt:
        if not is_up:
            output.print_line("Stopped before it was up.")
            raise typer.Exit(128 + signal.SIGINT) from None
        output.print_line("Stopped. `make run` starts from the same data.")
    except OSError as error:
        if error.errno not in _UNUSABLE:
            raise
        raise CommandError(
            f"{error.filename or paths.home} cannot be used ({error.strerror or error}): Oncepay"
            f" keeps its data below {paths.home}. Make it yours, or set ONCEPAY_HOME to another."
        ) from error


def down() -> None:
    """Stop what runs from this folder, and what a killed run has left."""
    output = Output()
    paths = Paths.of()
    holder = lock.holder(paths)
    if holder is not None:
        os.kill(holder, signal.SIGINT)
        until = time.monotonic() + DOWN_SECONDS
        while lock.holder(paths) is not None:
            if time.monotonic() > until:
                raise CommandError(f"Process {holder} did not stop within {DOWN_SECONDS:.0f} s.")
            time.sleep(0.05)
    left = processes.end_leftovers(paths)
    server = PostgreSQL(paths.postgresql, paths.logs / "postgresql.log", 0, password="")
    if server.server() is not None:
        server.stop()
        left.append("postgresql")
    ended = ["oncepay up"] * (holder is not None) + left
    output.print_line(f"Stopped: {', '.join(ended)}." if ended else "Nothing runs from here.")


def demo(
    customer_port: CustomerPort = DEFAULT_PORTS.customer,
    payment_port: PaymentPort = DEFAULT_PORTS.payment,
    sandbox_port: SandboxPort = DEFAULT_PORTS.sandbox,
) -> None:
    """Execute a first payment on what runs already, in containers or not."""
    output = Output()
    ports = Ports(customer_port, payment_port, sandbox_port)
    with output.step("Executing a first payment") as step:
        first = _first_payment(ports)
        step.done = "A first payment, executed"
    receipt.show(output, first)


def _first_payment(ports: Ports) -> first_payment.FirstPayment:
    with (
        connect(f"{HOST}:{ports.customer}") as customers,
        connect(f"{HOST}:{ports.payment}") as payments,
    ):
        return first_payment.execute(customers, payments, f"http://{HOST}:{ports.sandbox}")


@contextmanager
def _endings_interrupt() -> Iterator[None]:
    """Let every signal that ends us do what Ctrl-C does, so that all are ended in order."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in _ENDINGS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _stopping_quietly(output: Output, paths: Paths, ports: Ports) -> Iterator[Installation]:
    """An installation whose ending no second Ctrl-C cuts short: it is bounded by itself."""
    installation = Installation(paths, ports, output)
    try:
        yield installation
    finally:
        for number in _ENDINGS:
            signal.signal(number, signal.SIG_IGN)
        sys.stdout.flush()
        with output.console.status("[dim]Stopping[/]"):
            installation.stop()
