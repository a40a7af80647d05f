"""What PostgreSQL shows of work that stands still, and to whom."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from support.repositories import Repositories, in_transaction

from chassis.database import Connection, Database
from payment.repository.postgresql.progress import PostgresProgress

MIGRATIONS = Path(__file__).parents[3] / "migrations"


@pytest.fixture
def signs(database: Database) -> PostgresProgress:
    return PostgresProgress(database.pool)


async def test_where_all_goes_on_there_is_nothing_to_see(
    postgres: Repositories, signs: PostgresProgress
) -> None:
    assert await signs.oldest_hidden_event() is None
    assert await signs.longest_due() is None
    await postgres.build_payment()
    assert await signs.oldest_hidden_event() is None
    waited = await signs.longest_due()
    assert waited is not None
    assert waited < timedelta(0), "it is claimed"


async def test_a_writer_that_stays_in_its_transaction_is_seen_and_named_with_what_it_does(
    postgres: Repositories, database: Database, signs: PostgresProgress
) -> None:
    async with in_transaction(database.pool) as connection:
        row = await connection.fetchrow("SELECT pg_backend_pid() AS pid, pg_current_xact_id()")
        await postgres.build_payment()
        hidden = await signs.oldest_hidden_event()
        assert hidden is not None
        (holder,) = await signs.stream_blockers()
        assert holder.startswith(
            f"process {row['pid']} in database payment_repository (idle in trans"
        )
    assert await signs.oldest_hidden_event() is None
    assert await signs.stream_blockers() == []


async def test_a_writer_of_another_role_in_another_database_is_named_without_what_it_does(
    postgres: Repositories, signs: PostgresProgress, customer_database: Any
) -> None:
    other = await asyncpg.connect(
        customer_database.owner_url, password=customer_database.owner_password
    )
    async with other.transaction():
        pid = await other.fetchval("SELECT pg_backend_pid() FROM pg_current_xact_id()")
        await postgres.build_payment()
        assert await signs.oldest_hidden_event() is not None
        place = f"process {pid} in database {customer_database.name} (of another role)"
        assert await signs.stream_blockers() == [place]
    await other.close()
    assert await signs.oldest_hidden_event() is None


async def test_a_long_report_and_a_backup_hold_nothing_up(
    postgres: Repositories, signs: PostgresProgress, superuser: Connection
) -> None:
    async with superuser.transaction(isolation="repeatable_read"):
        await superuser.fetch("SELECT * FROM payments")
        await postgres.build_payment()
        assert await signs.oldest_hidden_event() is None


async def test_what_nobody_takes_up_is_seen(
    postgres: Repositories, signs: PostgresProgress, superuser: Connection
) -> None:
    payment = await postgres.build_payment()
    await superuser.execute(
        "UPDATE payments SET due_time = now() - interval '5 minutes' WHERE id = $1", payment.id
    )
    waited = await signs.longest_due()
    assert waited is not None
    assert waited > timedelta(minutes=4)


async def test_a_person_at_a_prompt_cannot_hold_the_stream_up_for_long(
    empty_database: Any,
) -> None:
    """The limit is the database's: whoever comes, with whatever program."""
    text = (MIGRATIONS / "0001_create_payments.sql").read_text()
    owner = {"password": empty_database.owner_password}
    connection = await asyncpg.connect(empty_database.owner_url, **owner)
    statement = text[text.index("DO $$") : text.index("-- The service's role")]
    await connection.execute(statement)
    await connection.close()
    connection = await asyncpg.connect(empty_database.owner_url, **owner)
    limit = await connection.fetchval("SHOW idle_in_transaction_session_timeout")
    await connection.close()
    assert limit == "1min"
