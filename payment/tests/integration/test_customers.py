"""What the replies of the Customer service mean, asked of real servers: only a clear yes is one."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from grpc import StatusCode
from support.customer_service import CustomerServiceStub
from support.examples import NOW, REQUEST
from support.waiting import LONG_SECONDS, until

from chassis import call
from payment.customers import client
from payment.customers.client import GrpcCustomers
from payment.domain.customer import Customer, CustomerStatus

ALICE = REQUEST.customer


@pytest.fixture
async def stub() -> AsyncIterator[CustomerServiceStub]:
    async with CustomerServiceStub().serve() as stub:
        yield stub


@pytest.fixture
async def customers(stub: CustomerServiceStub) -> AsyncIterator[GrpcCustomers]:
    async with GrpcCustomers.open(f"ipv4:{stub.address}") as customers:
        yield customers


# ---------------------------------------------------------------- replies


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, CustomerStatus.ACTIVE),
        ({"state": 2}, CustomerStatus.BLOCKED),
        ({"delete_time": NOW}, CustomerStatus.DELETED),
        ({"delete_time": NOW, "state": 2}, CustomerStatus.DELETED),
        ({"state": 0}, CustomerStatus.UNAVAILABLE),
        ({"state": 99}, CustomerStatus.UNAVAILABLE),
    ],
    ids=["active", "blocked", "deleted", "deleted and blocked", "no state", "unknown state"],
)
async def test_only_an_active_customer_who_is_not_deleted_is_active(
    stub: CustomerServiceStub,
    customers: GrpcCustomers,
    fields: dict[str, Any],
    status: CustomerStatus,
) -> None:
    stub.add(ALICE, etag='"7"', **fields)
    assert await customers.find(ALICE) == Customer(status, '"7"')


async def test_a_customer_who_does_not_exist_is_not_found(customers: GrpcCustomers) -> None:
    assert await customers.find(ALICE) == Customer(CustomerStatus.NOT_FOUND)


async def test_a_reply_about_another_customer_counts_as_unavailable(
    stub: CustomerServiceStub, customers: GrpcCustomers
) -> None:
    stub.add(ALICE, name="customers/01939c5e-0000-7000-8000-000000000bad")
    assert await customers.find(ALICE) == Customer(CustomerStatus.UNAVAILABLE)


@pytest.mark.parametrize(
    "code",
    [code for code in StatusCode if code not in (StatusCode.OK, StatusCode.NOT_FOUND)],
)
async def test_every_error_but_not_found_counts_as_unavailable(
    stub: CustomerServiceStub, customers: GrpcCustomers, code: StatusCode
) -> None:
    stub.add(ALICE)
    stub.failures = [code] * 4
    assert await customers.find(ALICE) == Customer(CustomerStatus.UNAVAILABLE)


# ---------------------------------------------------------------- retries and deadlines


@pytest.mark.parametrize("code", [StatusCode.UNAVAILABLE, StatusCode.CANCELLED])
async def test_a_replica_that_is_away_or_stops_is_asked_up_to_four_times(
    stub: CustomerServiceStub, customers: GrpcCustomers, code: StatusCode
) -> None:
    stub.add(ALICE)
    stub.failures = [code] * 3
    assert (await customers.find(ALICE)).status is CustomerStatus.ACTIVE
    assert len(stub.calls) == 4


async def test_a_call_that_fails_otherwise_is_not_repeated(
    stub: CustomerServiceStub, customers: GrpcCustomers
) -> None:
    stub.add(ALICE)
    stub.failures = [StatusCode.INTERNAL]
    assert (await customers.find(ALICE)).status is CustomerStatus.UNAVAILABLE
    assert len(stub.calls) == 1


async def test_the_call_id_and_the_shorter_deadline_are_passed_on(
    stub: CustomerServiceStub, customers: GrpcCustomers
) -> None:
    stub.add(ALICE)
    caller_seconds = LONG_SECONDS / 2

    async def find_within(seconds: float | None) -> None:
        call.begin("a1b2c3d4e5f60718", seconds)
        await customers.find(ALICE)

    await asyncio.create_task(find_within(None))
    await asyncio.create_task(find_within(caller_seconds))

    (metadata, own_seconds), (_, seconds) = stub.calls
    assert metadata["x-request-id"] == "a1b2c3d4e5f60718"
    assert seconds < caller_seconds + 1 < own_seconds < LONG_SECONDS + 1


async def test_without_a_server_it_is_unavailable() -> None:
    with socket.socket() as not_listening:
        not_listening.bind(("127.0.0.1", 0))
        address = f"ipv4:127.0.0.1:{not_listening.getsockname()[1]}"
        async with GrpcCustomers.open(address) as customers:
            assert (await customers.find(ALICE)).status is CustomerStatus.UNAVAILABLE


async def test_a_server_that_never_replies_is_unavailable_after_the_time_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "SECONDS", 0.1)

    async def read_only(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(read_only, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with GrpcCustomers.open(f"ipv4:127.0.0.1:{port}") as customers:
            assert (await customers.find(ALICE)).status is CustomerStatus.UNAVAILABLE


# ---------------------------------------------------------------- replicas


async def test_calls_go_to_all_replicas_in_turn_and_none_fails_when_one_stops() -> None:
    first, second = CustomerServiceStub(), CustomerServiceStub()
    async with AsyncExitStack() as stack, AsyncExitStack() as stopping:
        # given two replicas that are both connected
        await stopping.enter_async_context(first.serve())
        await stack.enter_async_context(second.serve())
        for replica in (first, second):
            replica.add(ALICE)
        target = f"ipv4:{first.address},{second.address}"
        customers = await stack.enter_async_context(GrpcCustomers.open(target))

        async def call(times: int) -> None:
            for _ in range(times):
                assert (await customers.find(ALICE)).status is CustomerStatus.ACTIVE

        async def both_are_called() -> bool:
            await call(1)
            return bool(first.calls and second.calls)

        await until(both_are_called)

        # then each gets every second call
        calls_before = len(first.calls), len(second.calls)
        await call(10)
        assert len(first.calls) - calls_before[0] == len(second.calls) - calls_before[1] == 5

        # when one stops, then no call fails
        await stopping.aclose()
        await call(10)

        # when it is back, then it gets calls again
        calls_of_first = len(first.calls)

        async def first_is_called() -> bool:
            await call(1)
            return len(first.calls) > calls_of_first

        async with first.serve(first.address):
            await until(first_is_called)
