"""The receipt of a first payment, and the commands to try next."""

import shlex
import shutil
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from oncepay.payment.v1.payment_pb2 import Payment
from rich.console import RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table

from oncepay_cli import money
from oncepay_cli.local.first_payment import FirstPayment
from oncepay_cli.local.health import HOST
from oncepay_cli.local.installation import DEFAULT_PORTS, Ports
from oncepay_cli.output import Output

WIDTH = 70


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a payment.

    Attributes:
        after_ms: milliseconds since the request was sent; None where the step was not measured.
    """

    text: str
    after_ms: float | None = None


def timeline(first: FirstPayment) -> list[Step]:
    """The steps of a payment in order; the commits are measured."""
    steps = [
        Step("request sent", 0.0),
        Step("Payment asks Customer whether the customer may pay"),
        Step("an unconfirmed intent is created: no money can move yet"),
    ]
    for number, event in enumerate(first.events, start=1):
        if number == 2:
            steps.append(Step("the intent is confirmed: the card is charged"))
        committed = event.event_time.ToDatetime(first.sent.tzinfo)
        after_ms = (committed - first.sent).total_seconds() * 1000
        steps.append(Step(f"commit {number}: {event.type}", max(after_ms, 0.0)))
    duration_ms = (first.answered - first.sent).total_seconds() * 1000
    return [*steps, Step("reply received", duration_ms)]


def charge_count(first: FirstPayment) -> str:
    """The sentence on the second request: how often the card was charged."""
    times = {0: "never", 1: "once", 2: "twice"}.get(
        len(first.charges), f"{len(first.charges)} times"
    )
    return (
        "The request was sent again, with the same request_id: the reply was the same payment,"
        f" and the card was charged {times}."
    )


def show(output: Output, first: FirstPayment) -> None:
    """Print the receipt."""
    output.print(Padding(_panel(first), (1, 0)))


def show_next_steps(output: Output, first: FirstPayment, ports: Ports) -> None:
    """Print commands to copy into another terminal."""
    output.print_line("[dim]Continue in another terminal:[/]")
    for line in (*_shell_setup(ports), *_commands(first, ports)):
        output.print_plain(f"  {line}")
    output.print_line(
        "[dim]Other cards: pm_card_chargeDeclined, pm_card_threeDSecure2Required, …[/]"
    )
    output.print_line("")
    output.print_line("Everything is up. [bold]Ctrl-C[/] stops it; the data is kept.")


def _shell_setup(ports: Ports) -> list[str]:
    """The variables that another shell needs: the commands' folder and the services' addresses."""
    scripts = sysconfig.get_path("scripts")
    lines = [] if shutil.which("oncepay") else [f'export PATH={shlex.quote(scripts)}:"$PATH"']
    if ports.customer != DEFAULT_PORTS.customer:
        lines.append(f"export ONCEPAY_CUSTOMER_ADDRESS={HOST}:{ports.customer}")
    if ports.payment != DEFAULT_PORTS.payment:
        lines.append(f"export ONCEPAY_PAYMENT_ADDRESS={HOST}:{ports.payment}")
    return lines


def _commands(first: FirstPayment, ports: Ports) -> list[str]:
    method = "oncepay.payment.v1.PaymentService/GetPayment"
    has_buf = shutil.which("buf") or (Path(sysconfig.get_path("scripts")) / "buf").exists()
    return [
        "oncepay customers register --display-name 'Grace Hopper' --email grace@example.com",
        "oncepay payments create --amount 12.50 --currency EUR \\",
        "    --payment-method pm_card_visa \\",
        f"    --customer {first.customer.name}",
        "oncepay payments watch",
        "buf curl --protocol grpc --http2-prior-knowledge \\",
        f"""    -d '{{"name": "{first.payment.name}"}}' \\""",
        f"    http://{HOST}:{ports.payment}/{method}",
        *([] if has_buf else ["# `make check` installs buf"]),
    ]


def _panel(first: FirstPayment) -> RenderableType:
    head = Table.grid(expand=True)
    head.add_column()
    head.add_column(justify="right")
    state = Payment.State.Name(first.payment.state)
    head.add_row(
        f"[bold]{first.customer.display_name}[/]",
        f"[bold]{money.formatted(first.payment.amount)}[/]",
    )
    colour = "green" if first.payment.state == Payment.SUCCEEDED else "yellow"
    kind = "new customer" if first.customer_is_new else "existing customer"
    head.add_row(f"[dim]{first.customer.email}, {kind}[/]", f"[bold {colour}]{state}[/]")

    steps = Table.grid(expand=True, padding=(0, 1))
    steps.add_column(width=1)
    steps.add_column(ratio=1)
    steps.add_column(justify="right")
    for step in timeline(first):
        if step.after_ms is None:
            steps.add_row("[dim]│[/]", f"[dim]{step.text}[/]", "")
        else:
            steps.add_row("[green]●[/]", step.text, f"{step.after_ms:.0f} ms")

    names = Table.grid(padding=(0, 2))
    names.add_column(style="dim")
    names.add_row("customer", first.customer.name)
    names.add_row("payment", first.payment.name)
    names.add_row("processor", first.payment.processor_id)
    names.add_row("request_id", first.request_id)

    body = Table.grid(expand=True)
    for section in (head, "", steps, "", charge_count(first), "", names):
        body.add_row(section)
    return Panel(body, title="First payment", width=WIDTH, padding=(1, 2), border_style="dim")
