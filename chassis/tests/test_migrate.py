"""Migrations by the real dbmate on a real PostgreSQL."""

import sys
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from chassis.migrate import migrate, with_password
from chassis.settings import OwnerSettings, Secret
from chassis.startup_error import StartupError

FIRST = "-- migrate:up\nCREATE TABLE things (id integer);\n-- migrate:down\n"


def as_owner(url: str, password: str, folder: Path) -> OwnerSettings:
    return OwnerSettings(
        database_url=url, database_password=Secret(password), migrations_directory=folder
    )


async def tables(place: Any) -> set[str]:
    connection = await asyncpg.connect(place.owner_url, password=place.owner_password)
    try:
        rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    finally:
        await connection.close()
    return {row["tablename"] for row in rows}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "0001_things.sql").write_text(FIRST)
    return tmp_path


async def test_pending_migrations_are_applied_once_however_often_it_is_run(
    empty_database: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A .env where the command is given must not decide what is migrated, or where that is noted.
    (folder / ".env").write_text("DBMATE_MIGRATIONS_TABLE=elsewhere\n")
    monkeypatch.chdir(folder)
    for _ in range(2):
        migrate(as_owner(empty_database.owner_url, empty_database.owner_password, folder))
    assert await tables(empty_database) == {"things", "schema_migrations"}


async def test_a_failed_migration_leaves_nothing_and_is_reported(
    empty_database: Any, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "0002_wrong.sql").write_text(
        "-- migrate:up\nCREATE TABLE more (id integer);\nSELECT 1 / 0;\n-- migrate:down\n"
    )
    with pytest.raises(StartupError, match="was not migrated"):
        migrate(as_owner(empty_database.owner_url, empty_database.owner_password, folder))
    assert await tables(empty_database) == {"things", "schema_migrations"}
    captured = capfd.readouterr()
    assert empty_database.owner_password not in captured.out + captured.err


def test_the_password_is_quoted_and_sslmode_is_kept_or_disabled() -> None:
    url = with_password("postgresql://owner@[::1]:5432/db", Secret("a/b@c:d %"))
    assert url == "postgresql://owner:a%2Fb%40c%3Ad%20%25@[::1]:5432/db?sslmode=disable"
    assert with_password("postgresql://owner@h/db?sslmode=require", Secret("p")).endswith(
        "@h/db?sslmode=require"
    )


def test_a_missing_directory_or_dbmate_is_reported_with_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StartupError, match="MIGRATIONS_DIRECTORY"):
        migrate(as_owner("postgresql://o@h/d", "p", tmp_path / "nowhere"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / Path(sys.executable).name))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StartupError, match="dbmate is not installed"):
        migrate(as_owner("postgresql://o@h/d", "p", tmp_path))
