"""`oncepay`, and `python -m oncepay_cli`."""

import sys

import typer

from oncepay_cli.commands import customers, payments
from oncepay_cli.commands.up import down, up
from oncepay_cli.refusal import Refusal

app = typer.Typer(
    name="oncepay",
    help="Start Oncepay on this machine; register customers; make payments, once.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
app.command()(up)
app.command()(down)
app.add_typer(customers.app, name="customers")
app.add_typer(payments.app, name="payments")


def main() -> None:
    """Run the command. A refusal is a sentence on standard error, and exit code 1."""
    try:
        app()
    except Refusal as refusal:
        notes = getattr(refusal, "__notes__", [])
        sys.stderr.write("\n".join([str(refusal), *notes, ""]))
        sys.exit(1)


if __name__ == "__main__":
    main()
