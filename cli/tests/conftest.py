"""All of Oncepay for a test: `oncepay up` as a process, in a home and on ports of its own."""

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

UP = "Everything is up."
# Importing everything on a busy machine takes a while; it is a bound, not an expectation.
PATIENCE_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Done:
    """What a command came to."""

    code: int | str | None
    stdout: str
    stderr: str


@dataclass
class Home:
    """A folder for ONCEPAY_HOME, five free ports, and the command on them.

    Attributes:
        ports: by the name of what listens there.
    """

    folder: Path
    ports: dict[str, int] = field(
        default_factory=lambda: {
            name: free_port()
            for name in ("customer", "payment", "sandbox", "postgresql", "webhooks")
        }
    )

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

    def run(self, *arguments: str) -> Done:
        """Run the command to its end, in this process: starting one costs more than most of them."""
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
        return Done(code, stdout.getvalue(), stderr.getvalue())

    def json(self, *arguments: str) -> dict[str, Any]:
        """Run the command with --json; what it said."""
        done = self.run(*arguments, "--json")
        assert done.code == 0, done.stderr
        said: dict[str, Any] = json.loads(done.stdout)
        return said

    def up(self, terminal: bool = False) -> "Up":
        """Start everything; with its output on a pseudo-terminal, or on a pipe."""
        read, write = os.openpty() if terminal else os.pipe()
        options = (f"--{name}-port={port}" for name, port in self.ports.items())
        process = subprocess.Popen(
            [sys.executable, "-m", "oncepay_cli", "up", *options],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=write,
            stderr=write,
        )
        os.close(write)
        return Up(process, os.fdopen(read, encoding="utf-8"))

    def processes(self) -> dict[str, OsProcess]:
        """What runs from here, by its name."""
        found = {
            record.stem: find(json.loads(record.read_text())["pid"])
            for record in (self.folder / "run").glob("*.json")
        }
        pid_file = self.folder / "data" / "postgresql" / "postmaster.pid"
        if pid_file.exists():
            found["postgresql"] = find(int(pid_file.read_text().splitlines()[0]))
        return {name: running for name, running in found.items() if running is not None}


class Up:
    """A running `oncepay up`.

    Attributes:
        said: its lines so far.
    """

    def __init__(self, process: subprocess.Popen[bytes], output: TextIO) -> None:
        self.process = process
        self.said = ""
        self._output = output

    def line(self) -> str:
        """The next line; empty when there are no more."""
        try:
            line = self._output.readline()
        except OSError:  # the end of a pseudo-terminal
            line = ""
        self.said += line
        return line

    def wait(self) -> str:
        """Read until everything is up; what it said."""
        while line := self.line():
            if line.startswith(UP):
                return self.said
        raise AssertionError(f"it ended (exit code {self.process.wait()}): {self.said}")

    def wait_for_end(self) -> int:
        """Read until it has ended; the exit code."""
        while self.line():
            pass
        self._output.close()
        return self.process.wait(PATIENCE_SECONDS)

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send a signal, and read to the end; the exit code."""
        self.process.send_signal(number)
        return self.wait_for_end()

    def payment(self) -> str:
        """The name of the first payment."""
        named = re.search(r"payment: (payments/\S+)", self.said)
        assert named is not None, self.said
        return named[1]


def _home() -> Iterator[Home]:
    # Not pytest's own: where root runs the tests, the user nobody must get in.
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
    """A home of the test's own, with nothing in it."""
    yield from _home()


@pytest.fixture(scope="module")
def lived_in() -> Iterator[Home]:
    """A home that was up before: its cluster is made, and its customer registered."""
    for home in _home():
        up = home.up()
        up.wait()
        up.end()
        yield home


@pytest.fixture(scope="module")
def oncepay() -> Iterator[Home]:
    """A home where everything is up, for the tests of one file."""
    for home in _home():
        up = home.up()
        up.wait()
        yield home
        up.end()
