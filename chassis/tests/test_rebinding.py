"""A database that was restored or copied, taken over. On a real PostgreSQL."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from chassis.database import Database, DatabaseUnusable
from chassis.rebinding import SURE, rebind
from chassis.settings import OwnerSettings, Secret
from chassis.startup_error import StartupError

BACKUP = datetime(2026, 11, 20, 8, tzinfo=UTC)
CLOSES = "SELECT '2026-11-20 08:00Z'::timestamptz"


async def adopted(place: Any, *said: str, schema_version: str = "0002", **more: str) -> str:
    owner = OwnerSettings(
        database_url=place.owner_url,
        database_password=Secret(place.owner_password),
        migrations_directory=Path(),
    )
    return await rebind(owner, list(said) or [SURE], schema_version=schema_version, **more)


def opened(place: Any, *, comparing: bool = False) -> Any:
    return Database.open(
        place.url,
        Secret(place.password),
        pool_size=2,
        schema_version="0002",
        for_reconciliation=comparing,
    )


async def test_a_copy_that_was_adopted_is_opened_in_a_new_era(
    empty_database: Any, owner: Any
) -> None:
    await owner.execute("UPDATE installation SET system_identifier = 1")
    assert "generation 4" in await adopted(empty_database)
    async with opened(empty_database) as found:
        assert found.installation.generation == 4
        assert found.installation.reconcile_since is None


async def test_a_copy_within_one_postgresql_is_refused_until_it_is_adopted(
    empty_database: Any, owner: Any
) -> None:
    await owner.execute("UPDATE installation SET database_oid = (database_oid::bigint + 1)::oid")
    with pytest.raises(DatabaseUnusable, match="is a copy"):
        async with opened(empty_database):
            pass
    await adopted(empty_database)
    async with opened(empty_database) as found:
        assert found.is_ready()


@pytest.mark.parametrize("said", ["--yes", "--the-old-one-is-stoped"])
async def test_nothing_is_adopted_unless_the_old_one_is_said_to_be_stopped(
    empty_database: Any, owner: Any, said: str
) -> None:
    with pytest.raises(StartupError, match="Stop whatever may still use"):
        await adopted(empty_database, said)
    assert await owner.fetchval("SELECT generation FROM installation") == 3


async def test_a_schema_that_is_too_old_is_migrated_before(empty_database: Any, owner: Any) -> None:
    with pytest.raises(StartupError, match="migrate first"):
        await adopted(empty_database, schema_version="0003")


async def test_a_database_that_lets_nobody_in_is_told_of_in_a_sentence(
    empty_database: Any, free_port: Callable[[], int]
) -> None:
    with pytest.raises(StartupError, match="does not let us in: InvalidPasswordError"):
        await adopted(replace(empty_database, owner_password="another"))
    nowhere = f"postgresql://guest_owner@127.0.0.1:{free_port()}/guest"
    with pytest.raises(StartupError, match="ConnectionRefusedError"):
        await adopted(replace(empty_database, owner_url=nowhere))


async def test_there_must_be_something_to_adopt(empty_database: Any) -> None:
    with pytest.raises(StartupError, match="no schema"):
        await adopted(empty_database)


async def test_a_mending_that_fails_leaves_the_database_a_copy(
    empty_database: Any, owner: Any
) -> None:
    await owner.execute("UPDATE installation SET system_identifier = 1")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await adopted(empty_database, mend="CREATE TABLE mended (); SELECT 1 / 0")
    assert await owner.fetchval("SELECT generation FROM installation") == 3
    assert await owner.fetchval("SELECT to_regclass('mended')") is None


async def test_a_database_that_has_to_be_compared_opens_for_that_alone_and_then_for_all(
    empty_database: Any, owner: Any
) -> None:
    assert "--since 2026-11-20T08:00:00Z" in await adopted(empty_database, reconcile_since=CLOSES)
    opening = opened(empty_database)
    entering = asyncio.create_task(opening.__aenter__())
    done, _ = await asyncio.wait([entering], timeout=0.5)
    assert not done
    async with opened(empty_database, comparing=True) as found:
        assert found.installation.reconcile_since == BACKUP
        assert await found.pool.fetchval("SELECT 1") == 1
    await owner.execute("UPDATE installation SET reconcile_since = NULL")
    found = await asyncio.wait_for(entering, 20)
    assert await found.pool.fetchval("SELECT 1") == 1
    await opening.__aexit__(None, None, None)


async def test_a_second_adoption_before_it_was_compared_forgets_nothing(
    empty_database: Any, owner: Any
) -> None:
    await adopted(empty_database, reconcile_since=CLOSES)
    await adopted(empty_database, reconcile_since="SELECT '2026-11-21 08:00Z'::timestamptz")
    await adopted(empty_database)
    assert await owner.fetchval("SELECT reconcile_since FROM installation") == BACKUP


async def test_a_service_that_ran_while_its_database_was_adopted_does_not_go_on(
    empty_database: Any, owner: Any
) -> None:
    """It has the cursors of an generation that is over."""
    async with opened(empty_database) as found:
        assert await found.pool.fetchval("SELECT 1") == 1
        await adopted(empty_database)
        async with asyncio.timeout(20):
            while found.is_ready():  # noqa: ASYNC110 - what it waits for is another process
                await asyncio.sleep(0.02)
        with pytest.raises(DatabaseUnusable, match="restart"):
            await found.pool.fetchval("SELECT 1")
