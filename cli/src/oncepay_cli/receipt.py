"""The receipt of a first payment, and how to go on from there."""

import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from oncepay.payment.v1.payment_pb2 import Payment
from rich.console import RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table

from oncepay_cli import money
from oncepay_cli.local.first_payment import FirstPayment
from oncepay_cli.local.installation import DEFAULT_PORTS, Ports
from oncepay_cli.screen import Screen

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
    told.append(Moment("the processor makes an intent, unconfirmed: no money can move"))
    for number, event in enumerate(first.events, start=1):
        if number == 2:
            told.append(Moment("the processor confirms it: now money moves, once"))
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


def show(screen: Screen, first: FirstPayment) -> None:
    if screen.is_plain:
        for line in _lines(first):
            screen.say(line)
    else:
        screen.show(Padding(_paper(first), (1, 0)))


def go_on(screen: Screen, first: FirstPayment, ports: Ports) -> None:
    """Say what can be done now."""
    oncepay = _program("oncepay")
    paid = f"--customer {first.customer.name} --amount 12.50 --currency EUR"
    get = f"127.0.0.1:{ports.payment}/oncepay.payment.v1.PaymentService/GetPayment"
    asked = shlex.quote(f'{{"name": "{first.payment.name}"}}')
    commands = (
        f"{oncepay} customers register --display-name 'Grace Hopper' --email grace@example.com",
        f"{oncepay} payments create {paid} --payment-method pm_card_visa",
        f"{oncepay} payments watch",
        f"{_program('buf')} curl --protocol grpc --http2-prior-knowledge -d {asked} http://{get}",
    )
    if ports.customer != DEFAULT_PORTS.customer or ports.payment != DEFAULT_PORTS.payment:
        screen.say("[dim]First, in another terminal, say where the services are:[/]")
        screen.say(f"  export ONCEPAY_CUSTOMER_ADDRESS=127.0.0.1:{ports.customer}")
        screen.say(f"  export ONCEPAY_PAYMENT_ADDRESS=127.0.0.1:{ports.payment}")
    screen.say("[dim]Go on in another terminal:[/]")
    for command in commands:
        screen.say(f"  {command}")
    screen.say("[dim]Cards that do something else: pm_card_chargeDeclined, …[/]")
    screen.say("")
    screen.say("Everything is up. [bold]Ctrl-C[/] stops it; the data stays.")


def _paper(first: FirstPayment) -> RenderableType:
    head = Table.grid(expand=True)
    head.add_column()
    head.add_column(justify="right")
    state = Payment.State.Name(first.payment.state)
    head.add_row(
        f"[bold]{first.customer.display_name}[/]", f"[bold]{money.written(first.payment.amount)}[/]"
    )
    colour = "green" if first.payment.state == Payment.SUCCEEDED else "yellow"
    head.add_row(f"[dim]{first.customer.email}[/]", f"[bold {colour}]{state}[/]")

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
    who = f"{first.customer.display_name} ({first.customer.email})"
    lines = [f"First payment: {who} pays {money.written(first.payment.amount)}: {state}"]
    for moment in moments(first):
        after = "" if moment.after_ms is None else f"{moment.after_ms:.0f} ms"
        lines.append(f"{after:>8}  {moment.text}")
    lines.append(verdict(first))
    lines += [f"{title}: {name}" for title, name in _names(first)]
    return lines


def _names(first: FirstPayment) -> list[tuple[str, str]]:
    new = "registered now" if first.customer_is_new else "known from before"
    return [
        ("customer", f"{first.customer.name} ({new})"),
        ("payment", first.payment.name),
        ("processor", first.payment.processor_id),
        ("request_id", first.request_id),
    ]


def _program(name: str) -> str:
    """How to call a program of ours from where the person stands."""
    if shutil.which(name):
        return name
    beside = Path(sys.executable).parent / name
    here = Path.cwd()
    return shlex.quote(str(beside.relative_to(here) if beside.is_relative_to(here) else beside))
