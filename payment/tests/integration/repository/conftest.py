"""Each store in turn, and what is done behind the service's back.

One database for all of these tests, emptied before each: a database made for each would cost more
than the tests themselves.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import asyncpg
import pytest
from support.repositories import Repositories

from chassis.database import Connection, Database
from chassis.settings import Secret
from oncepay_cli.local.databases import Roles, make_database
from oncepay_cli.local.postgresql import SUPERUSER, PostgreSQL
from payment.repository.memory import MemoryEvents, MemoryPayments, MemoryRefunds, Store
from payment.repository.postgresql import SCHEMA_VERSION
from payment.repository.postgresql.events import PostgresEvents
from payment.repository.postgresql.payments import PostgresPayments
from payment.repository.postgresql.refunds import PostgresRefunds

# Without the triggers that keep every row for ever.
EMPTY = """
SET session_replication_role = replica;
DELETE FROM webhook_notifications; DELETE FROM payment_events; DELETE FROM requests; DELETE FROM refunds;
DELETE FROM payments;
SET session_replication_role = origin
"""


@pytest.fixture(scope="session")
def address(postgresql: PostgreSQL, payment_template: Roles) -> str:
    """Where the one database is: all but the role."""
    make_database(postgresql, "payment_repository", payment_template, "payment_template")
    return f"127.0.0.1:{postgresql.port}/payment_repository"


@pytest.fixture
async def superuser(postgresql: PostgreSQL, address: str) -> AsyncIterator[Connection]:
    """A connection for what is done behind the service's back."""
    connection = await asyncpg.connect(
        f"postgresql://{SUPERUSER}@{address}", password=postgresql.password
    )
    yield connection
    await connection.close()


@pytest.fixture
async def database(
    payment_template: Roles, address: str, superuser: Connection
) -> AsyncIterator[Database]:
    """The database as the service uses it: its role, its pool. It is empty."""
    await superuser.execute(EMPTY)
    async with Database.open(
        f"postgresql://{payment_template.user}@{address}",
        Secret(payment_template.password),
        pool_size=20,
        schema_version=SCHEMA_VERSION,
    ) as opened:
        yield opened


@pytest.fixture
def postgres(database: Database) -> Repositories:
    """The store that the service works with."""
    return Repositories(
        PostgresPayments(database.pool),
        PostgresRefunds(database.pool),
        PostgresEvents(database.pool, database.installation.generation),
    )


@pytest.fixture(params=["memory", "postgresql"])
def stores(request: pytest.FixtureRequest) -> Repositories:
    """Each store in turn. Memory takes the real time, as PostgreSQL does."""
    if request.param == "memory":
        store = Store(lambda: datetime.now(UTC))
        return Repositories(MemoryPayments(store), MemoryRefunds(store), MemoryEvents(store))
    postgres: Repositories = request.getfixturevalue("postgres")
    return postgres
