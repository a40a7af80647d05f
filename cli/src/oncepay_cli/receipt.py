"""The receipt of a first payment, and how to go on from there."""

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
class Moment:
    """Something that happened on the payment's way.

    Attributes:
        after_ms: since the call left; None for what was not measured by itself.
    """

    text: str
    after_ms: float | None = None


def moments(first: FirstPayment) -> list[Moment]:
    """The way of a payment: measured where something was committed, told in between."""
    told = [Moment("the call leaves", 0.0)]
    told.append(Moment("Payment asks Customer: is there one, and may they pay?"))
    told.append(Moment("an intent is made, unconfirmed: no money can move"))
    for number, event in enumerate(first.events, start=1):
        if number == 2:
            told.append(Moment("the intent is confirmed: now money moves, once"))
        happened = event.event_time.ToDatetime(first.sent.tzinfo)
        after_ms = (happened - first.sent).total_seconds() * 1000
        told.append(Moment(f"commit {number}: {event.type}", max(after_ms, 0.0)))
    told.append(Moment("the answer is here", (first.answered - first.sent).total_seconds() * 1000))
    return told


def verdict(first: FirstPayment) -> str:
    """What the second sending came to."""
    times = {0: "never", 1: "once", 2: "twice"}.get(
        len(first.charges), f"{len(first.charges)} times"
    )
    return (
        "Then it was sent again, with the same request_id: the answer is the same payment,"
        f" and the card was charged {times}."
    )


def show(output: Output, first: FirstPayment) -> None:
    if output.is_plain:
        for line in _lines(first):
            output.print_plain(line)
    else:
        output.print(Padding(_paper(first), (1, 0)))


def go_on(output: Output, first: FirstPayment, ports: Ports) -> None:
    """Say what can be done now, in lines to copy."""
    output.print_line("[dim]Go on in another terminal:[/]")
    for line in (*_preparations(ports), *_commands(first, ports)):
        output.print_plain(f"  {line}")
    output.print_line(
        "[dim]Other cards: pm_card_chargeDeclined, pm_card_threeDSecure2Required, …[/]"
    )
    output.print_line("")
    output.print_line("Everything is up. [bold]Ctrl-C[/] stops it; the data stays.")


def _preparations(ports: Ports) -> list[str]:
    """What a shell must be told first: where the commands are, and where the services."""
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
        *([] if has_buf else ["# buf is not here yet: `make check` brings it"]),
    ]


def _paper(first: FirstPayment) -> RenderableType:
    head = Table.grid(expand=True)
    head.add_column()
    head.add_column(justify="right")
    state = Payment.State.Name(first.payment.state)
    head.add_row(
        f"[bold]{first.customer.display_name}[/]", f"[bold]{money.written(first.payment.amount)}[/]"
    )
    colour = "green" if first.payment.state == Payment.SUCCEEDED else "yellow"
    head.add_row(f"[dim]{_contact(first)}[/]", f"[bold {colour}]{state}[/]")

    way = Table.grid(expand=True, padding=(0, 1))
    way.add_column(width=1)
    way.add_column(ratio=1)
    way.add_column(justify="right")
    for moment in moments(first):
        if moment.after_ms is None:
            way.add_row("[dim]│[/]", f"[dim]{moment.text}[/]", "")
        else:
            way.add_row("[green]●[/]", moment.text, f"{moment.after_ms:.0f} ms")

    names = Table.grid(padding=(0, 2))
    names.add_column(style="dim")
    for title, name in _names(first):
        names.add_row(title, name)

    body = Table.grid(expand=True)
    for part in (head, "", way, "", verdict(first), "", names):
        body.add_row(part)
    return Panel(body, title="First payment", width=WIDTH, padding=(1, 2), border_style="dim")


def _lines(first: FirstPayment) -> list[str]:
    state = Payment.State.Name(first.payment.state)
    who = f"{first.customer.display_name} ({_contact(first)})"
    lines = [f"First payment: {who} pays {money.written(first.payment.amount)}: {state}"]
    for moment in moments(first):
        after = "" if moment.after_ms is None else f"{moment.after_ms:.0f} ms"
        lines.append(f"{after:>8}  {moment.text}")
    lines.append(verdict(first))
    lines += [f"{title}: {name}" for title, name in _names(first)]
    return lines


def _names(first: FirstPayment) -> list[tuple[str, str]]:
    return [
        ("customer", first.customer.name),
        ("payment", first.payment.name),
        ("processor", first.payment.processor_id),
        ("request_id", first.request_id),
    ]


def _contact(first: FirstPayment) -> str:
    new = "registered now" if first.customer_is_new else "known from before"
    return f"{first.customer.email}, {new}"
