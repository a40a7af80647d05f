"""Every column of `payments` and `refunds` is covered by the triggers that say when it may change.

The tests ask the database for its columns, so a new column fails here until a trigger or a list in
this file says what it is.
"""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

CHANGE_WITHOUT_A_VERSION = {
    "payments": {"due_time", "attempt", "version", "idempotency_counter"},
    "refunds": {"due_time", "attempt", "version"},
}
"""The schedule, and what a version and a used-up key raise by themselves."""

TRIGGERS = {
    "payments": {"request_never_changes", "written_once", "versions_follow"},
    "refunds": {"refunds_go_forward"},
}

OTHER_VALUES = {
    "bigint": "coalesce({column}, 0) + 1",
    "boolean": "NOT coalesce({column}, false)",
    "bytea": r"'\x01'",
    "character varying": "'USD'",
    "date": "'2000-01-01'",
    "integer": "coalesce({column}, 0) + 1",
    "jsonb": """'{{"c": "d"}}'""",
    "text": "'other'",
    "timestamp with time zone": "'2000-01-01'",
    "USER-DEFINED": "enum_last(NULL::{udt_name})",
    "uuid": "'00000000-0000-0000-0000-00000000000f'",
    "xid8": "pg_current_xact_id()",
}
"""Another value than the row has, for each type."""

PAYMENT = """
INSERT INTO payments (id, request_id, fingerprint, customer_id, customer_etag, amount,
                      currency_code, payment_method, capture_method, description, metadata,
                      intent_id, start_by, reference, return_url)
VALUES (gen_random_uuid(), gen_random_uuid(), '', gen_random_uuid(), '"1"', 100, 'EUR', 'pm_x',
        'AUTOMATIC', '', '{}', 'pi_x', now(), 'A-1', 'https://example.com/')
RETURNING id
"""
FAILURE = """
UPDATE payments SET state = 'CANCELING', version = version + 1;
UPDATE payments SET state = 'FAILED', version = version + 1
"""
REFUND = "INSERT INTO refunds (id, payment_id, amount) VALUES (gen_random_uuid(), $1, 10)"


@pytest.fixture
async def superuser(payment_database: Any) -> AsyncIterator[Any]:
    """A connection whom no missing right stops; with one payment and one refund."""
    connection = await asyncpg.connect(payment_database.superuser_url)
    await connection.execute(REFUND, await connection.fetchval(PAYMENT))
    yield connection
    await connection.close()


@pytest.mark.parametrize("table", ["payments", "refunds"])
async def test_no_column_changes_without_a_new_version(
    superuser: Any, table: str, subtests: Any
) -> None:
    columns = await superuser.fetch(
        "SELECT column_name AS column, data_type, udt_name FROM information_schema.columns"
        " WHERE table_name = $1 AND is_generated = 'NEVER' ORDER BY column_name = 'delete_time'",
        table,
    )
    for column in columns:
        if column["column"] in CHANGE_WITHOUT_A_VERSION[table]:
            continue
        if column["column"] == "delete_time":  # the last one: only a failed payment is deleted
            await superuser.execute(FAILURE)
        value = OTHER_VALUES[column["data_type"]].format(**column)
        change = f"UPDATE {table} SET {column['column']} = {value}"  # noqa: S608
        with subtests.test(column["column"]):
            with pytest.raises(asyncpg.IntegrityConstraintViolationError) as refused:
                await superuser.execute(change)
            assert refused.value.constraint_name in TRIGGERS[table]


@pytest.mark.parametrize("table", ["payments", "refunds"])
async def test_the_schedule_does(superuser: Any, table: str) -> None:
    await superuser.execute(f"UPDATE {table} SET due_time = now(), attempt = attempt + 1")  # noqa: S608
