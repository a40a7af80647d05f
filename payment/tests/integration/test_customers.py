"""What the Customer service's answers mean, asked of real servers: only a clear yes is one."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from grpc import StatusCode
from support.customer_service import CustomerStub
from support.examples import NOW, REQUEST

from chassis import call
from payment.customers.client import SECONDS, GrpcCustomers
from payment.domain.customer import Customer, CustomerStatus

ALICE = REQUEST.customer


@pytest.fixture
async def stub() -> AsyncIterator[CustomerStub]:
    async with CustomerStub().serve() as stub:
        yield stub


@pytest.fixture
async def customers(stub: CustomerStub) -> AsyncIterator[GrpcCustomers]:
    async with GrpcCustomers.open(f"ipv4:{stub.address}") as customers:
        yield customers


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ({}, CustomerStatus.ACTIVE),
        ({"state": 2}, CustomerStatus.BLOCKED),
        ({"delete_time": NOW}, CustomerStatus.DELETED),
        ({"delete_time": NOW, "state": 2}, CustomerStatus.DELETED),
        ({"state": 0}, CustomerStatus.UNAVAILABLE),
        ({"state": 99}, CustomerStatus.UNAVAILABLE),
    ],
)
async def test_a_customer_may_pay_who_is_active_and_not_deleted(
    stub: CustomerStub, customers: GrpcCustomers, said: dict[str, object], verdict: CustomerStatus
) -> None:
    stub.keep(ALICE, etag='"7"', **said)
    assert await customers.find(ALICE) == Customer(verdict, '"7"')


async def test_a_customer_who_is_not_there_may_not_pay(customers: GrpcCustomers) -> None:
    assert await customers.find(ALICE) == Customer(CustomerStatus.NOT_FOUND)


async def test_an_answer_about_another_customer_is_none(
    stub: CustomerStub, customers: GrpcCustomers
) -> None:
    stub.keep(ALICE, name="customers/01939c5e-0000-7000-8000-000000000bad")
    assert await customers.find(ALICE) == Customer(CustomerStatus.UNAVAILABLE)


@pytest.mark.parametrize(
    "code",
    [code for code in StatusCode if code not in (StatusCode.OK, StatusCode.NOT_FOUND)],
)
async def test_whatever_else_the_service_says_is_unavailable(
    stub: CustomerStub, customers: GrpcCustomers, code: StatusCode
) -> None:
    stub.keep(ALICE)
    stub.failures = [code] * 4
    assert await customers.find(ALICE) == Customer(CustomerStatus.UNAVAILABLE)


@pytest.mark.parametrize("code", [StatusCode.UNAVAILABLE, StatusCode.CANCELLED])
async def test_what_is_merely_away_or_stopping_is_asked_again(
    stub: CustomerStub, customers: GrpcCustomers, code: StatusCode
) -> None:
    stub.keep(ALICE)
    stub.failures = [code] * 3
    assert (await customers.find(ALICE)).status is CustomerStatus.ACTIVE
    assert len(stub.calls) == 4


async def test_what_failed_otherwise_is_not_asked_again(
    stub: CustomerStub, customers: GrpcCustomers
) -> None:
    stub.keep(ALICE)
    stub.failures = [StatusCode.INTERNAL]
    assert (await customers.find(ALICE)).status is CustomerStatus.UNAVAILABLE
    assert len(stub.calls) == 1


async def test_the_call_id_goes_on_and_the_time_is_bounded(
    stub: CustomerStub, customers: GrpcCustomers
) -> None:
    stub.keep(ALICE)

    async def within_a_call(seconds: float | None) -> None:
        call.begin("a1b2c3d4e5f60718", seconds)
        await customers.find(ALICE)

    await asyncio.create_task(within_a_call(None))
    await asyncio.create_task(within_a_call(1))
    (said, long), (_, short) = stub.calls
    assert said["x-request-id"] == "a1b2c3d4e5f60718"
    assert short < 1.5 < long < SECONDS + 0.5


async def test_nobody_there_is_unavailable() -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        address = f"ipv4:127.0.0.1:{unheard.getsockname()[1]}"
        async with GrpcCustomers.open(address) as customers:
            assert (await customers.find(ALICE)).status is CustomerStatus.UNAVAILABLE


async def test_a_service_that_never_answers_is_given_up() -> None:
    async def say_nothing(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _reader.read()
        writer.close()

    mute = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    async with mute:
        port = mute.sockets[0].getsockname()[1]
        async with GrpcCustomers.open(f"ipv4:127.0.0.1:{port}") as customers:
            assert (await customers.find(ALICE)).status is CustomerStatus.UNAVAILABLE


async def test_calls_go_to_all_replicas_and_a_stopped_one_costs_none() -> None:
    first, second = CustomerStub(), CustomerStub()
    async with AsyncExitStack() as stack, AsyncExitStack() as stopping:
        await stopping.enter_async_context(first.serve())
        await stack.enter_async_context(second.serve())
        for each in (first, second):
            each.keep(ALICE)
        target = f"ipv4:{first.address},{second.address}"
        customers = await stack.enter_async_context(GrpcCustomers.open(target))

        async def ask(times: int) -> set[CustomerStatus]:
            return {(await customers.find(ALICE)).status for _ in range(times)}

        async with asyncio.timeout(10):
            while not (first.calls and second.calls):
                assert await ask(1) == {CustomerStatus.ACTIVE}
        before = len(first.calls), len(second.calls)
        assert await ask(10) == {CustomerStatus.ACTIVE}
        shares = len(first.calls) - before[0], len(second.calls) - before[1]
        assert shares == (5, 5)

        await stopping.aclose()
        assert await ask(10) == {CustomerStatus.ACTIVE}

        seen = len(first.calls)
        async with first.serve(first.address), asyncio.timeout(20):
            while len(first.calls) == seen:
                assert await ask(1) == {CustomerStatus.ACTIVE}
                await asyncio.sleep(0.05)
