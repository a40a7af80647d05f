"""The command-line application: every command and its group."""

import typer

from oncepay_cli.commands import customers, payments
from oncepay_cli.commands.reconcile import rebind, reconcile
from oncepay_cli.commands.up import demo, down, up

# Options of these commands are passed on to the service's own command.
FORWARD_OPTIONS = {"allow_extra_args": True, "ignore_unknown_options": True}

app = typer.Typer(
    name="oncepay",
    help="Start Oncepay on this machine, register customers, execute payments.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
app.command()(up)
app.command()(down)
app.command()(demo)
app.command(context_settings=FORWARD_OPTIONS)(reconcile)
app.command(context_settings=FORWARD_OPTIONS)(rebind)
app.add_typer(customers.app, name="customers")
app.add_typer(payments.app, name="payments")
