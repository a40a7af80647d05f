"""Too many callers, a slow processor, and a database that is slow for them: recovery goes on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from grpc import StatusCode, aio
from oncepay.payment.v1 import payment_pb2 as pb
from oncepay.payment.v1 import payment_service_pb2 as service_pb
from support.api_requests import update_request
from support.running_service import RunningService, error_of, running_service
from support.waiting import LONG_SECONDS, until

from payment import __main__ as composition
from payment.service_layer import bulkhead
from sandbox.faults import Kind

SLOTS = 4
CONNECTIONS = 2


@pytest.fixture
async def service(
    payment_database: Any,
    free_port: Callable[[], int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[RunningService]:
    """The running service, with few slots and connections for callers: few callers are too many."""
    monkeypatch.setattr(composition, "REQUEST_SLOTS", SLOTS)
    monkeypatch.setattr(bulkhead, "WAIT_SECONDS", 0.1)
    address = f"127.0.0.1:{free_port()}"
    async with running_service(
        payment_database, address, tmp_path, database_pool_size=CONNECTIONS
    ) as running:
        yield running


@contextmanager
def callers(call: Callable[[], Awaitable[object]], number: int) -> Iterator[None]:
    """So many callers that call again whatever the answer, until the block ends."""

    async def call_again_and_again() -> None:
        while True:
            try:
                await call()
            except aio.AioRpcError:
                await asyncio.sleep(0.01)

    tasks = [asyncio.create_task(call_again_and_again()) for _ in range(number)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()


@asynccontextmanager
async def locked(service: RunningService, payment: pb.Payment) -> AsyncIterator[None]:
    """Who writes the payment's row waits for its lock, and holds a connection."""
    connection = await asyncpg.connect(service.database.superuser_url)
    async with connection.transaction():
        payment_id = payment.name.removeprefix("payments/")
        await connection.execute("SELECT FROM payments WHERE id = $1 FOR UPDATE", payment_id)
        yield
    await connection.close()


async def stored_state(service: RunningService, payment: pb.Payment) -> Any:
    """The state in the database; the service's connections may all be taken."""
    return await service.query("SELECT state FROM payments WHERE id = $1", payment)


def make_creations_slow(service: RunningService, times: int | None) -> None:
    service.plan_fault(Kind.SLOW, "POST /v1/payment_intents$", times=times, seconds=LONG_SECONDS)


async def all_slots_are_taken(service: RunningService) -> bool:
    """Whether every planned slow creation has begun; none of them ends soon."""
    return not any(plan.kind is Kind.SLOW for plan, _ in service.faults.planned())


async def all_connections_wait(service: RunningService) -> bool:
    """Whether all connections of callers wait for the lock."""
    waiting = await service.query(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return int(waiting) >= CONNECTIONS


async def test_a_payment_without_a_slot_is_unavailable_and_recorded_nowhere(
    service: RunningService,
) -> None:
    make_creations_slow(service, times=SLOTS)
    with callers(service.pay, SLOTS):
        await until(lambda: all_slots_are_taken(service))
        error = await error_of(service.pay())
        listed = await service.stub.ListPayments(service_pb.ListPaymentsRequest())
    assert (error.code, error.info.reason) == (StatusCode.UNAVAILABLE, "PROCESSOR_UNAVAILABLE")
    assert error.may_be_repeated
    assert not listed.payments


@pytest.mark.usefixtures("frequent_recovery")
async def test_recovery_resolves_a_payment_while_callers_hold_all_their_slots_and_connections(
    service: RunningService,
) -> None:
    other = await service.pay()
    service.plan_fault(Kind.LOSE_REPLY, "/confirm")
    service.plan_fault(Kind.REFUSE, "GET /v1/payment_intents", times=None, status=503)
    unresolved = await service.pay()
    assert unresolved.state == pb.Payment.PROCESSING

    async def update() -> None:
        await service.stub.UpdatePayment(update_request(other, description=str(uuid4())))

    async with locked(service, other):
        make_creations_slow(service, times=SLOTS)
        with callers(service.pay, 3 * SLOTS):
            await until(lambda: all_slots_are_taken(service))
            with callers(update, 20):
                await until(lambda: all_connections_wait(service))
                assert await stored_state(service, unresolved) == "CONFIRMING"
                service.faults.clear()
                make_creations_slow(service, times=None)
                await service.make_due(unresolved)

                async def is_resolved() -> bool:
                    return bool(await stored_state(service, unresolved) == "SUCCEEDED")

                await until(is_resolved)
