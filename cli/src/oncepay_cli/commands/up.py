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

# The same variables set the published ports of docker-compose.yml.
CustomerPort = Annotated[int, typer.Option(min=1, max=65535, envvar="ONCEPAY_CUSTOMER_PORT")]
PaymentPort = Annotated[int, typer.Option(min=1, max=65535, envvar="ONCEPAY_PAYMENT_PORT")]
SandboxPort = Annotated[int, typer.Option(min=1, max=65535, envvar="ONCEPAY_SANDBOX_PORT")]

# The services drain, then PostgreSQL writes a checkpoint.
DOWN_SECONDS = 60.0
# A folder that is not writable, or a file system that is read-only or full.
_UNUSABLE = (
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT),
    *(errno.ENOTDIR, errno.EEXIST),  # a file in place of a folder
)
_TERMINATION_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def up(
    customer_port: Port = DEFAULT_PORTS.customer,
    payment_port: Port = DEFAULT_PORTS.payment,
    sandbox_port: Port = DEFAULT_PORTS.sandbox,
    postgresql_port: Port = DEFAULT_PORTS.postgresql,
    webhooks_port: Port = DEFAULT_PORTS.webhooks,
) -> None:
    """Start everything, execute a first payment, and run until Ctrl-C."""
    output = Output()
    paths = Paths.of()
    ports = Ports(customer_port, payment_port, sandbox_port, postgresql_port, webhooks_port)
    is_up = False
    try:
        with _signals_interrupt():
            paths.make()
            with lock.hold(paths), _running(output, paths, ports) as installation:
                installation.start()
                first = _execute_first_payment(output, ports)
                is_up = True
                receipt.show(output, first)
                receipt.show_next_steps(output, first, ports)
                installation.watch()
    except KeyboardInterrupt:
        if not is_up:
            output.print_line("Stopped before it was up.")
            raise typer.Exit(128 + signal.SIGINT) from None
        output.print_line("Stopped. `make run` starts again with the same data.")
    except OSError as error:
        if error.errno not in _UNUSABLE:
            raise
        raise CommandError(
            f"{error.filename or paths.home} cannot be used ({error.strerror or error})."
            f" Oncepay keeps its data in {paths.home}: make that folder writable, or set"
            " ONCEPAY_HOME to another."
        ) from error


def down() -> None:
    """Stop what runs from this folder, including leftovers of a killed run."""
    output = Output()
    paths = Paths.of()
    holder = lock.holder(paths)
    if holder is not None:
        os.kill(holder, signal.SIGINT)
        deadline = time.monotonic() + DOWN_SECONDS
        while lock.holder(paths) is not None:
            if time.monotonic() > deadline:
                raise CommandError(f"Process {holder} did not stop within {DOWN_SECONDS:.0f} s.")
            time.sleep(0.05)
    stopped = processes.stop_leftovers(paths)
    server = PostgreSQL(paths.postgresql, paths.logs / "postgresql.log", 0, password="")
    if server.server() is not None:
        server.stop()
        stopped.append("postgresql")
    stopped = ["oncepay up"] * (holder is not None) + stopped
    output.print_line(f"Stopped: {', '.join(stopped)}." if stopped else "Nothing was running.")


def demo(
    customer_port: CustomerPort = DEFAULT_PORTS.customer,
    payment_port: PaymentPort = DEFAULT_PORTS.payment,
    sandbox_port: SandboxPort = DEFAULT_PORTS.sandbox,
) -> None:
    """Execute a first payment on services that already run, for example in containers."""
    output = Output()
    ports = Ports(customer_port, payment_port, sandbox_port)
    receipt.show(output, _execute_first_payment(output, ports))


def _execute_first_payment(output: Output, ports: Ports) -> first_payment.FirstPayment:
    with (
        output.step("Executing a first payment") as step,
        connect(f"{HOST}:{ports.customer}") as customers,
        connect(f"{HOST}:{ports.payment}") as payments,
    ):
        first = first_payment.execute(customers, payments, f"http://{HOST}:{ports.sandbox}")
        step.done = "First payment executed"
    return first


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Handle every termination signal like Ctrl-C, so that everything is stopped in order."""
    previous = {
        number: signal.signal(number, signal.default_int_handler) for number in _TERMINATION_SIGNALS
    }
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def _running(output: Output, paths: Paths, ports: Ports) -> Iterator[Installation]:
    """An installation that is stopped at the end. A second Ctrl-C does not interrupt the stop."""
    installation = Installation(paths, ports, output)
    try:
        yield installation
    finally:
        for number in _TERMINATION_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        sys.stdout.flush()
        with output.console.status("[dim]Stopping[/]"):
            installation.stop()
