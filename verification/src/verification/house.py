"""The whole house in a temporary folder: what `make run` starts, for whoever tries to break it."""

import json
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import fields
from pathlib import Path

from oncepay_cli.local.installation import Installation, Ports
from oncepay_cli.local.paths import Paths
from oncepay_cli.output import Output


@contextmanager
def temporary_house() -> Iterator[Installation]:
    """PostgreSQL, the sandbox, Customer and Payment, on free ports; gone at the end."""
    # In the system's temporary folder: where root runs this, PostgreSQL's user must get in.
    folder = Path(tempfile.mkdtemp(prefix="oncepay-house-"))
    folder.chmod(0o711)
    paths = Paths(folder)
    paths.make()
    installation = Installation(paths, free_ports(), Output())
    try:
        installation.start()
        yield installation
    finally:
        installation.stop()
        shutil.rmtree(folder)


def free_ports() -> Ports:
    """Ports of the loopback that nobody listens on; held until all are known, so that they differ."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in fields(Ports)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return Ports(*(probe.getsockname()[1] for probe in probes))


def pid_of(house: Installation, name: str) -> int:
    """The process of a part: `sandbox`, `customer`, `payment` or `postgresql`."""
    if name == "postgresql":
        return int((house.paths.postgresql / "postmaster.pid").read_text().split()[0])
    record = json.loads((house.paths.running / f"{name}.json").read_text())
    return int(record["pid"])
