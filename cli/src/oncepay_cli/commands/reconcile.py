"""`oncepay reconcile` and `rebind`: the commands of the services' own images, on this machine."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from oncepay_cli.commands.up import Port
from oncepay_cli.local import lock
from oncepay_cli.local.installation import DEFAULT_PORTS, Installation, Ports
from oncepay_cli.local.paths import Paths
from oncepay_cli.output import Output


def reconcile(
    context: typer.Context,
    sandbox_port: Port = DEFAULT_PORTS.sandbox,
    postgresql_port: Port = DEFAULT_PORTS.postgresql,
) -> None:
    """Compare the sandbox's books with Payment's: `--since 7d`, `--until`, `--json`, `--report-only`.

    It runs beside `oncepay up`, or starts what it needs for as long as it takes. Exit code 0: both
    sides agree; 1: a person is needed; 2: they could not be compared.
    """
    paths, ports = Paths.of(), Ports(sandbox=sandbox_port, postgresql=postgresql_port)
    if lock.holder(paths) is not None:
        raise typer.Exit(Installation(paths, ports, Output()).reconcile(context.args))
    with _databases(paths, ports) as installation:
        installation.start_sandbox()
        raise typer.Exit(installation.reconcile(context.args))


def rebind(context: typer.Context, postgresql_port: Port = DEFAULT_PORTS.postgresql) -> None:
    """Take over databases that were restored or copied here: `--the-old-one-is-stopped`."""
    with _databases(Paths.of(), Ports(postgresql=postgresql_port)) as installation:
        raise typer.Exit(installation.rebind(context.args))


@contextmanager
def _databases(paths: Paths, ports: Ports) -> Iterator[Installation]:
    """The databases alone. What is said of them goes to standard error: the output is a report."""
    paths.make()
    with lock.only_one(paths):
        installation = Installation(paths, ports, Output(on_errors=True))
        try:
            installation.start_databases()
            yield installation
        finally:
            installation.stop()
