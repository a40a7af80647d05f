"""Systems to measure: `oncepay up` of a tree, which may be another commit's, and the bare echo."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

from oncepay_cli.local.installation import Ports
from oncepay_cli.local.paths import REPOSITORY, Paths
from verification.commands import run
from verification.local_stack import free_stack_ports, is_ready
from verification.waiting import wait_until

STOP_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class System:
    """A system that is up. `paths`: where its data is."""

    name: str
    ports: Ports
    paths: Paths


class NotStarted(Exception):
    """A system does not come up."""


@contextmanager
def running(tree: Path, name: str) -> Iterator[System]:
    """Everything of a tree, by its own command line and environment; stopped at the end.

    Raises:
        NotStarted: it ended by itself; with its output.
        TimeoutError: it is not ready in time.
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
            wait_until(
                lambda: is_ready(ports) or process.poll() is not None,
                lambda: output.read_text(errors="replace"),
            )
            if process.poll() is not None:
                raise NotStarted(output.read_text(errors="replace"))
            yield System(name, ports, Paths(Path(folder)))
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(STOP_SECONDS)


def environment_python(tree: Path) -> str:
    return str(tree / ".oncepay" / "environment" / "bin" / "python")


def checkout(commit: str) -> Path:
    """A git worktree of a commit, with an environment of its own; kept for the next time.

    Raises:
        CommandFailed: there is no such commit, or its environment cannot be made.
    """
    revision = f"{commit}^{{commit}}"
    identifier = run("git", "rev-parse", "--verify", "--end-of-options", revision).stdout.strip()
    tree = REPOSITORY / ".oncepay" / "bench" / identifier[:12]
    if not tree.exists():
        # By force: `make clean` removes the folder, and git still has it in its list.
        run("git", "worktree", "add", "--force", "--detach", str(tree), identifier)
    run("sh", "cli/environment.sh", sys.executable, "run", folder=tree)
    return tree


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
