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
    """Compare the sandbox's records with Payment's: `--since 7d`, `--until`, `--json`, `--report-only`.

    Works while `oncepay up` runs; otherwise it starts what it needs. Exit code 0: the records agree; 1:
    manual review is needed; 2: the comparison could not be made.
    """
    paths, ports = Paths.of(), Ports(sandbox=sandbox_port, postgresql=postgresql_port)
    if lock.holder(paths) is not None:
        raise typer.Exit(Installation(paths, ports, Output()).reconcile(context.args))
    with _databases(paths, ports) as installation:
        installation.start_sandbox()
        raise typer.Exit(installation.reconcile(context.args))


def rebind(context: typer.Context, postgresql_port: Port = DEFAULT_PORTS.postgresql) -> None:
    """Bind restored or copied databases to this cluster: `--the-old-one-is-stopped`."""
    with _databases(Paths.of(), Ports(postgresql=postgresql_port)) as installation:
        raise typer.Exit(installation.rebind(context.args))


@contextmanager
def _databases(paths: Paths, ports: Ports) -> Iterator[Installation]:
    """The databases alone. Progress goes to standard error, since standard output is a report."""
    paths.make()
    with lock.hold(paths):
        installation = Installation(paths, ports, Output(on_errors=True))
        try:
            installation.start_databases()
            yield installation
        finally:
            installation.stop()
