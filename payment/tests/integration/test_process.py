"""`python -m payment`: it serves as a process, and its commands end with an exit code and a sentence."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from grpc import StatusCode, aio
from oncepay.payment.v1 import payment_pb2 as pb
from oncepay.payment.v1 import payment_service_pb2 as service_pb
from oncepay.payment.v1.payment_service_pb2_grpc import PaymentServiceStub
from support.commands import run_command
from support.customer_service import CustomerServiceStub
from support.examples import REQUEST
from support.running_service import error_of, wait_until_ready

from chassis.server import run
from payment.__main__ import main
from payment.repository.postgresql import SCHEMA_VERSION
from sandbox.application import application, listening
from sandbox.faults import Fault, Faults, Kind
from sandbox.sandbox import Sandbox
from sandbox.world import Rules

API_KEY = "sk_test_not_in_the_logs"


async def test_it_serves_until_sigterm_and_logs_alerts_without_any_secret(
    payment_database: Any, free_port: Callable[[], int], tmp_path: Path
) -> None:
    address = f"127.0.0.1:{free_port()}"
    sandbox, faults, customers = Sandbox(tmp_path, Rules()), Faults(), CustomerServiceStub()
    customers.add(REQUEST.customer)
    runner, processor_address = await listening(application(sandbox, faults), "127.0.0.1", 0)
    request = service_pb.CreatePaymentRequest(
        payment=pb.Payment(
            customer=str(REQUEST.customer),
            amount=pb.Money(minor_units=1000, currency_code="EUR"),
            payment_method="pm_card_visa",
        ),
        request_id=str(REQUEST.request_id),
    )
    async with customers.serve(), aio.insecure_channel(address) as channel:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "payment"),
            env={
                "PATH": os.environ["PATH"],
                "LISTEN_ADDRESS": address,
                "DATABASE_URL": payment_database.url,
                "DATABASE_PASSWORD": payment_database.password,
                "CUSTOMER_TARGET": f"ipv4:{customers.address}",
                "STRIPE_API_KEY": API_KEY,
                "STRIPE_BASE_ADDRESS": processor_address,
                "LOG_FORMAT": "json",
            },
            stderr=subprocess.PIPE,
        )
        try:
            await wait_until_ready(channel)
            stub: Any = PaymentServiceStub(channel)
            faults.plan(Fault(Kind.REFUSE, "POST /v1/payment_intents$", status=400))
            error = await error_of(stub.CreatePayment(request))
            assert error.code is StatusCode.INTERNAL
            assert (await stub.CreatePayment(request)).state == pb.Payment.SUCCEEDED
            process.terminate()
            log = (await process.communicate())[1].decode()
        finally:
            if process.returncode is None:
                process.kill()
    await runner.cleanup()
    await sandbox.close()

    assert process.returncode == 0
    assert API_KEY not in log
    assert payment_database.password not in log
    events = [json.loads(line) for line in log.splitlines()]
    (alert,) = [event for event in events if event["level"] != "info"]
    assert (alert["event"], alert["level"]) == ("invariant_violated", "error")
    assert alert["call"] == error.info.metadata["call_id"], "the caller's error leads to the alert"
    assert "the processor refuses our request" in alert["reason"]
    assert not [event for event in events if "omitted_fields" in event]


async def test_migrate_brings_the_schema_forward_and_can_be_repeated(empty_database: Any) -> None:
    owner = {
        "DATABASE_URL": empty_database.owner_url,
        "DATABASE_PASSWORD": empty_database.owner_password,
    }
    for _ in range(2):
        result = await run_command("migrate", **owner)
        assert result.exit_code == 0, result.log
        assert empty_database.owner_password not in result.log
    connection = await asyncpg.connect(empty_database.superuser_url)
    assert await connection.fetchval("SELECT max(version) FROM schema_migrations") == SCHEMA_VERSION
    await connection.close()


async def test_an_api_key_of_another_environment_ends_the_process_with_a_sentence() -> None:
    result = await run_command(DATABASE_PASSWORD="x", STRIPE_API_KEY="sk_live_secret")
    assert result.exit_code == 1
    assert "STRIPE_API_KEY" in result.log
    assert "sk_live_secret" not in result.log
    assert "Traceback" not in result.log


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        (["serve"], {}, "python -m payment migrate"),
        (
            ["migrate"],
            {"DATABASE_PASSWORD": "x", "MIGRATIONS_DIRECTORY": "/nowhere"},
            "MIGRATIONS_DIRECTORY",
        ),
    ],
    ids=["unknown command", "failing migration"],
)
def test_a_command_that_cannot_be_done_ends_with_exit_code_1_and_a_sentence(
    arguments: list[str],
    environment: Mapping[str, str],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    for name in ("DATABASE_PASSWORD", "DATABASE_PASSWORD_FILE", "MIGRATIONS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as end:
        run(main(arguments))
    assert end.value.code == 1
    assert words in capfd.readouterr().err
