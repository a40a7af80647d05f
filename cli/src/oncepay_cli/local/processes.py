"""Child processes of `oncepay up`: the sandbox, the services and their migrations.

A service runs in a session of its own, so that the terminal's Ctrl-C reaches only the command that started
it, which stops the services in order. Each service has a record on disk, so that the next start finds what
a killed command left running.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from oncepay_cli.errors import CommandError
from oncepay_cli.local import os_processes
from oncepay_cli.local.os_processes import OsProcess
from oncepay_cli.local.paths import Paths

# On SIGTERM a service lets its calls finish; after STOP_SECONDS it is killed.
DRAIN_SECONDS = 5
STOP_SECONDS = DRAIN_SECONDS + 5.0
# The first start on a slow machine compiles the modules.
READY_SECONDS = 60.0
READY_POLL_SECONDS = 0.05

# The only variables that a child inherits. The services' settings have no prefix, so a DATABASE_URL of the
# shell would become theirs; and gRPC would call the loopback through the shell's proxy.
_INHERITED = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "LC_CTYPE", "COVERAGE_PROCESS_START")


@dataclass(frozen=True, slots=True)
class Program:
    """A Python module to run.

    Attributes:
        name: the name in messages, and of its log and its record.
        arguments: the arguments after `python -m`, the module first.
        settings: its environment variables.
        is_ready: whether it serves; called until it returns True.
    """

    name: str
    arguments: tuple[str, ...]
    settings: Mapping[str, str]
    is_ready: Callable[[], bool] = field(repr=False)

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", *self.arguments]


@dataclass(frozen=True, slots=True)
class Child:
    """A started program."""

    program: Program
    process: subprocess.Popen[bytes]
    log: Path
    record: Path

    def wait_until_ready(self) -> None:
        """Return when it serves.

        Raises:
            CommandError: it exited, or is not ready in time.
        """
        deadline = time.monotonic() + READY_SECONDS
        while not self.program.is_ready():
            if self.process.poll() is not None:
                raise self.failure()
            if time.monotonic() > deadline:
                raise CommandError(
                    f"{self.program.name} is not ready after {READY_SECONDS:.0f} s;"
                    f" its log is {self.log}."
                )
            time.sleep(READY_POLL_SECONDS)

    def failure(self) -> CommandError:
        """The error for a child that exited by itself."""
        lines = self.log.read_text(errors="replace").splitlines()[-3:]
        end_of_log = "".join(f"\n  {line}" for line in lines)
        return CommandError(
            f"{self.program.name} ended ({_describe_exit(self.process.returncode)})."
            f" The end of its log, {self.log}:{end_of_log}"
        )

    def stop(self) -> None:
        """Stop it; kill it where it does not stop in time."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.record.unlink(missing_ok=True)


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """A child's environment: the inherited variables and its settings."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {**inherited, **settings}


def start(program: Program, paths: Paths) -> Child:
    """Start a program, and record it."""
    child = _spawn(program, paths, own_session=True)
    found = os_processes.find(child.process.pid)
    started = time.time() if found is None else found.started
    child.record.write_text(json.dumps({"pid": child.process.pid, "started": started}))
    return child


def run(program: Program, paths: Paths) -> None:
    """Run a program to its end. Ctrl-C reaches it too.

    Raises:
        CommandError: it failed.
    """
    child = _spawn(program, paths, own_session=False)
    if child.process.wait() != 0:
        raise child.failure()


def run_command(arguments: Sequence[str], settings: Mapping[str, str]) -> int:
    """Run a service's command, print its output, and return its exit code."""
    result = subprocess.run(
        [sys.executable, "-m", *arguments],
        env=environment({**settings, "LOG_FORMAT": "console"}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    sys.stdout.write(result.stdout)
    sys.stderr.write(result.stderr)
    return result.returncode


def first_exited(children: Iterable[Child]) -> Child | None:
    """The first child that has exited; None while all run."""
    return next((child for child in children if child.process.poll() is not None), None)


def stop_leftovers(paths: Paths) -> list[str]:
    """Stop what a killed command left running; the names of the stopped programs."""
    stopped = []
    for record in sorted(paths.running.glob("*.json")):
        leftover = _recorded(record)
        if leftover is not None and leftover.is_alive():
            leftover.send(signal.SIGTERM)
            if not leftover.wait_until_gone(STOP_SECONDS):
                leftover.send(signal.SIGKILL)
                leftover.wait_until_gone(STOP_SECONDS)
            stopped.append(record.stem)
        record.unlink()
    return stopped


def _spawn(program: Program, paths: Paths, *, own_session: bool) -> Child:
    log = paths.logs / f"{program.name}.log"
    with log.open("ab") as file:
        process = subprocess.Popen(
            program.command,
            env=environment(program.settings),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=own_session,
        )
    return Child(program, process, log, paths.running / f"{program.name}.json")


def _recorded(record: Path) -> OsProcess | None:
    try:
        content = json.loads(record.read_text())
        return OsProcess(int(content["pid"]), float(content["started"]))
    except (ValueError, KeyError, TypeError):
        return None  # incomplete: the command was killed while it wrote the record


def _describe_exit(code: int | None) -> str:
    if code is not None and code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"
