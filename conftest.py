"""What tests of every room may ask for: a real PostgreSQL, and a fresh migrated database of a service.

`postgresql` is one cluster per run, in a temporary folder, as durable as the real one: the services
refuse to start on less. `customer_database` and `payment_database` are new for each test, copied
from a template that was migrated once; `empty_database` is for what knows no service.
"""

import dataclasses
import importlib
import itertools
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest

from oncepay_cli.local.databases import Roles, close_common_databases, make_database, make_roles
from oncepay_cli.local.postgresql import SUPERUSER, PostgreSQL
from oncepay_cli.refusal import Refusal

# Processes are started while gRPC's threads run: its handlers of a fork would end the child.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "false"
# A shell ignores Ctrl-C for what it runs in the background, and so would our children, which are sent it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# pytest makes an empty module `chassis` for chassis/tests, unless the package of that name is there.
for _room in ("chassis", "customer", "payment", "sandbox", "proof"):
    with suppress(ImportError):
        importlib.import_module(_room)

ROOT = Path(__file__).parent
HOST = "127.0.0.1"
MAX_PORTS = 10
_numbers = itertools.count(1)
_last_reports: dict[object, str] = {}


@dataclass(frozen=True, slots=True)
class ServiceDatabase:
    """A migrated database of one service.

    Attributes:
        url: for the service's role, without the password.
        owner_url: for the role that migrates, without the password.
        superuser_url: for what a test does behind the service's back, with the password.
    """

    host: str
    port: int
    name: str
    url: str
    password: str
    owner_url: str
    owner_password: str
    superuser_url: str


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remembers what each worker of pytest-xdist reported last: its test is the one it may die of."""
    if (worker := getattr(report, "node", None)) is not None:
        _last_reports[worker] = report.nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Ends the run when a worker dies. pytest-xdist would replace it, and with `loadfile` hang."""
    if error:
        _end_run(f"the worker {node.gateway.id} died ({error})")


@pytest.hookimpl(tryfirst=True)
def pytest_internalerror(excinfo: pytest.ExceptionInfo[BaseException]) -> None:
    """The same, where tests were being sent to the worker before its death was noticed."""
    if isinstance(excinfo.value, OSError) and "cannot send" in str(excinfo.value):
        _end_run("a worker died while tests were sent to it")


def _end_run(reason: str) -> NoReturn:
    last = ", ".join(sorted(set(_last_reports.values()))) or "none"
    pytest.exit(
        f"{reason}, so this run ends. The last tests of all workers: {last}.",
        returncode=pytest.ExitCode.TESTS_FAILED,
    )


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A running cluster; it and its folder are gone at the end."""
    # Not pytest's own temporary folder: where root runs the tests, the user nobody must get in.
    folder = Path(tempfile.mkdtemp(prefix="oncepay-test-"))
    folder.chmod(0o711)
    server = PostgreSQL(
        data=folder / "postgresql",
        log=folder / "postgresql.log",
        port=_free_port(),
        password=secrets.token_urlsafe(),
        synced=False,
    )
    try:
        server = _started(server)
        close_common_databases(server)
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def customer_template(postgresql: PostgreSQL) -> Roles:
    return _migrated_template(postgresql, "customer")


@pytest.fixture(scope="session")
def payment_template(postgresql: PostgreSQL) -> Roles:
    return _migrated_template(postgresql, "payment")


@pytest.fixture
def customer_database(
    postgresql: PostgreSQL, customer_template: Roles
) -> Iterator[ServiceDatabase]:
    """A fresh database of Customer's."""
    yield from _copy(postgresql, "customer", customer_template, template="customer_template")


@pytest.fixture
def payment_database(postgresql: PostgreSQL, payment_template: Roles) -> Iterator[ServiceDatabase]:
    """A fresh database of Payment's."""
    yield from _copy(postgresql, "payment", payment_template, template="payment_template")


@pytest.fixture
def empty_database(postgresql: PostgreSQL) -> Iterator[ServiceDatabase]:
    """A database with a service's two roles and nothing in it: for what knows no service."""
    roles = _fresh_roles("guest")
    make_roles(postgresql, roles)
    yield from _copy(postgresql, "guest", roles, template="template1")


@pytest.fixture
def free_port() -> Callable[[], int]:
    """A port of 127.0.0.1 that nobody listens on, another one at each call."""
    given: set[int] = set()

    def give() -> int:
        while True:
            if (port := _free_port()) not in given:
                given.add(port)
                return port

    return give


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port


def _started(server: PostgreSQL) -> PostgreSQL:
    """Starts a cluster. Another test may take the port while the cluster is made: then on another."""
    for _ in range(MAX_PORTS):
        try:
            server.start()
        except Refusal as refusal:
            if "is taken" not in str(refusal):
                raise
            server = dataclasses.replace(server, port=_free_port())
        else:
            return server
    raise AssertionError(f"{MAX_PORTS} ports that were free were taken")


def _fresh_roles(user: str) -> Roles:
    return Roles(user, secrets.token_urlsafe(), f"{user}_owner", secrets.token_urlsafe())


def _migrated_template(server: PostgreSQL, service: str) -> Roles:
    roles = _fresh_roles(service)
    make_roles(server, roles)
    make_database(server, f"{service}_template", roles)
    url = f"postgres://{roles.owner}:{roles.owner_password}@{HOST}:{server.port}/{service}_template"
    migrate = [
        *(f"{sysconfig.get_path('scripts')}/dbmate", "--no-dump-schema"),
        *(f"--migrations-dir={ROOT / service / 'migrations'}", "migrate", "--strict"),
    ]
    done = subprocess.run(
        migrate,
        env=os.environ | {"DATABASE_URL": url + "?sslmode=disable"},
        cwd=server.data.parent,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, f"the migrations of {service} failed: {done.stdout}{done.stderr}"
    return roles


def _copy(
    server: PostgreSQL, service: str, roles: Roles, template: str
) -> Iterator[ServiceDatabase]:
    name = f"{service}_{next(_numbers)}"
    make_database(server, name, roles, template)
    place = f"{HOST}:{server.port}/{name}"
    yield ServiceDatabase(
        host=HOST,
        port=server.port,
        name=name,
        url=f"postgresql://{roles.user}@{place}",
        password=roles.password,
        owner_url=f"postgresql://{roles.owner}@{place}",
        owner_password=roles.owner_password,
        superuser_url=f"postgresql://{SUPERUSER}:{server.password}@{place}",
    )
    server.run(f"DROP DATABASE {name} WITH (FORCE);")
