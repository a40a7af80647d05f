"""Every column of `customers` is covered by the constraints on erasure and on empty texts.

The tests ask the database for its columns, so a new column fails here until a migration or a list in
this file says what it is. The first migration has `erased_is_empty` and `no_empty_text`; a later one
adds constraints of its own, `erased_...` and `no_empty_...`.
"""

from typing import Any

import asyncpg
import pytest

KEPT_AFTER_ERASURE = {
    *("id", "request_id", "reference"),  # what payments and callers refer to; not personal
    *("create_time", "update_time", "delete_time", "erase_time", "version"),
    *("state", "rare_state"),
}
"""Everything else is personal, or leads to a person."""

EXAMPLES = {
    "bigint": "1",
    "boolean": "true",
    "bytea": r"'\x00'",
    "character varying": "'x'",
    "date": "'2000-01-01'",
    "integer": "1",
    "jsonb": """'{"a": "b"}'""",
    "numeric": "1",
    "text": "'x'",
    "timestamp with time zone": "now()",
    "uuid": "gen_random_uuid()",
}
"""A value of each type that is neither NULL nor empty."""


async def columns(superuser: Any) -> dict[str, str]:
    """The columns that can be written, with their types."""
    rows = await superuser.fetch(
        "SELECT column_name, data_type FROM information_schema.columns"
        " WHERE table_name = 'customers' AND is_generated = 'NEVER'"
    )
    return {row["column_name"]: row["data_type"] for row in rows}


async def insert(superuser: Any, **literals: str) -> None:
    names = ", ".join(["id", "state", *literals])
    values = ", ".join(["gen_random_uuid()", "'ACTIVE'", *literals.values()])
    await superuser.execute(f"INSERT INTO customers ({names}) VALUES ({values})")  # noqa: S608


async def test_an_erased_customer_may_be_stored_without_personal_data(superuser: Any) -> None:
    await insert(superuser, delete_time="now()", erase_time="now()")


async def test_no_personal_column_may_have_a_value_after_erasure(
    superuser: Any, subtests: Any
) -> None:
    for column, data_type in (await columns(superuser)).items():
        if column in KEPT_AFTER_ERASURE:
            continue
        value = {column: EXAMPLES[data_type]}
        with subtests.test(column):
            with pytest.raises(asyncpg.CheckViolationError) as refused:
                await insert(superuser, delete_time="now()", erase_time="now()", **value)
            assert str(refused.value.constraint_name).startswith("erased_")


async def test_no_text_column_may_be_empty(superuser: Any, subtests: Any) -> None:
    required = {"display_name": "'A'", "email": "'a'", "email_key": "'a'"}
    for column, data_type in (await columns(superuser)).items():
        if data_type not in {"character varying", "text"}:
            continue
        with subtests.test(column):
            with pytest.raises(asyncpg.CheckViolationError) as refused:
                await insert(superuser, **required | {column: "''"})
            assert str(refused.value.constraint_name).startswith("no_empty_")
