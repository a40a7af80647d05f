"""`python -m customer` as a process: its commands, its environment, its end."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from oncepay.customer.v1.customer_service_pb2 import GetCustomerRequest
from oncepay.customer.v1.customer_service_pb2_grpc import CustomerServiceStub

from customer.repository.postgresql import SCHEMA_VERSION

from ..conftest import REQUEST_ID


def start(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "customer", *arguments],
        env={"PATH": os.environ["PATH"], **environment},
        stderr=subprocess.PIPE,
        text=True,
    )


def run(*arguments: str, **environment: str) -> tuple[int, str]:
    with start(*arguments, **environment) as process:
        _, output = process.communicate(timeout=60)
        return process.returncode, output


def test_it_serves_until_it_is_told_to_stop(
    customer_database: Any, free_port: Callable[[], int]
) -> None:
    address = f"127.0.0.1:{free_port()}"
    process = start(
        LISTEN_ADDRESS=address,
        DATABASE_URL=customer_database.url,
        DATABASE_PASSWORD=customer_database.password,
    )
    with process, grpc.insecure_channel(address) as channel:
        wanted = health_pb2.HealthCheckRequest(service="oncepay.customer.v1.CustomerService")
        stub: Any = health_pb2_grpc.HealthStub(channel)
        watch = stub.Watch(wanted, wait_for_ready=True, timeout=60)
        next(each for each in watch if each.status == health_pb2.HealthCheckResponse.SERVING)
        request = GetCustomerRequest(name=f"customers/{REQUEST_ID}")
        with pytest.raises(grpc.RpcError) as refused:
            CustomerServiceStub(channel).GetCustomer(request)
        assert refused.value.code() is grpc.StatusCode.NOT_FOUND
        process.send_signal(signal.SIGTERM)
        _, output = process.communicate(timeout=60)
    assert process.returncode == 0
    assert customer_database.password not in output


async def test_migrate_applies_the_migrations_and_can_be_repeated(
    empty_database: Any, customer_template: Any
) -> None:
    owner = {
        "DATABASE_URL": empty_database.owner_url,
        "DATABASE_PASSWORD": empty_database.owner_password,
    }
    for _ in range(2):
        code, output = run("migrate", **owner)
        assert code == 0, output
        assert empty_database.owner_password not in output
    connection = await asyncpg.connect(empty_database.superuser_url)
    assert await connection.fetchval("SELECT max(version) FROM schema_migrations") == SCHEMA_VERSION
    await connection.close()


def test_a_migration_that_fails_has_exit_code_1(tmp_path: Path) -> None:
    code, output = run("migrate", DATABASE_PASSWORD="x", MIGRATIONS_DIRECTORY=str(tmp_path / "no"))
    assert code == 1
    assert "MIGRATIONS_DIRECTORY" in output


def test_an_unknown_command_is_refused_with_a_message() -> None:
    code, output = run("serve")
    assert code == 1
    assert "python -m customer migrate" in output


def test_a_missing_password_is_refused_with_a_message() -> None:
    code, output = run()
    assert code == 1
    assert "DATABASE_PASSWORD" in output
    assert "Traceback" not in output
