"""Fixtures for the command's tests: `oncepay up` as a process, with a home and ports of its own."""

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO
from unittest import mock

import pytest

from oncepay_cli.__main__ import main
from oncepay_cli.local.health import free_port
from oncepay_cli.local.os_processes import OsProcess, find

LAST_LINE = "Everything is up."
PORTS = ("customer", "payment", "sandbox", "postgresql", "webhooks")
# A bound that only a hang exceeds.
MAX_WAIT_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a command that has ended."""

    code: int | str | None
    stdout: str
    stderr: str


class UpProcess:
    """A running `oncepay up`.

    Attributes:
        output: what it has printed so far.
    """

    def __init__(self, process: subprocess.Popen[bytes], stream: TextIO) -> None:
        self.process = process
        self.output = ""
        self._stream = stream

    def read_line(self) -> str:
        """The next line; empty at the end of the output."""
        try:
            line = self._stream.readline()
        except OSError:  # the end of a pseudo-terminal
            line = ""
        self.output += line
        return line

    def wait_until_up(self) -> str:
        """Read until everything is up; returns the output."""
        while line := self.read_line():
            if line.startswith(LAST_LINE):
                return self.output
        raise AssertionError(f"exit code {self.process.wait(MAX_WAIT_SECONDS)}: {self.output}")

    def wait_for_exit(self) -> int:
        """Read to the end of the output; returns the exit code."""
        while self.read_line():
            pass
        self._stream.close()
        return self.process.wait(MAX_WAIT_SECONDS)

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send a signal and wait; returns the exit code."""
        self.process.send_signal(number)
        return self.wait_for_exit()

    def first_payment(self) -> str:
        """The resource name of the first payment."""
        found = re.search(r"payment +(payments/\S+)", self.output)
        assert found is not None, self.output
        return found[1]


@dataclass
class Home:
    """A folder for ONCEPAY_HOME, five free ports, and the commands that use them.

    Attributes:
        ports: by the name of the process that listens on it.
    """

    folder: Path
    ports: dict[str, int] = field(default_factory=lambda: {name: free_port() for name in PORTS})

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "ONCEPAY_HOME": str(self.folder),
            "ONCEPAY_CUSTOMER_ADDRESS": f"127.0.0.1:{self.ports['customer']}",
            "ONCEPAY_PAYMENT_ADDRESS": f"127.0.0.1:{self.ports['payment']}",
            **{name: value for name, value in os.environ.items() if name.startswith("COV_")},
        }

    def port_options(self, *names: str) -> list[str]:
        return [f"--{name}-port={self.ports[name]}" for name in names or PORTS]

    def run(self, *arguments: str) -> Result:
        """Run a command in this process: starting a new one takes longer than most commands."""
        code: int | str | None = 0
        with (
            mock.patch.dict(os.environ, self.environment, clear=True),
            mock.patch.object(sys, "argv", ["oncepay", *arguments]),
            mock.patch.object(sys, "stdin", io.StringIO()),
            redirect_stdout(io.StringIO()) as stdout,
            redirect_stderr(io.StringIO()) as stderr,
        ):
            try:
                main()
            except SystemExit as end:
                code = end.code
        return Result(code, stdout.getvalue(), stderr.getvalue())

    def json(self, *arguments: str) -> dict[str, Any]:
        """Run a command with --json; returns its reply."""
        result = self.run(*arguments, "--json")
        assert result.code == 0, result.stderr
        reply: dict[str, Any] = json.loads(result.stdout)
        return reply

    def start_up(self, terminal: bool = False) -> UpProcess:
        """Start `oncepay up`, its output on a pseudo-terminal or on a pipe."""
        read, write = os.openpty() if terminal else os.pipe()
        process = subprocess.Popen(
            [sys.executable, "-m", "oncepay_cli", "up", *self.port_options()],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=write,
            stderr=write,
        )
        os.close(write)
        return UpProcess(process, os.fdopen(read, encoding="utf-8"))

    def up(self, terminal: bool = False) -> UpProcess:
        """Start `oncepay up` and wait until everything is up."""
        process = self.start_up(terminal)
        process.wait_until_up()
        return process

    def processes(self) -> dict[str, OsProcess]:
        """The processes that run from this home, by name."""
        found = {
            record.stem: find(json.loads(record.read_text())["pid"])
            for record in (self.folder / "run").glob("*.json")
        }
        pid_file = self.folder / "data" / "postgresql" / "postmaster.pid"
        if pid_file.exists():
            found["postgresql"] = find(int(pid_file.read_text().splitlines()[0]))
        return {name: process for name, process in found.items() if process is not None}


def _new_home() -> Iterator[Home]:
    # Not pytest's temporary folder: where root runs the tests, PostgreSQL's user must be able to enter.
    folder = Path(tempfile.mkdtemp(prefix="oncepay home "))
    folder.chmod(0o711)
    home = Home(folder)
    try:
        yield home
    finally:
        home.run("down")
        shutil.rmtree(folder)


@pytest.fixture
def home() -> Iterator[Home]:
    """An empty home."""
    yield from _new_home()


@dataclass(frozen=True, slots=True)
class Running:
    """A home where everything is up, and its `oncepay up` on a pseudo-terminal."""

    home: Home
    up: UpProcess


@pytest.fixture(scope="session")
def running() -> Iterator[Running]:
    """Everything is up, started from an empty home; shared by the tests of several files."""
    for home in _new_home():
        up = home.up(terminal=True)
        yield Running(home, up)
        assert up.end() == 0


@pytest.fixture(scope="session")
def oncepay(running: Running) -> Home:
    """The home of `running`: commands run against the services that are up."""
    return running.home


@dataclass(frozen=True, slots=True)
class FirstRun:
    """What was observed of the first `oncepay up` of a home, ended by Ctrl-C.

    Attributes:
        home: the home, where nothing runs any more.
        processes: those that ran while everything was up.
    """

    home: Home
    output: str
    payment: str
    processes: dict[str, OsProcess]
    exit_code: int


@pytest.fixture(scope="session")
def first_run() -> Iterator[FirstRun]:
    """The first `oncepay up` of an empty home, ended by Ctrl-C; shared by the tests of several files."""
    for home in _new_home():
        up = home.up()
        processes = home.processes()
        exit_code = up.end(signal.SIGINT)
        yield FirstRun(home, up.output, up.first_payment(), processes, exit_code)


@pytest.fixture
def used_home(first_run: FirstRun) -> Home:
    """A home with a cluster, a customer and payments of earlier runs; nothing runs."""
    return first_run.home
