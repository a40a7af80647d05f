"""What becomes of payments under way when the service is told to stop."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from grpc import aio
from oncepay.payment.v1 import payment_pb2 as pb
from oncepay.payment.v1 import payment_service_pb2 as service_pb
from support.running_service import running_service

from sandbox.faults import Kind


async def states_on_disk(database: Any) -> list[str]:
    connection = await asyncpg.connect(database.superuser_url)
    found = await connection.fetch("SELECT state FROM payments")
    await connection.close()
    return [row["state"] for row in found]


@pytest.mark.usefixtures("callers_are_told_early")
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
    async with running_service(payment_database, address, tmp_path, drain_seconds) as service:
        watch = service_pb.WatchPaymentEventsRequest(parent="payments/-")
        watching = service.stub.WatchPaymentEvents(watch)
        service.plan(Kind.SLOW, "/confirm", seconds=4)
        payment = await service.stub.CreatePayment(service.creation(), timeout=2)
        assert payment.state == pb.Payment.PROCESSING
        await watching.read()
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(aio.AioRpcError):
            await watching.read()
        await service.serving
        assert await states_on_disk(payment_database) == [state]


@pytest.mark.usefixtures("callers_are_told_early")
async def test_what_is_left_in_hand_shares_the_time_that_the_calls_had_for_ending(
    payment_database: Any, free_port: Callable[[], int], tmp_path: Path
) -> None:
    """One DRAIN_SECONDS for all: whoever starts us kills us a little after it."""
    address = f"127.0.0.1:{free_port()}"
    async with running_service(payment_database, address, tmp_path, drain_seconds=4) as service:
        watching = service.stub.WatchPaymentEvents(
            service_pb.WatchPaymentEventsRequest(parent="payments/-")
        )
        service.plan(Kind.SLOW, "/confirm", times=None, seconds=8)
        left = await service.stub.CreatePayment(service.creation(), timeout=2)
        assert left.state == pb.Payment.PROCESSING
        waited_for = asyncio.ensure_future(service.stub.CreatePayment(service.creation()))
        for _ in range(2):
            await watching.read()
        os.kill(os.getpid(), signal.SIGTERM)
        await service.serving
        assert not waited_for.done() or waited_for.exception()
        waited_for.cancel()
        states = await states_on_disk(payment_database)
        assert states == ["CONFIRMING"] * 2, "8 s were not waited for, in 4"
