"""`python -m payment` as a process: its commands, its environment, its logs, its end."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
from grpc import StatusCode, aio
from oncepay.payment.v1 import payment_pb2 as pb
from oncepay.payment.v1 import payment_service_pb2 as service_pb
from oncepay.payment.v1.payment_service_pb2_grpc import PaymentServiceStub
from support.customer_service import CustomerStub
from support.examples import REQUEST
from support.running_service import ready, refusal

from payment.repository.postgresql import SCHEMA_VERSION
from sandbox.application import application, listening
from sandbox.faults import Fault, Faults, Kind
from sandbox.sandbox import Sandbox
from sandbox.world import Rules

KEY = "sk_test_not_in_the_logs"


def started(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "payment", *arguments],
        env={"PATH": os.environ["PATH"], **environment},
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(*arguments: str, **environment: str) -> tuple[int, str]:
    with started(*arguments, **environment) as process:
        _, told = process.communicate(timeout=60)
        return process.returncode, told


async def test_it_serves_until_it_is_told_to_stop_and_logs_what_a_person_must_see(
    payment_database: Any, free_port: Callable[[], int], tmp_path: Path
) -> None:
    address = f"127.0.0.1:{free_port()}"
    sandbox, faults, customers = Sandbox(tmp_path, Rules()), Faults(), CustomerStub()
    customers.keep(REQUEST.customer)
    runner, processor_address = await listening(application(sandbox, faults), "127.0.0.1", 0)
    async with customers.serve(), aio.insecure_channel(address) as channel:
        process = started(
            LISTEN_ADDRESS=address,
            DATABASE_URL=payment_database.url,
            DATABASE_PASSWORD=payment_database.password,
            CUSTOMER_TARGET=f"ipv4:{customers.address}",
            STRIPE_API_KEY=KEY,
            STRIPE_BASE_ADDRESS=processor_address,
            LOG_FORMAT="json",
        )
        with process:
            await ready(channel)
            stub: Any = PaymentServiceStub(channel)
            asked = service_pb.CreatePaymentRequest(
                payment=pb.Payment(
                    customer=str(REQUEST.customer),
                    amount=pb.Money(minor_units=1000, currency_code="EUR"),
                    payment_method="pm_card_visa",
                ),
                request_id=str(REQUEST.request_id),
            )
            faults.plan(Fault(Kind.REFUSE, "POST /v1/payment_intents$", status=400))
            error = await refusal(stub.CreatePayment(asked))
            assert error.code is StatusCode.INTERNAL
            assert (await stub.CreatePayment(asked)).state == pb.Payment.SUCCEEDED
            process.send_signal(signal.SIGTERM)
            _, told = await asyncio.to_thread(process.communicate, timeout=60)
    await runner.cleanup()
    await sandbox.close()
    assert process.returncode == 0
    assert KEY not in told
    assert payment_database.password not in told
    lines = [json.loads(line) for line in told.splitlines()]
    (alarm,) = [line for line in lines if line["event"] == "invariant_violated"]
    assert alarm["level"] == "error"
    assert alarm["call"] == error.info.metadata["call_id"], "who was told can be helped"
    assert "the processor refuses our request" in alarm["reason"]
    assert not [line for line in lines if "omitted_fields" in line]
    assert [line["event"] for line in lines if line["level"] != "info"] == ["invariant_violated"]


async def test_migrate_brings_the_schema_forward_and_can_be_repeated(
    empty_database: Any, payment_template: Any
) -> None:
    owner = {
        "DATABASE_URL": empty_database.owner_url,
        "DATABASE_PASSWORD": empty_database.owner_password,
    }
    for _ in range(2):
        code, told = ended("migrate", **owner)
        assert code == 0, told
        assert empty_database.owner_password not in told
    connection = await asyncpg.connect(empty_database.superuser_url)
    assert await connection.fetchval("SELECT max(version) FROM schema_migrations") == SCHEMA_VERSION
    await connection.close()


def test_a_migration_that_fails_is_told_by_the_exit_code(tmp_path: Path) -> None:
    code, told = ended("migrate", DATABASE_PASSWORD="x", MIGRATIONS_DIRECTORY=str(tmp_path / "no"))
    assert code == 1
    assert "MIGRATIONS_DIRECTORY" in told


def test_an_unknown_command_is_refused_in_a_sentence() -> None:
    code, told = ended("serve")
    assert code == 1
    assert "python -m payment migrate" in told


def test_a_key_of_another_environment_is_refused_in_a_sentence() -> None:
    code, told = ended(DATABASE_PASSWORD="x", STRIPE_API_KEY="sk_live_secret")
    assert code == 1
    assert "STRIPE_API_KEY" in told
    assert "sk_live_secret" not in told
    assert "Traceback" not in told
