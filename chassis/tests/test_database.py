"""A database that is late, behind, restarted, copied or unsafe: a real PostgreSQL."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from chassis import database, telemetry
from chassis.database import Database, DatabaseUnusable
from chassis.database_errors import is_database_away
from chassis.settings import Secret


@pytest.fixture
async def administrator(empty_database: Any) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(empty_database.superuser_url)
    yield connection
    await connection.close()


def opened(place: Any, *, schema_version: str = "0002", pool_size: int = 2) -> Any:
    return Database.open(
        place.url, Secret(place.password), pool_size=pool_size, schema_version=schema_version
    )


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what it waits for is another process
            await asyncio.sleep(0.02)


async def test_a_database_that_can_be_used_is_ready_and_names_its_installation(
    empty_database: Any, owner: Any
) -> None:
    async with opened(empty_database) as found:
        assert found.is_ready()
        assert found.installation.generation == 3
        assert found.installation.page_token_key == b"\xab" * 32
        assert await found.pool.fetchval("SELECT current_user") == "guest"


async def test_pooled_connections_have_timeouts_and_convert_json(
    empty_database: Any, owner: Any
) -> None:
    async with opened(empty_database) as found:
        for setting, value in {
            "statement_timeout": "5s",
            "lock_timeout": "2s",
            "idle_in_transaction_session_timeout": "5s",
            "transaction_timeout": "10s",
        }.items():
            assert await found.pool.fetchval("SELECT current_setting($1)", setting) == value
        assert await found.pool.fetchval("SELECT $1::jsonb", {"a": [1, "ü"]}) == {"a": [1, "ü"]}


async def test_a_transaction_left_open_is_rolled_back_before_its_connection_is_used_again(
    empty_database: Any, owner: Any
) -> None:
    async with opened(empty_database, pool_size=1) as found:
        async with found.pool.acquire() as connection:
            await connection.execute("BEGIN")
        async with found.pool.acquire() as connection:
            assert not connection.is_in_transaction()


async def test_a_password_that_is_changed_is_used_from_the_next_connection_on(
    empty_database: Any, owner: Any, administrator: Any, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_text(empty_database.password)
    secret = Secret(empty_database.password, file)
    opening = Database.open(empty_database.url, secret, pool_size=2, schema_version="0002")
    async with opening as found:
        await administrator.execute("ALTER ROLE guest PASSWORD 'changed'")
        file.write_text("changed")
        await found.pool.expire_connections()
        assert await found.pool.fetchval("SELECT 1") == 1
    await administrator.execute(f"ALTER ROLE guest PASSWORD '{empty_database.password}'")


async def test_another_pool_is_examined_like_the_first_and_does_not_wait_for_it(
    empty_database: Any, owner: Any, administrator: Any
) -> None:
    async with opened(empty_database, pool_size=1) as found:
        apart = await found.another_pool(1)
        async with found.pool.acquire():
            assert await apart.fetchval("SELECT current_setting('lock_timeout')") == "2s"
            await administrator.execute("UPDATE installation SET system_identifier = 1")
            await until(lambda: not found.is_ready())
            with pytest.raises(DatabaseUnusable):
                await apart.fetchval("SELECT 1")
    assert apart.is_closing()


async def test_an_exhausted_pool_counts_as_a_database_that_is_away(
    empty_database: Any, owner: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "ACQUIRE_SECONDS", 0.05)
    async with opened(empty_database, pool_size=1) as found:
        async with found.pool.acquire(timeout=30):  # the one there is, however slow the machine
            with pytest.raises(TimeoutError) as caught:
                async with asyncio.timeout(30) as ours:
                    await found.pool.fetchval("SELECT 1")
            assert not ours.expired()
        assert is_database_away(caught.value)
        assert found.is_ready()


@pytest.mark.parametrize(
    ("statement", "away"),
    [
        ("SELECT pg_sleep(60)", True),
        ("SELECT 1 / 0", False),
        ("SELECT * FROM nowhere", False),
        ("SELECT pg_terminate_backend(pg_backend_pid())", True),
    ],
)
async def test_timeouts_and_lost_connections_count_as_away_and_our_own_mistakes_do_not(
    empty_database: Any, owner: Any, monkeypatch: pytest.MonkeyPatch, statement: str, away: bool
) -> None:
    monkeypatch.setitem(database.LIMITS, "statement_timeout", "100ms")
    async with opened(empty_database) as found:
        with pytest.raises(Exception) as caught:
            await found.pool.fetchval(statement)
        assert is_database_away(caught.value) is away
        with pytest.raises(asyncpg.InterfaceError) as ours:
            await found.pool.fetchval("SELECT $1::integer", 1, 2)
        assert not is_database_away(ours.value)


async def test_a_database_is_waited_for_until_it_has_the_schema(
    empty_database: Any, owner: Any
) -> None:
    opening = opened(empty_database, schema_version="0003")
    entering = asyncio.create_task(opening.__aenter__())
    done, _ = await asyncio.wait([entering], timeout=0.5)
    assert not done
    await owner.execute("INSERT INTO schema_migrations VALUES ('0003')")
    found = await asyncio.wait_for(entering, 20)
    assert found.is_ready()
    await opening.__aexit__(None, None, None)


async def test_a_schema_that_was_taken_back_counts_as_a_database_that_is_away(
    empty_database: Any, owner: Any
) -> None:
    async with opened(empty_database) as found:
        await owner.execute("DELETE FROM schema_migrations WHERE version = '0002'")
        await until(lambda: not found.is_ready())
        with pytest.raises(OSError) as caught:
            await found.pool.fetchval("SELECT 1")
        assert is_database_away(caught.value)


async def test_a_database_without_any_schema_is_waited_for_and_logged(
    empty_database: Any, schema: str, capsys: pytest.CaptureFixture[str]
) -> None:
    telemetry.configure("guest", "json")
    opening = opened(empty_database)
    entering = asyncio.create_task(opening.__aenter__())
    done, _ = await asyncio.wait([entering], timeout=0.5)
    assert not done
    (line,) = map(json.loads, capsys.readouterr().err.splitlines())
    assert line["reason"] == "it has no schema, and 0002 is needed: migrate"
    connection = await asyncpg.connect(
        empty_database.owner_url, password=empty_database.owner_password
    )
    await connection.execute(schema)
    await connection.close()
    await asyncio.wait_for(entering, 20)
    await opening.__aexit__(None, None, None)


async def test_a_postgresql_that_is_not_running_is_waited_for_and_may_be_restarted(
    postgresql: Any, empty_database: Any, owner: Any
) -> None:
    await owner.close()
    await asyncio.to_thread(postgresql.stop)
    try:
        opening = opened(empty_database)
        entering = asyncio.create_task(opening.__aenter__())
        done, _ = await asyncio.wait([entering], timeout=0.5)
        assert not done
        await asyncio.to_thread(postgresql.start)
        found = await asyncio.wait_for(entering, 20)
        assert await found.pool.fetchval("SELECT 1") == 1
        await asyncio.to_thread(postgresql.stop)
        await until(lambda: not found.is_ready())
        with pytest.raises(Exception) as caught:
            await found.pool.fetchval("SELECT 1")
        assert is_database_away(caught.value)
    finally:
        await asyncio.to_thread(postgresql.start)
    await until(found.is_ready)
    assert await found.pool.fetchval("SELECT 1") == 1
    await opening.__aexit__(None, None, None)


async def test_a_copy_of_a_database_is_refused_with_a_message(
    empty_database: Any, owner: Any
) -> None:
    await owner.execute("UPDATE installation SET system_identifier = system_identifier + 1")
    with pytest.raises(DatabaseUnusable, match="is a copy"):
        async with opened(empty_database):
            pass


async def test_a_database_that_is_exchanged_for_a_copy_gets_no_more_statements(
    empty_database: Any, owner: Any
) -> None:
    async with opened(empty_database) as found:
        assert await found.pool.fetchval("SELECT 1") == 1
        await owner.execute("UPDATE installation SET system_identifier = system_identifier + 1")
        await until(lambda: not found.is_ready())
        with pytest.raises(DatabaseUnusable):
            await found.pool.fetchval("SELECT 1")
        await owner.execute("UPDATE installation SET system_identifier = system_identifier - 1")
        await until(found.is_ready)
        assert await found.pool.fetchval("SELECT 1") == 1


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes", "synchronous_commit"])
async def test_a_postgresql_that_can_lose_commits_is_refused(
    empty_database: Any, owner: Any, administrator: Any, setting: str
) -> None:
    await administrator.execute(f"ALTER SYSTEM SET {setting} = off")
    await administrator.execute("SELECT pg_reload_conf()")
    try:
        await until_setting(administrator, setting, "off")
        with pytest.raises(DatabaseUnusable, match=f"{setting} = off"):
            async with opened(empty_database):
                pass
    finally:
        await administrator.execute(f"ALTER SYSTEM RESET {setting}")
        await administrator.execute("SELECT pg_reload_conf()")
        await until_setting(administrator, setting, "on")


async def until_setting(connection: Any, setting: str, value: str) -> None:
    async with asyncio.timeout(10):
        while await connection.fetchval("SELECT current_setting($1)", setting) != value:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_cancelling_ends_the_wait_and_the_watch(empty_database: Any) -> None:
    opening = opened(empty_database)
    entering = asyncio.create_task(opening.__aenter__())
    await asyncio.sleep(0.2)
    entering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(entering, 10)
    left = [task for task in asyncio.all_tasks() if "Database._watch" in repr(task)]
    assert not left
