"""`oncepay reconcile` and `rebind`: the commands of the services' own images, on this machine."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from oncepay_cli.commands.up import Port
from oncepay_cli.local import lock
from oncepay_cli.local.installation import DEFAULT_PORTS, Installation, Ports
from oncepay_cli.local.places import Places
from oncepay_cli.screen import Screen


def reconcile(
    context: typer.Context,
    sandbox_port: Port = DEFAULT_PORTS.sandbox,
    postgresql_port: Port = DEFAULT_PORTS.postgresql,
) -> None:
    """Compare the sandbox's books with Payment's: `--since 7d`, `--until`, `--json`, `--report-only`.

    It runs beside `oncepay up`, or starts what it needs for as long as it takes. Exit code 0: both
    sides agree; 1: a person is needed; 2: they could not be compared.
    """
    places, ports = Places.of(), Ports(sandbox=sandbox_port, postgresql=postgresql_port)
    if lock.holder(places) is not None:
        raise typer.Exit(Installation(places, ports, Screen()).reconcile(context.args))
    with _databases(places, ports) as installation:
        installation.start_sandbox()
        raise typer.Exit(installation.reconcile(context.args))


def rebind(context: typer.Context, postgresql_port: Port = DEFAULT_PORTS.postgresql) -> None:
    """Take over databases that were restored or copied here: `--the-old-one-is-stopped`."""
    with _databases(Places.of(), Ports(postgresql=postgresql_port)) as installation:
        raise typer.Exit(installation.rebind(context.args))


@contextmanager
def _databases(places: Places, ports: Ports) -> Iterator[Installation]:
    """The databases alone. What is said of them goes to standard error: the output is a report."""
    places.make()
    with lock.only_one(places):
        installation = Installation(places, ports, Screen(on_errors=True))
        try:
            installation.start_databases()
            yield installation
        finally:
            installation.stop()
