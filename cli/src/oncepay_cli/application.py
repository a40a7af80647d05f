"""The whole command: its nouns and verbs."""

import typer

from oncepay_cli.commands import customers, payments
from oncepay_cli.commands.reconcile import rebind, reconcile
from oncepay_cli.commands.up import demo, down, up

# What a command does not know itself is the service's to understand.
PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True}

app = typer.Typer(
    name="oncepay",
    help="Start Oncepay on this machine; register customers; make payments, once.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
app.command()(up)
app.command()(down)
app.command()(demo)
app.command(context_settings=PASSED_ON)(reconcile)
app.command(context_settings=PASSED_ON)(rebind)
app.add_typer(customers.app, name="customers")
app.add_typer(payments.app, name="payments")
