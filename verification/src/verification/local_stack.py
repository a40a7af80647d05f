"""The whole system in a temporary folder: what `make run` starts, on free ports of the loopback."""

import json
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TypeAlias

import asyncpg
import psutil  # type: ignore[import-untyped]  # ships no types

from oncepay_cli.local import health, passwords
from oncepay_cli.local.health import HOST
from oncepay_cli.local.installation import Installation, Ports
from oncepay_cli.local.paths import Paths
from oncepay_cli.local.postgresql import SUPERUSER, PostgreSQL
from oncepay_cli.output import Output

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@contextmanager
def local_stack() -> Iterator[Installation]:
    """PostgreSQL, the sandbox, Customer and Payment, ready; stopped and removed at the end."""
    with temporary_paths() as paths:
        installation = Installation(paths, free_stack_ports(), Output())
        try:
            installation.start()
            yield installation
        finally:
            installation.stop()


@contextmanager
def temporary_paths() -> Iterator[Paths]:
    """Folders and passwords of an installation; removed at the end."""
    # In the system's temporary folder: where root runs this, PostgreSQL's user must get in.
    folder = Path(tempfile.mkdtemp(prefix="oncepay-verification-"))
    try:
        folder.chmod(0o711)
        paths = Paths(folder)
        paths.make()
        passwords.make(paths.secrets)
        yield paths
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def free_ports(count: int) -> list[int]:
    """Ports of the loopback that nobody listens on; held until all are known, so that they differ."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((HOST, 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def free_stack_ports() -> Ports:
    """A free port for each process of a stack."""
    return Ports(*free_ports(len(fields(Ports))))


def is_ready(ports: Ports) -> bool:
    """Whether the sandbox and both services serve."""
    return (
        health.web_answers(ports.sandbox, "/_sandbox")
        and health.service_is_ready(ports.customer)
        and health.service_is_ready(ports.payment)
    )


def process_id(port: int) -> int:
    """The process that listens on a port of the loopback."""
    for socket_of in psutil.net_connections("tcp"):
        if socket_of.status == psutil.CONN_LISTEN and socket_of.laddr[1] == port:
            return int(socket_of.pid)
    raise LookupError(f"nobody listens on port {port}")


def postgresql(paths: Paths, port: int) -> PostgreSQL:
    """A stack's PostgreSQL, with the superuser's password."""
    return PostgreSQL(
        data=paths.postgresql,
        log=paths.logs / "postgresql.log",
        port=port,
        password=passwords.read(paths.secrets, passwords.SUPERUSER),
    )


@asynccontextmanager
async def superuser_connection(server: PostgreSQL, database: str) -> AsyncIterator[Connection]:
    """A connection past the services, on which a jsonb is read as the services read it."""
    connection: Connection = await asyncpg.connect(
        host=HOST,
        port=server.port,
        user=SUPERUSER,
        password=server.password,
        database=database,
    )
    try:
        await connection.set_type_codec(
            "jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog"
        )
        yield connection
    finally:
        await connection.close()
