"""`make newcomer`: the README's two commands in a Debian that has nothing installed, timed.

Makes Debian 13's smallest root file system by debootstrap, puts the committed files into it, installs what
the README names, and runs `make run` to the receipt and `make test`, as root in its home and as a plain
user in theirs, both of mode 0700. Needs root, debootstrap and a network. The standard library is enough.

Commands run in namespaces of their own (unshare): their mounts and processes end with them. What belongs
to this machine goes along: apt's mirror and settings, pip's configuration, proxies, certificates.
"""

import argparse
import configparser
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
RELEASE = "trixie"
UP = "Everything is up."
# Bounds, not expectations: on a quiet machine each takes a fifth of it.
MAX_INSTALL_SECONDS = 900
MAX_RUN_SECONDS = 600
MAX_TEST_SECONDS = 3_600
LINES_OF_A_FAILURE = 30

# What a machine says to programs that fetch something.
VARIABLES = re.compile(
    r"PIP_\w+|UV_\w+|SSL_CERT_\w+|REQUESTS_CA_BUNDLE|(http|https|no)_proxy", re.I
)
APT_SETTINGS = re.compile(r"Acquire::(https?|Check|Retries|ForceIP)", re.I)
PIP_FILES = ("/etc/pip.conf", "~/.pip/pip.conf", "~/.config/pip/pip.conf")

# $1 is the root, $2 the user, $3 the home, $4 what to do there. Devices are the machine's own; shared
# memory is not, or PostgreSQL's would stay. The shell stays, too: as process 1 it waits for orphans.
INSIDE = """
mount -t proc proc "$1/proc"
mount --rbind /dev "$1/dev"
mount -t tmpfs tmpfs "$1/dev/shm"
chroot --userspec="$2:$2" "$1" env HOME="$3" USER="$2" sh -c "cd $3; $4"
"""
# Ctrl-C belongs to a terminal; `oncepay down` does the same to what runs.
RUN = f"""
make run {{options}} >run.log 2>&1 &
until grep -q '{UP}' run.log; do
    kill -0 $! 2>/dev/null || {{{{ cat run.log; exit 1; }}}}
    sleep 0.1
done
cat run.log
.oncepay/environment/bin/oncepay down
wait $!
"""


class StepFailed(Exception):
    """A command failed or took too long. Its text says which, and what it printed last."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who tries it, and in which folder."""

    user: str
    home: str


# As `oncepay up` has them.
PORTS = {
    "customer": 50051,
    "payment": 50052,
    "sandbox": 12111,
    "postgresql": 54329,
    "webhooks": 50062,
}
PERSONS = {"root": Person("root", "/root"), "user": Person("newcomer", "/home/newcomer")}


def packages(readme: str) -> list[str]:
    """The packages that the README says to install."""
    found = re.search(r"`apt install ([^`]+)`", readme)
    if found is None:
        raise StepFailed("The README names no `apt install`.")
    return found[1].split()


def mirror() -> list[str]:
    """Where this machine's apt has Debian from, as debootstrap's argument; empty: its default."""
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(REPO_URI)"],  # noqa: S607
        text=True,
        capture_output=True,
        check=False,
    )
    fields = (line.split("|") for line in listed.stdout.splitlines())
    return [address for origin, label, address in fields if origin == label == "Debian"][:1]


def apt_settings() -> str:
    """This machine's settings of apt for fetching: proxies, and what it does not check."""
    dump = subprocess.run(
        ["apt-config", "dump", "Acquire"],  # noqa: S607
        text=True,
        capture_output=True,
        check=False,
    )
    return "".join(f"{line}\n" for line in dump.stdout.splitlines() if APT_SETTINGS.match(line))


def pip_settings(files: Sequence[str] = PIP_FILES) -> configparser.ConfigParser:
    """This machine's settings of pip, the user's above the machine's."""
    merged = configparser.ConfigParser(interpolation=None)
    merged.read(Path(file).expanduser() for file in files)
    return merged


def carried(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that programs need for fetching here."""
    return {name: text for name, text in environment.items() if VARIABLES.fullmatch(name)}


def certificates(variables: Mapping[str, str], pip: configparser.ConfigParser) -> set[Path]:
    """The files that the settings name, other than links to what is elsewhere."""
    named = [*variables.values(), *(text for section in pip.values() for text in section.values())]
    return {Path(text) for text in named if text.startswith("/") and Path(text).is_file()}


def port_options() -> str:
    """What `make run` is told where one of its ports is taken: this machine's network is shared."""
    with ExitStack() as sockets:
        listening = [sockets.enter_context(socket.socket()) for _ in PORTS]
        try:
            for each, port in zip(listening, PORTS.values(), strict=True):
                each.bind(("127.0.0.1", port))
        except OSError:
            sockets.close()
        else:
            return ""
        listening = [sockets.enter_context(socket.socket()) for _ in PORTS]
        for each in listening:
            each.bind(("127.0.0.1", 0))
        ports = [each.getsockname()[1] for each in listening]
    chosen = " ".join(f"--{name}-port {port}" for name, port in zip(PORTS, ports, strict=True))
    return f'OPTIONS="{chosen}"'


class Root:
    """A root file system, and what is done in it."""

    def __init__(self, folder: Path, log: Path) -> None:
        self.folder = folder
        self._log = log
        self._variables = carried(os.environ) | {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "DEBIAN_FRONTEND": "noninteractive",
        }

    def make(self) -> None:
        """Installs Debian."""
        command = ["debootstrap", "--variant=minbase", RELEASE, str(self.folder), *mirror()]
        self._execute(_in_namespaces(*command), MAX_INSTALL_SECONDS)
        self._tell()

    def _tell(self) -> None:
        """Copies what this machine knows about fetching."""
        pip = pip_settings()
        for file in certificates(self._variables, pip) | {Path("/etc/resolv.conf")}:
            target = self.folder / file.relative_to("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
        (self.folder / "etc/apt/apt.conf.d/50this-machine").write_text(apt_settings())
        with (self.folder / "etc/pip.conf").open("w") as configuration:
            pip.write(configuration)

    def install(self, names: Sequence[str]) -> None:
        self.run(
            PERSONS["root"],
            f"apt-get update -q && apt-get install -q -y --no-install-recommends {' '.join(names)}",
            MAX_INSTALL_SECONDS,
        )
        self._tell()  # again: certificates may have come along, and taken the place of ours

    def bring(self, person: Person) -> Person:
        """Gives a person the committed files; where they work."""
        if person.user != "root":
            self.run(PERSONS["root"], f"useradd -m {person.user}", MAX_INSTALL_SECONDS)
        folder = f"{person.home}/oncepay"
        files = subprocess.run(
            ["git", "-C", str(REPOSITORY), "archive", "HEAD"],  # noqa: S607
            capture_output=True,
            check=True,
        )
        target = self.folder / folder.lstrip("/")
        target.mkdir()
        subprocess.run(["tar", "-x", "-C", str(target)], input=files.stdout, check=True)  # noqa: S607
        chown = f"chown -R {person.user}: {folder} && chmod 0700 {person.home}"
        self.run(PERSONS["root"], chown, MAX_INSTALL_SECONDS)
        return Person(person.user, folder)

    def run(self, person: Person, command: str, seconds: float) -> list[str]:
        """Runs a command of the shell as a person; what it printed."""
        inside = ("sh", "-e", "-c", INSIDE, "sh", str(self.folder), person.user, person.home)
        return self._execute(_in_namespaces(*inside, command), seconds)

    def _execute(self, command: Sequence[str], seconds: float) -> list[str]:
        with self._log.open("a+b") as log:
            begin = log.tell()
            try:
                code = subprocess.run(
                    command,
                    env=self._variables,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    timeout=seconds,
                    check=False,
                ).returncode
            except subprocess.TimeoutExpired:
                code = None
            log.seek(begin)
            printed = log.read().decode(errors="replace").splitlines()
        if code != 0:
            how = f"took more than {seconds:.0f} s" if code is None else f"ended with {code}"
            last = "\n".join(f"    {line}" for line in printed[-LINES_OF_A_FAILURE:])
            raise StepFailed(f"{command[-1]}\n{how}; the last that it printed:\n{last}")
        return printed


def _in_namespaces(*command: str) -> list[str]:
    return ["unshare", "--mount", "--pid", "--ipc", "--fork", "--kill-child", "--", *command]


@contextmanager
def temporary_root() -> Iterator[Root]:
    """A folder for a root file system, which is gone at the end."""
    # On a disk, which the usual temporary folder may not be: a gigabyte comes together.
    folder = Path(tempfile.mkdtemp(prefix="oncepay-newcomer-", dir="/var/tmp"))
    root = folder / "root"
    root.mkdir(mode=0o755)
    try:
        yield Root(root, folder / "log")
    finally:
        shutil.rmtree(folder)


@contextmanager
def step(what: str) -> Iterator[None]:
    print(f"{what} ...", end=" ", flush=True)  # noqa: T201
    begin = time.monotonic()
    try:
        yield
    finally:
        print(f"{time.monotonic() - begin:.0f} s", flush=True)  # noqa: T201


def attempt(root: Root, person: Person, *, tests: bool) -> None:
    """The README's two commands, by one person."""
    with step(f"{person.user}: copying the committed files to {person.home}/oncepay"):
        place = root.bring(person)
    with step(f"{person.user}: make run, to its receipt, and its end"):
        printed = root.run(place, RUN.format(options=port_options()), MAX_RUN_SECONDS)
    print("\n".join(f"    {line}" for line in printed if line.startswith(("✓", "Everything"))))  # noqa: T201
    if tests:
        with step(f"{person.user}: make test"):
            printed = root.run(place, "make test", MAX_TEST_SECONDS)
        print(f"    {printed[-1]}")  # noqa: T201


def main() -> int:
    parser = argparse.ArgumentParser(prog="make newcomer", description=__doc__.partition("\n")[0])
    parser.add_argument("--as", dest="persons", choices=PERSONS, action="append")
    parser.add_argument("--without-tests", action="store_true", help="`make run` only")
    arguments = parser.parse_args()
    missing = [name for name in ("debootstrap", "unshare", "git", "tar") if not shutil.which(name)]
    if os.geteuid() != 0 or missing:
        needs = (
            f"apt install {' '.join(missing)}" if missing else "be root, for it changes its root"
        )
        print(f"A Debian from nothing needs some things of this one: {needs}.", file=sys.stderr)  # noqa: T201
        return 1
    try:
        with temporary_root() as root:
            with step(f"Debian ({RELEASE}) by debootstrap"):
                root.make()
            names = packages((REPOSITORY / "README.md").read_text())
            with step(f"apt install {' '.join(names)}"):
                root.install(names)
            python = root.run(PERSONS["root"], "python3 -V", MAX_INSTALL_SECONDS)
            print(f"    {python[-1]}")  # noqa: T201
            for name in arguments.persons or PERSONS:
                attempt(root, PERSONS[name], tests=not arguments.without_tests)
    except StepFailed as failure:
        print(failure, file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
