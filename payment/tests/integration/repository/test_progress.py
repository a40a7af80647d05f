"""ProgressReader in PostgreSQL: what it shows of a stream or a recovery that stalls."""

from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from support.repositories import Repositories, in_transaction

from chassis.database import Connection, Database
from oncepay_cli.local.databases import Roles
from payment.repository.postgresql.progress import PostgresProgress


@pytest.fixture
def progress(database: Database) -> PostgresProgress:
    return PostgresProgress(database.pool)


async def test_while_the_stream_and_recovery_go_on_nothing_is_hidden_or_overdue(
    postgres: Repositories, progress: PostgresProgress
) -> None:
    assert await progress.oldest_hidden_event() is None
    assert await progress.longest_due() is None
    await postgres.create()
    assert await progress.oldest_hidden_event() is None
    waited = await progress.longest_due()
    assert waited is not None
    assert waited < timedelta(0), "it is not due yet"


async def test_an_open_transaction_of_our_role_blocks_the_stream_and_is_named_with_its_state(
    postgres: Repositories, database: Database, progress: PostgresProgress
) -> None:
    async with in_transaction(database.pool) as connection:
        row = await connection.fetchrow("SELECT pg_backend_pid() AS pid, pg_current_xact_id()")
        await postgres.create()
        hidden = await progress.oldest_hidden_event()
        assert hidden is not None
        (blocker,) = await progress.stream_blockers()
        assert blocker.startswith(
            f"process {row['pid']} in database payment_repository (idle in trans"
        )
    assert await progress.oldest_hidden_event() is None
    assert await progress.stream_blockers() == []


async def test_an_open_transaction_of_another_role_and_database_is_named_without_its_state(
    postgres: Repositories, progress: PostgresProgress, customer_database: Any
) -> None:
    other = await asyncpg.connect(
        customer_database.owner_url, password=customer_database.owner_password
    )
    async with other.transaction():
        pid = await other.fetchval("SELECT pg_backend_pid() FROM pg_current_xact_id()")
        await postgres.create()
        assert await progress.oldest_hidden_event() is not None
        place = f"process {pid} in database {customer_database.name} (of another role)"
        assert await progress.stream_blockers() == [place]
    await other.close()
    assert await progress.oldest_hidden_event() is None


async def test_a_transaction_that_only_reads_blocks_nothing(
    postgres: Repositories, progress: PostgresProgress, superuser: Connection
) -> None:
    async with superuser.transaction(isolation="repeatable_read"):
        await superuser.fetch("SELECT * FROM payments")
        await postgres.create()
        assert await progress.oldest_hidden_event() is None


async def test_a_payment_that_nobody_claims_is_seen_to_wait(
    postgres: Repositories, progress: PostgresProgress, superuser: Connection
) -> None:
    payment = await postgres.create()
    await superuser.execute(
        "UPDATE payments SET due_time = now() - interval '5 minutes' WHERE id = $1", payment.id
    )
    waited = await progress.longest_due()
    assert waited is not None
    assert waited > timedelta(minutes=4)


async def test_the_migration_bounds_idle_transactions_of_every_program_to_a_minute(
    superuser: Connection, payment_template: Roles
) -> None:
    """A setting of the migrated database itself; the copies of other tests do not have it."""
    settings = await superuser.fetchval(
        "SELECT setconfig FROM pg_db_role_setting"
        " JOIN pg_database ON pg_database.oid = setdatabase WHERE datname = 'payment_template'"
    )
    assert settings == ["idle_in_transaction_session_timeout=1min"]
