"""The repositories to test, in memory and in PostgreSQL, and a superuser's connection.

All tests share one database, which is emptied before each: creating one would take longer than a test.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import asyncpg
import pytest
from support.repositories import DELETE_ALL, Repositories

from chassis.database import Connection, Database
from chassis.settings import Secret
from oncepay_cli.local.databases import Roles, make_database
from oncepay_cli.local.postgresql import SUPERUSER, PostgreSQL
from payment.repository.memory import MemoryEvents, MemoryPayments, MemoryRefunds, Store
from payment.repository.postgresql import SCHEMA_VERSION
from payment.repository.postgresql.events import PostgresEvents
from payment.repository.postgresql.payments import PostgresPayments
from payment.repository.postgresql.refunds import PostgresRefunds


@pytest.fixture(scope="session")
def address(postgresql: PostgreSQL, payment_template: Roles) -> str:
    """The address of the one database: host, port and name."""
    make_database(postgresql, "payment_repository", payment_template, "payment_template")
    return f"127.0.0.1:{postgresql.port}/payment_repository"


@pytest.fixture
async def superuser(postgresql: PostgreSQL, address: str) -> AsyncIterator[Connection]:
    """A connection for what the service's role may not do."""
    connection = await asyncpg.connect(
        f"postgresql://{SUPERUSER}@{address}", password=postgresql.password
    )
    yield connection
    await connection.close()


@pytest.fixture
async def database(
    payment_template: Roles, address: str, superuser: Connection
) -> AsyncIterator[Database]:
    """The database as the service opens it, by its role. It is empty."""
    await superuser.execute(DELETE_ALL)
    async with Database.open(
        f"postgresql://{payment_template.user}@{address}",
        Secret(payment_template.password),
        pool_size=20,
        schema_version=SCHEMA_VERSION,
    ) as opened:
        yield opened


@pytest.fixture
def postgres(database: Database) -> Repositories:
    """The repositories that the service uses."""
    return Repositories(
        PostgresPayments(database.pool),
        PostgresRefunds(database.pool),
        PostgresEvents(database.pool, database.installation.generation),
    )


@pytest.fixture(params=["memory", "postgresql"])
def repositories(request: pytest.FixtureRequest) -> Repositories:
    """The repositories of each kind in turn. Those in memory read the real clock, as PostgreSQL does."""
    if request.param == "memory":
        store = Store(lambda: datetime.now(UTC))
        return Repositories(MemoryPayments(store), MemoryRefunds(store), MemoryEvents(store))
    postgres: Repositories = request.getfixturevalue("postgres")
    return postgres
