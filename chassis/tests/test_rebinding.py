"""Rebinding a restored or copied database, on a real PostgreSQL."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from chassis.database import Database, DatabaseUnusable
from chassis.rebinding import CONFIRMATION, rebind
from chassis.settings import OwnerSettings, Secret
from chassis.startup_error import StartupError

RECONCILE_SINCE = datetime(2026, 11, 20, 8, tzinfo=UTC)
QUERY = "SELECT '2026-11-20 08:00Z'::timestamptz"
LATER_QUERY = "SELECT '2026-11-21 08:00Z'::timestamptz"
MAX_SECONDS = 20


async def run_rebind(
    database: Any,
    arguments: tuple[str, ...] = (CONFIRMATION,),
    *,
    schema_version: str = "0002",
    **options: str,
) -> str:
    owner = OwnerSettings(
        database_url=database.owner_url,
        database_password=Secret(database.owner_password),
        migrations_directory=Path(),
    )
    return await rebind(owner, list(arguments), schema_version=schema_version, **options)


def open_database(
    database: Any, *, for_reconciliation: bool = False
) -> AbstractAsyncContextManager[Database]:
    return Database.open(
        database.url,
        Secret(database.password),
        pool_size=2,
        schema_version="0002",
        for_reconciliation=for_reconciliation,
    )


async def test_a_database_of_another_cluster_is_open_in_a_new_generation_after_it(
    empty_database: Any, owner: Any
) -> None:
    await owner.execute("UPDATE installation SET system_identifier = 1")

    message = await run_rebind(empty_database)

    assert "generation 4" in message
    async with open_database(empty_database) as database:
        assert database.installation.generation == 4
        assert database.installation.reconcile_since is None


async def test_a_copy_in_the_same_cluster_is_refused_before_it_and_open_after_it(
    empty_database: Any, owner: Any
) -> None:
    await owner.execute("UPDATE installation SET database_oid = (database_oid::bigint + 1)::oid")
    with pytest.raises(DatabaseUnusable, match="is a copy"):
        async with open_database(empty_database):
            pass

    await run_rebind(empty_database)

    async with open_database(empty_database) as database:
        assert database.is_ready()


@pytest.mark.parametrize("arguments", [(), ("--yes",), (CONFIRMATION, "--yes")])
async def test_without_the_confirmation_nothing_is_changed(
    empty_database: Any, owner: Any, arguments: tuple[str, ...]
) -> None:
    with pytest.raises(StartupError, match=CONFIRMATION):
        await run_rebind(empty_database, arguments)
    assert await owner.fetchval("SELECT generation FROM installation") == 3


async def test_a_schema_that_is_too_old_is_refused(empty_database: Any, owner: Any) -> None:
    with pytest.raises(StartupError, match="migrate first"):
        await run_rebind(empty_database, schema_version="0003")


async def test_a_database_without_a_schema_is_refused(empty_database: Any) -> None:
    with pytest.raises(StartupError, match="no schema"):
        await run_rebind(empty_database)


async def test_a_database_that_refuses_to_connect_is_named_in_a_sentence(
    empty_database: Any, free_port: Callable[[], int]
) -> None:
    with pytest.raises(StartupError, match="refuses to connect: InvalidPasswordError"):
        await run_rebind(replace(empty_database, owner_password="another"))
    nowhere = f"postgresql://guest_owner@127.0.0.1:{free_port()}/guest"
    with pytest.raises(StartupError, match="refuses to connect: ConnectionRefusedError"):
        await run_rebind(replace(empty_database, owner_url=nowhere))


async def test_a_repair_that_fails_changes_nothing(empty_database: Any, owner: Any) -> None:
    with pytest.raises(asyncpg.DivisionByZeroError):
        await run_rebind(empty_database, repair="CREATE TABLE repaired (); SELECT 1 / 0")
    assert await owner.fetchval("SELECT generation FROM installation") == 3
    assert await owner.fetchval("SELECT to_regclass('repaired')") is None


async def test_a_closed_database_is_opened_only_to_be_compared_until_it_was(
    empty_database: Any, owner: Any
) -> None:
    message = await run_rebind(empty_database, reconcile_since=QUERY)
    assert "--since 2026-11-20T08:00:00Z" in message

    service = open_database(empty_database)
    opening = asyncio.create_task(service.__aenter__())
    async with open_database(empty_database, for_reconciliation=True) as comparing:
        assert comparing.installation.reconcile_since == RECONCILE_SINCE
        assert await comparing.pool.fetchval("SELECT 1") == 1
        done, _ = await asyncio.wait([opening], timeout=0.5)
        assert not done, "the database is closed"

    await owner.execute("UPDATE installation SET reconcile_since = NULL")
    database = await asyncio.wait_for(opening, MAX_SECONDS)
    assert await database.pool.fetchval("SELECT 1") == 1
    await service.__aexit__(None, None, None)


async def test_a_second_rebind_before_a_reconciliation_keeps_the_earlier_time(
    empty_database: Any, owner: Any
) -> None:
    for query in (QUERY, LATER_QUERY):
        await run_rebind(empty_database, reconcile_since=query)
    await run_rebind(empty_database)

    assert await owner.fetchval("SELECT reconcile_since FROM installation") == RECONCILE_SINCE


async def test_a_service_that_runs_meanwhile_must_be_restarted(
    empty_database: Any, owner: Any
) -> None:
    """Its cursors are of a generation that is over."""
    async with open_database(empty_database) as database:
        assert await database.pool.fetchval("SELECT 1") == 1

        await run_rebind(empty_database)

        async with asyncio.timeout(MAX_SECONDS):
            while database.is_ready():  # noqa: ASYNC110 - the watch polls the database
                await asyncio.sleep(0.02)
        with pytest.raises(DatabaseUnusable, match="restart"):
            await database.pool.fetchval("SELECT 1")
