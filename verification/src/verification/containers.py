"""The whole system in containers: what `make up` starts, in a Compose project of its own.

Proven by verification/tests/containers, by `make compose-test`: isolation, passwords, crashes of each
container under load that lose no payment, and data that survive `down`.
"""

import json
import os
import shlex
import signal
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from oncepay_cli.local import passwords
from oncepay_cli.local.installation import Ports
from oncepay_cli.local.paths import REPOSITORY, Paths
from verification.commands import CommandFailed, run
from verification.local_stack import free_stack_ports, is_ready
from verification.waiting import wait_until

# Migrations end; everything else runs on, and may crash.
PARTS = ("customer", "payment", "sandbox", "customer-database", "payment-database")
MIGRATIONS = ("customer-migration", "payment-migration")


class NotOurProcess(Exception):
    """The container's process is not on this machine, or not ours to signal."""


class Containers:
    """One project: its containers, networks, volumes and published ports.

    Args:
        compose: the program, `docker compose` or `docker-compose`.
    """

    def __init__(self, compose: str, ports: Ports) -> None:
        self.ports = ports
        self._command = (*shlex.split(compose), "-p", f"oncepay-test-{uuid.uuid4().hex[:8]}")
        self._environment = os.environ | {
            "ONCEPAY_CUSTOMER_PORT": str(ports.customer),
            "ONCEPAY_PAYMENT_PORT": str(ports.payment),
            "ONCEPAY_WEBHOOKS_PORT": str(ports.webhooks),
            "ONCEPAY_SANDBOX_PORT": str(ports.sandbox),
        }

    def compose(self, *arguments: str) -> str:
        """Run Compose to its end; its standard output."""
        return run(*self._command, *arguments, environment=self._environment).stdout.strip()

    def up(self) -> None:
        """Start what does not run, and wait until it serves."""
        self.compose("up", "-d")
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        wait_until(lambda: is_ready(self.ports), lambda: f"not ready: {self.compose('logs')}")

    def id_of(self, part: str) -> str:
        """The container of a part, also of one that has ended."""
        label = f"label=com.docker.compose.service={part}"
        project = f"label=com.docker.compose.project={self._command[-1]}"
        filters = ("--filter", label, "--filter", project)
        return run("docker", "ps", "-aq", "--no-trunc", *filters).stdout.strip()

    def inspect(self, part: str) -> dict[str, Any]:
        """What the engine knows of a part's container."""
        found: dict[str, Any] = json.loads(run("docker", "inspect", self.id_of(part)).stdout)[0]
        return found

    def crash(self, part: str) -> None:
        """Kill a part's process; return when the engine has started it again, and all is ready.

        By a signal to the process: after `docker kill`, no restart policy starts the container again.

        Raises:
            NotOurProcess: it cannot be signalled from here.
        """
        before = self.inspect(part)
        pid = before["State"]["Pid"]
        try:
            # The engine may run on another machine, where the number is another process's.
            if before["Id"] not in Path(f"/proc/{pid}/cgroup").read_text():
                raise NotOurProcess(f"process {pid} is not the container's")
            os.kill(pid, signal.SIGKILL)
        except OSError as error:
            raise NotOurProcess(f"process {pid}: {error.strerror}") from error
        wait_until(
            lambda: self.inspect(part)["RestartCount"] > before["RestartCount"],
            f"{part} was not started again",
        )
        self.wait_until_ready()


def engine_answers() -> bool:
    """Whether there is a Docker engine."""
    try:
        run("docker", "info")
    except CommandFailed:
        return False
    return True


@contextmanager
def temporary_containers(compose: str) -> Iterator[Containers]:
    """Everything built and up, on free ports; gone at the end, with its volumes."""
    secrets = Paths.of().secrets
    passwords.make(secrets)
    passwords.link(secrets, REPOSITORY)
    containers = Containers(compose, free_stack_ports())
    try:
        containers.compose("build")
        containers.up()
        yield containers
    finally:
        containers.compose("down", "--volumes", "--remove-orphans")
