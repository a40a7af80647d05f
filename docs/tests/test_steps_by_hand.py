"""The README's steps without make, executed: two services, installed by pip alone, in a plain folder."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

if TYPE_CHECKING:
    from conftest import ServiceDatabase

ROOT = Path(__file__).parents[2]
SECTION = "## Step by step, without make"
BUILD_BACKEND = "hatchling==1.33.0"
# Downloads and two dozen wheels on a busy machine; bounds, not expectations.
INSTALL_SECONDS = 3600
START_SECONDS = 300

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the steps need, with a space in its path, after the steps were executed."""
    copy = tmp_path_factory.mktemp("by hand") / "a copy"
    left_out = shutil.ignore_patterns("__pycache__", "*password.txt", "tests")
    for package in ("protobuf", "chassis", "customer", "payment"):
        shutil.copytree(ROOT / package, copy / package, ignore=left_out)
    shutil.copy(ROOT / "VERSION", copy)
    environment = _bare_environment(tmp_path_factory.mktemp("programs"))
    _need_packages(environment, tmp_path_factory.mktemp("probe"))
    section = (ROOT / "README.md").read_text().split(SECTION)[1]
    steps = re.findall(r"^```\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)[0]
    done = subprocess.run(
        ["bash", "-e", "-c", steps],
        cwd=copy,
        env=environment,
        text=True,
        capture_output=True,
        check=False,
        timeout=INSTALL_SECONDS,
    )
    assert done.returncode == 0, f"{done.stdout[-2_000:]}\n{done.stderr[-2_000:]}"
    return copy


def test_customer_starts_as_it_was_installed(
    folder: Path, customer_database: "ServiceDatabase", free_port: Callable[[], int]
) -> None:
    with _started(folder, "customer", customer_database, free_port(), {}) as state:
        assert state == HealthCheckResponse.SERVING


def test_payment_starts_as_it_was_installed(
    folder: Path, payment_database: "ServiceDatabase", free_port: Callable[[], int]
) -> None:
    settings = {"STRIPE_API_KEY": "sk_test_nobody_is_called"}
    with _started(folder, "payment", payment_database, free_port(), settings) as state:
        assert state == HealthCheckResponse.SERVING


@pytest.mark.parametrize("service", ["customer", "payment"])
def test_a_service_without_settings_says_what_it_misses(folder: Path, service: str) -> None:
    done = subprocess.run(
        [folder / ".venv/bin/python", "-m", service],
        cwd=folder,
        env={},
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    assert "DATABASE_PASSWORD is not set" in done.stdout + done.stderr


def test_migrations_are_found_from_the_installed_package(
    folder: Path, customer_database: "ServiceDatabase"
) -> None:
    owner = {
        "DATABASE_URL": customer_database.owner_url,
        "DATABASE_PASSWORD": customer_database.owner_password,
    }
    done = subprocess.run(
        [folder / ".venv/bin/python", "-m", "customer", "migrate"],
        cwd=folder,
        env=owner,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _bare_environment(programs: Path) -> dict[str, str]:
    """The environment of a new user's shell: a `python`, and none of our packages."""
    python = programs / "python"
    # Not a link: an interpreter looks for its library beside the name it was called by.
    base = sys._base_executable  # type: ignore[attr-defined]  # typeshed leaves it out
    python.write_text(f'#!/bin/sh\nexec "{base}" "$@"\n')
    python.chmod(0o755)
    ours = re.compile("VIRTUAL_ENV|PYTHON.*|COV_.*|COVERAGE_.*")
    kept = {name: value for name, value in os.environ.items() if not ours.fullmatch(name)}
    # Should the steps fail to make their environment, pip must not install into another.
    return kept | {
        "PATH": f"{programs}:/usr/bin:/bin",
        "PIP_REQUIRE_VIRTUALENV": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


def _need_packages(environment: dict[str, str], probe: Path) -> None:
    """Skip where there is no package index; never on CI, where one is required."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir"]
    options = ["--retries", "1", "--timeout", "20", "--dest", str(probe)]
    outside = environment | {"PIP_REQUIRE_VIRTUALENV": "0"}
    asked = [*command, *options, BUILD_BACKEND]
    done = subprocess.run(asked, env=outside, capture_output=True, text=True, check=False)
    if done.returncode != 0 and "CI" not in os.environ:
        pytest.skip("there is no package index to be reached, and these steps install from one")
    assert done.returncode == 0, done.stderr


@contextmanager
def _started(
    folder: Path, service: str, database: "ServiceDatabase", port: int, more: dict[str, str]
) -> Iterator[int]:
    """The service as a process; yields its health. It must stop cleanly."""
    settings = {
        "LISTEN_ADDRESS": f"127.0.0.1:{port}",
        "DATABASE_URL": database.url,
        "DATABASE_PASSWORD": database.password,
        **more,
    }
    process = subprocess.Popen(
        [folder / ".venv/bin/python", "-m", service], cwd=folder, env=settings
    )
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub: Any = HealthStub(channel)
            asked = stub.Watch(
                HealthCheckRequest(service="readiness"), timeout=START_SECONDS, wait_for_ready=True
            )
            answers = (answer.status for answer in asked)
            yield next(status for status in answers if status == HealthCheckResponse.SERVING)
            asked.cancel()
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(START_SECONDS) == 0
