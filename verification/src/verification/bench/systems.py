"""Systems to measure: `oncepay up` of a tree, which may be another commit's, and the bare echo."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

from oncepay_cli.local import health
from oncepay_cli.local.installation import Ports
from oncepay_cli.local.paths import REPOSITORY, Paths
from verification.local_stack import free_stack_ports

READY_SECONDS = 600.0
STOP_SECONDS = 120.0
POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class System:
    """A system that is up. `paths`: where its data is."""

    name: str
    ports: Ports
    paths: Paths


class NotStarted(Exception):
    """A system cannot be built or does not come up."""


@contextmanager
def running(tree: Path, name: str) -> Iterator[System]:
    """Everything of a tree, by its own command line and environment; stopped at the end.

    Raises:
        NotStarted: it ended, or is not ready in time; with its output.
    """
    ports = free_stack_ports()
    options = [
        f"--{port.name.replace('_', '-')}-port={getattr(ports, port.name)}"
        for port in fields(Ports)
    ]
    with tempfile.TemporaryDirectory(prefix="oncepay-bench-") as folder:
        Path(folder).chmod(0o711)  # where root runs this, PostgreSQL's user must get in
        output = Path(folder) / "output.txt"
        with output.open("wb") as file:
            process = subprocess.Popen(
                [environment_python(tree), "-m", "oncepay_cli", "up", *options],
                cwd=tree,
                env=os.environ | {"ONCEPAY_HOME": folder},
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # the terminal's Ctrl-C is for us, who stop it
            )
        try:
            _wait_until_ready(process, ports, output)
            yield System(name, ports, Paths(Path(folder)))
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(STOP_SECONDS)


def _wait_until_ready(process: "subprocess.Popen[bytes]", ports: Ports, output: Path) -> None:
    until = time.monotonic() + READY_SECONDS
    while not (
        health.service_is_ready(ports.customer)
        and health.service_is_ready(ports.payment)
        and health.web_answers(ports.sandbox, "/_sandbox")
    ):
        if process.poll() is not None or time.monotonic() > until:
            raise NotStarted(output.read_text(errors="replace"))
        time.sleep(POLL_SECONDS)


def environment_python(tree: Path) -> str:
    return str(tree / ".oncepay" / "environment" / "bin" / "python")


def checkout(commit: str) -> Path:
    """A git worktree of a commit, with an environment of its own; kept for the next time.

    Raises:
        NotStarted: there is no such commit, or its environment cannot be made.
    """
    identifier = _run(REPOSITORY, "git", "rev-parse", "--verify", f"{commit}^{{commit}}").strip()
    tree = REPOSITORY / ".oncepay" / "bench" / identifier[:12]
    if not tree.exists():
        # By force: `make clean` removes the folder, and git still has it in its list.
        _run(REPOSITORY, "git", "worktree", "add", "--force", "--detach", str(tree), identifier)
    _run(tree, "sh", "cli/environment.sh", sys.executable, "run")
    return tree


def _run(folder: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotStarted(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout


@contextmanager
def echoing() -> Iterator[System]:
    """The bare echo, as a process of its own; it listens where a Customer service would."""
    process = subprocess.Popen(
        [sys.executable, "-m", "verification.bench.echo"], stdout=subprocess.PIPE, text=True
    )
    try:
        port = process.stdout.readline() if process.stdout else ""
        yield System("echo", Ports(customer=int(port)), Paths.of())
    finally:
        process.terminate()
        process.wait()
