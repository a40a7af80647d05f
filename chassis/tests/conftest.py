"""What the tests of the chassis have in common."""

import contextlib
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import pytest
import structlog

from chassis.telemetry import log


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """Restores the logging that a test configured."""
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    structlog.reset_defaults()
    vars(log).pop("bind", None)
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


SCHEMA = """
CREATE TABLE schema_migrations (version varchar PRIMARY KEY);
CREATE TABLE installation (
  id uuid, generation integer, system_identifier numeric, page_token_key bytea, database_oid oid,
  reconcile_since timestamptz
);
INSERT INTO schema_migrations VALUES ('0001'), ('0002');
INSERT INTO installation
SELECT gen_random_uuid(), 3, system_identifier, decode(repeat('ab', 32), 'hex'), oid
  FROM pg_control_system(), pg_database WHERE datname = current_database();
GRANT SELECT ON schema_migrations, installation TO PUBLIC;
"""


@pytest.fixture
def schema() -> str:
    """The tables that each service's first migration makes for the chassis."""
    return SCHEMA


@pytest.fixture
async def owner(empty_database: Any, schema: str) -> AsyncIterator[Any]:
    """A connection as the owner, to a database that has the schema."""
    connection = await asyncpg.connect(
        empty_database.owner_url, password=empty_database.owner_password
    )
    await connection.execute(schema)
    yield connection
    with contextlib.suppress(Exception):
        await connection.close()
