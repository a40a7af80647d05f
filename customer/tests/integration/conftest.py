"""Real parts: a fresh migrated PostgreSQL database, the repositories, the running service."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from oncepay.customer.v1.customer_service_pb2_grpc import CustomerServiceStub

from chassis.database import Database
from chassis.settings import Secret
from customer.__main__ import serve
from customer.repository.memory import MemoryCustomers
from customer.repository.postgresql import SCHEMA_VERSION
from customer.repository.postgresql.customers import PostgresCustomers
from customer.service_layer.ports import CustomerRepository
from customer.settings import Settings

if TYPE_CHECKING:  # the stubs alone have the class of an asynchronous client
    from oncepay.customer.v1.customer_service_pb2_grpc import CustomerServiceAsyncStub


@pytest.fixture
async def database(customer_database: Any) -> AsyncIterator[Database]:
    """The database as the service uses it: its role, its pool."""
    async with Database.open(
        customer_database.url,
        Secret(customer_database.password),
        pool_size=10,
        schema_version=SCHEMA_VERSION,
    ) as opened:
        yield opened


@pytest.fixture(params=["memory", "postgresql"])
def customers(request: pytest.FixtureRequest) -> CustomerRepository:
    """Each repository in turn. Memory takes the real time, as PostgreSQL does."""
    if request.param == "memory":
        return MemoryCustomers(lambda: datetime.now(UTC))
    return PostgresCustomers(request.getfixturevalue("database").pool)


@pytest.fixture
async def superuser(customer_database: Any) -> AsyncIterator[Any]:
    """A connection for what is done behind the service's back."""
    connection = await asyncpg.connect(customer_database.superuser_url)
    yield connection
    await connection.close()


@pytest.fixture
async def service(
    customer_database: Any, free_port: Callable[[], int]
) -> AsyncIterator["CustomerServiceAsyncStub"]:
    """A client of the whole service as `python -m customer` composes it."""
    address = f"127.0.0.1:{free_port()}"
    settings = Settings(
        listen_address=address,
        database_url=customer_database.url,
        database_password=Secret(customer_database.password),
        drain_seconds=0,
    )
    serving = asyncio.create_task(serve(settings))
    async with aio.insecure_channel(address) as channel:
        request = health_pb2.HealthCheckRequest(service="readiness")
        stub: Any = health_pb2_grpc.HealthStub(channel)
        async for health in stub.Watch(request, wait_for_ready=True, timeout=60):
            if health.status == health_pb2.HealthCheckResponse.SERVING:
                break
        yield CustomerServiceStub(channel)
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
