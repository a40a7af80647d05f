"""What becomes of payments in progress when the service is told to stop."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from grpc import aio
from oncepay.payment.v1 import payment_pb2 as pb
from support.running_service import running_service
from support.waiting import LONG_SECONDS

from payment.api.background_tasks import BackgroundTasks
from sandbox.faults import Kind

pytestmark = pytest.mark.usefixtures("answers_callers_at_once")


async def stored_states(database: Any) -> list[str]:
    connection = await asyncpg.connect(database.superuser_url)
    rows = await connection.fetch("SELECT state FROM payments")
    await connection.close()
    return [row["state"] for row in rows]


@pytest.mark.parametrize(
    ("drain_seconds", "confirm_seconds", "state"),
    [(LONG_SECONDS, 0.5, "SUCCEEDED"), (0, LONG_SECONDS, "CONFIRMING")],
    ids=["there is time", "there is no time"],
)
async def test_a_payment_whose_caller_has_left_ends_while_the_service_stops_if_there_is_time(
    payment_database: Any,
    free_port: Callable[[], int],
    tmp_path: Path,
    drain_seconds: float,
    confirm_seconds: float,
    state: str,
) -> None:
    address = f"127.0.0.1:{free_port()}"
    async with running_service(payment_database, address, tmp_path, drain_seconds) as service:
        watching = service.watch()
        service.plan_fault(Kind.SLOW, "/confirm", seconds=confirm_seconds)
        payment = await service.pay()
        assert payment.state == pb.Payment.PROCESSING
        await watching.read()
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(aio.AioRpcError):
            await watching.read()
        await service.serving
        assert await stored_states(payment_database) == [state]


async def test_payments_in_progress_have_what_is_left_of_the_time_for_running_calls(
    payment_database: Any,
    free_port: Callable[[], int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """DRAIN_SECONDS is the time for both: whoever started the service kills it a little later."""
    waited: list[float] = []
    drain = BackgroundTasks.drain

    async def record(self: BackgroundTasks, seconds: float) -> None:
        waited.append(seconds)
        await drain(self, seconds)

    monkeypatch.setattr(BackgroundTasks, "drain", record)
    address = f"127.0.0.1:{free_port()}"
    async with running_service(payment_database, address, tmp_path, drain_seconds=1) as service:
        service.plan_fault(Kind.SLOW, "/confirm", seconds=LONG_SECONDS)
        assert (await service.pay()).state == pb.Payment.PROCESSING
        service.customers.may_answer.clear()
        service.customers.called.clear()
        running_call = service.stub.CreatePayment(service.create_request())
        await service.customers.called.wait()
        os.kill(os.getpid(), signal.SIGTERM)
        await service.serving
        service.customers.may_answer.set()
        running_call.cancel()
    assert waited == [0], "the running call took all of the second"
    assert await stored_states(payment_database) == ["CONFIRMING"]
