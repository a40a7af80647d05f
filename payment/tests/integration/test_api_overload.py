"""A crowd of callers, a slow processor, a database that is slow for them: unresolved money first."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
import structlog
from grpc import StatusCode, aio
from oncepay.payment.v1 import payment_pb2 as pb
from oncepay.payment.v1 import payment_service_pb2 as service_pb
from support.running_service import RunningService, refusal, running_service

from chassis import telemetry
from chassis.telemetry import log
from payment import __main__ as root
from sandbox.faults import Kind

PLACES = 4


@pytest.fixture
async def service(
    payment_database: Any,
    free_port: Callable[[], int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[RunningService]:
    """With room for few callers: the proportions of a great crowd."""
    telemetry.configure("payment", "json")  # what is printed for people takes long, for a crowd
    monkeypatch.setattr(root, "REQUEST_SLOTS", PLACES)
    address = f"127.0.0.1:{free_port()}"
    async with running_service(
        payment_database, address, tmp_path, database_pool_size=2
    ) as service:
        yield service
    structlog.reset_defaults()
    vars(log).pop("bind", None)


@contextmanager
def crowd(call: Callable[[], Awaitable[object]], size: int) -> Iterator[None]:
    """Callers who call, and call again whatever they are told, until it is over."""

    async def insist() -> None:
        while True:
            try:
                await call()
            except aio.AioRpcError:
                await asyncio.sleep(0.01)

    callers = [asyncio.create_task(insist()) for _ in range(size)]
    try:
        yield
    finally:
        for each in callers:
            each.cancel()


@asynccontextmanager
async def locked(service: RunningService, payment: pb.Payment) -> AsyncIterator[None]:
    """Whoever writes this payment's row waits for its lock, holding a connection."""
    connection = await asyncpg.connect(service.database.superuser_url)
    async with connection.transaction():
        await connection.execute(
            "SELECT FROM payments WHERE id = $1 FOR UPDATE", payment.name.removeprefix("payments/")
        )
        yield
    await connection.close()


async def state_on_disk(service: RunningService, payment: pb.Payment) -> str:
    """Past the service: its callers' connections are all taken."""
    connection = await asyncpg.connect(service.database.superuser_url)
    state: str = await connection.fetchval(
        "SELECT state FROM payments WHERE id = $1", payment.name.removeprefix("payments/")
    )
    await connection.close()
    return state


async def resolved(service: RunningService, payment: pb.Payment) -> None:
    async with asyncio.timeout(40):
        while await state_on_disk(service, payment) != "SUCCEEDED":  # noqa: ASYNC110 (past the service: it tells nobody)
            await asyncio.sleep(0.2)


async def share_is_full(service: RunningService) -> None:
    """Waits until as many calls are under way as callers can have; none of them ends soon."""
    async with asyncio.timeout(20):
        while any(plan.kind is Kind.SLOW for plan, _ in service.faults.planned()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def make_creations_slow(service: RunningService, times: int | None) -> None:
    service.plan(Kind.SLOW, "POST /v1/payment_intents$", times=times, seconds=60)


async def test_a_payment_beyond_the_callers_share_is_unavailable_and_recorded_nowhere(
    service: RunningService,
) -> None:
    make_creations_slow(service, times=PLACES)
    with crowd(service.pay, PLACES):
        await share_is_full(service)
        refused = await refusal(service.pay())
        listed = await service.stub.ListPayments(service_pb.ListPaymentsRequest())
    assert (refused.code, refused.info.reason) == (StatusCode.UNAVAILABLE, "PROCESSOR_UNAVAILABLE")
    assert refused.is_worth_repeating
    assert not listed.payments


async def test_unresolved_money_is_resolved_while_a_crowd_has_all_that_callers_can_have(
    service: RunningService,
) -> None:
    other = await service.pay()
    service.plan(Kind.LOSE_REPLY, "/confirm")
    service.plan(Kind.REFUSE, "GET /v1/payment_intents", times=None, status=503)
    unresolved = await service.pay()
    assert unresolved.state == pb.Payment.PROCESSING

    async def update() -> None:
        asked = pb.Payment(name=other.name, description=str(uuid4()))
        await service.stub.UpdatePayment(service_pb.UpdatePaymentRequest(payment=asked))

    async with locked(service, other):
        make_creations_slow(service, times=PLACES)
        with crowd(service.pay, 3 * PLACES):
            await share_is_full(service)
            with crowd(update, 20):
                await asyncio.sleep(3)  # until they have every connection, and wait for more
                assert await state_on_disk(service, unresolved) == "CONFIRMING"
                service.faults.clear()
                make_creations_slow(service, times=None)
                await service.look_now(unresolved)
                await resolved(service, unresolved)
