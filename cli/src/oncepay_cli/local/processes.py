"""The sandbox and the services as child processes: started, waited for, ended, found again.

Each has a session of its own, so that the terminal's Ctrl-C reaches only the command that started
it, which ends them in order. Each leaves a record on disk, so that the next start finds what a
killed command left running.
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

# A service that is told to stop lets running calls finish first; then it is ended.
DRAIN_SECONDS = 5
STOP_SECONDS = DRAIN_SECONDS + 5.0
# On a cold, slow machine a service compiles its modules first.
READY_SECONDS = 60.0
READY_POLL_SECONDS = 0.05

# All that a child gets of our environment. The services' settings have no prefix: a DATABASE_URL
# of the shell must not become theirs. Nor must a proxy: gRPC would go to the loopback through it.
_INHERITED = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "LC_CTYPE", "COVERAGE_PROCESS_START")


@dataclass(frozen=True, slots=True)
class Program:
    """A module of Python to run.

    Attributes:
        name: for people, for its log and its record.
        arguments: what follows `python -m`, the module first.
        settings: environment variables.
        is_ready: asks whether it serves; called until it says yes.
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
    """A program that was started."""

    program: Program
    process: subprocess.Popen[bytes]
    log: Path
    record: Path

    def wait_until_ready(self) -> None:
        """Return when it serves.

        Raises:
            CommandError: it ended, or does not become ready.
        """
        until = time.monotonic() + READY_SECONDS
        while not self.program.is_ready():
            if self.process.poll() is not None:
                raise self.failure()
            if time.monotonic() > until:
                raise CommandError(
                    f"{self.program.name} is not ready after {READY_SECONDS:.0f} s;"
                    f" its log is {self.log}."
                )
            time.sleep(READY_POLL_SECONDS)

    def failure(self) -> CommandError:
        """What to say of a child that ended by itself."""
        lines = self.log.read_text(errors="replace").splitlines()[-3:]
        said = "".join(f"\n  {line}" for line in lines)
        return CommandError(
            f"{self.program.name} ended ({_exit(self.process.returncode)})."
            f" The end of its log, {self.log}:{said}"
        )

    def stop(self) -> None:
        """End it: it may finish what it has begun, for a while."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.record.unlink(missing_ok=True)


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """What a child may see: a little of ours, and its settings."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {**inherited, **settings}


def start(program: Program, paths: Paths) -> Child:
    log = paths.logs / f"{program.name}.log"
    record = paths.running / f"{program.name}.json"
    with log.open("ab") as file:
        process = subprocess.Popen(
            program.command,
            env=environment(program.settings),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    live = os_processes.find(process.pid)
    started = time.time() if live is None else live.started
    record.write_text(json.dumps({"pid": process.pid, "started": started}))
    return Child(program, process, log, record)


def end_leftovers(paths: Paths) -> list[str]:
    """End what a killed command left running; the names of what was ended."""
    ended = []
    for record in sorted(paths.running.glob("*.json")):
        left = _recorded(record)
        if left is not None and left.is_alive():
            left.send(signal.SIGTERM)
            if not left.wait_until_gone(STOP_SECONDS):
                left.send(signal.SIGKILL)
                left.wait_until_gone(STOP_SECONDS)
            ended.append(record.stem)
        record.unlink()
    return ended


def run(program: Program, paths: Paths) -> None:
    """Run a program to its end.

    Raises:
        CommandError: it failed.
    """
    log = paths.logs / f"{program.name}.log"
    with log.open("ab") as file:
        process = subprocess.Popen(
            program.command,
            env=environment(program.settings),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        process.wait()
    if process.returncode != 0:
        raise Child(program, process, log, log).failure()


def call(arguments: Sequence[str], settings: Mapping[str, str]) -> int:
    """Run a command of a service's for a person, and show what it says; its exit code."""
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        env=environment({**settings, "LOG_FORMAT": "console"}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    return done.returncode


def ended(children: Iterable[Child]) -> Child | None:
    """The first child that has ended by itself."""
    return next((child for child in children if child.process.poll() is not None), None)


def _recorded(record: Path) -> OsProcess | None:
    """A record is a pid and the moment it started: together no other process has them."""
    try:
        read = json.loads(record.read_text())
        return OsProcess(int(read["pid"]), float(read["started"]))
    except (ValueError, KeyError, TypeError):
        return None  # half-written: the command was killed in between


def _exit(code: int | None) -> str:
    if code is not None and code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"
