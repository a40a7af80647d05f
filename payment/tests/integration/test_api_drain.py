"""What becomes of payments under way when the service is told to stop."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from grpc import StatusCode
from oncepay.payment.v1 import payment_pb2 as pb
from oncepay.payment.v1 import payment_service_pb2 as service_pb
from whole_service import refused, whole_service

from sandbox.faults import Kind


async def state_on_disk(database: Any) -> str:
    connection = await asyncpg.connect(database.superuser_url)
    state: str = await connection.fetchval("SELECT state FROM payments")
    await connection.close()
    return state


@pytest.mark.parametrize(
    ("drain_seconds", "state"), [(10, "SUCCEEDED"), (0, "CONFIRMING")], ids=["time", "no time"]
)
async def test_a_payment_whose_caller_has_left_may_end_while_the_service_stops(
    payment_database: Any,
    free_port: Callable[[], int],
    tmp_path: Path,
    drain_seconds: float,
    state: str,
) -> None:
    address = f"127.0.0.1:{free_port()}"
    async with whole_service(payment_database, address, tmp_path, drain_seconds) as service:
        watch = service_pb.WatchPaymentEventsRequest(parent="payments/-")
        watching = service.stub.WatchPaymentEvents(watch)
        service.plan(Kind.SLOW, "/confirm", seconds=2)
        payment = await service.stub.CreatePayment(service.creation(), timeout=1)
        assert payment.state == pb.Payment.PROCESSING
        await watching.read()
        os.kill(os.getpid(), signal.SIGTERM)
        assert await refused(watching.read()) == (StatusCode.UNAVAILABLE, "DRAINING")
        await service.serving
        assert await state_on_disk(payment_database) == state
