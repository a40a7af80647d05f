"""Fixtures for the tests of every package: a real PostgreSQL, and a migrated database of a service.

`postgresql` is one cluster per test process, in a temporary folder, with the durability settings that the
services require. `customer_database` and `payment_database` are new for each test, copied from a template
that is migrated once; `empty_database` has the roles of a service and no schema.
"""

import dataclasses
import importlib
import itertools
import os
import secrets
import shutil
import signal
import subprocess
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import HealthCheck, settings

from oncepay_cli.errors import CommandError
from oncepay_cli.local.databases import Roles, close_common_databases, make_database, make_roles
from oncepay_cli.local.health import HOST
from oncepay_cli.local.health import free_port as unused_port
from oncepay_cli.local.postgresql import SUPERUSER, PostgreSQL

# Tests start processes while gRPC's threads run: gRPC's fork handlers would end the child.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "false"
# A shell sets SIGINT to ignored for background jobs, and child processes, which tests interrupt, inherit it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# pytest creates an empty module `chassis` for chassis/tests, unless the package is already imported.
for _package in ("chassis", "customer", "payment", "sandbox", "verification"):
    with suppress(ImportError):
        importlib.import_module(_package)

# No property may fail because the machine is slow.
settings.register_profile("oncepay", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("oncepay")

ROOT = Path(__file__).parent
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
    """A running cluster; it is stopped and its folder removed at the end."""
    # Not pytest's temporary folder: where root runs the tests, the server's user must be able to enter.
    folder = Path(tempfile.mkdtemp(prefix="oncepay-test-"))
    folder.chmod(0o711)
    server = PostgreSQL(
        data=folder / "postgresql",
        log=folder / "postgresql.log",
        port=unused_port(),
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
    """A database with a service's two roles and no schema."""
    roles = _fresh_roles("guest")
    make_roles(postgresql, roles)
    yield from _copy(postgresql, "guest", roles, template="template1")


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Returns a port of 127.0.0.1 that nobody listens on, a different one at each call."""
    returned: set[int] = set()

    def next_port() -> int:
        while True:
            if (port := unused_port()) not in returned:
                returned.add(port)
                return port

    return next_port


def _started(server: PostgreSQL) -> PostgreSQL:
    """Starts a cluster; on another port if another process takes the port meanwhile."""
    for _ in range(MAX_PORTS):
        try:
            server.start()
        except CommandError as error:
            if "is in use" not in str(error):
                raise
            server = dataclasses.replace(server, port=unused_port())
        else:
            return server
    raise AssertionError(f"{MAX_PORTS} free ports came into use before the cluster could start")


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
    result = subprocess.run(
        migrate,
        env=os.environ | {"DATABASE_URL": url + "?sslmode=disable"},
        cwd=server.data.parent,
        text=True,
        capture_output=True,
        check=False,
    )
    assert result.returncode == 0, f"{service}'s migrations failed: {result.stdout}{result.stderr}"
    # A service waits for the schema that it needs; without this check a test would wait with it.
    needed = importlib.import_module(f"{service}.repository.postgresql").SCHEMA_VERSION
    assert list((ROOT / service / "migrations").glob(f"{needed}_*.sql")), f"no migration {needed}"
    return roles


def _copy(
    server: PostgreSQL, service: str, roles: Roles, template: str
) -> Iterator[ServiceDatabase]:
    name = f"{service}_{next(_numbers)}"
    make_database(server, name, roles, template)
    address = f"{HOST}:{server.port}/{name}"
    yield ServiceDatabase(
        host=HOST,
        port=server.port,
        name=name,
        url=f"postgresql://{roles.user}@{address}",
        password=roles.password,
        owner_url=f"postgresql://{roles.owner}@{address}",
        owner_password=roles.owner_password,
        superuser_url=f"postgresql://{SUPERUSER}:{server.password}@{address}",
    )
    server.run(f"DROP DATABASE {name} WITH (FORCE);")
