"""Statements with named parameters: their text, their arguments, and on a real PostgreSQL."""

from typing import Any

import asyncpg
import pytest

from chassis.sql import Statement


@pytest.mark.parametrize(
    ("sql", "text"),
    [
        ("SELECT :first, :second", "SELECT $1, $2"),
        ("SELECT :twice + :once + :twice", "SELECT $1 + $2 + $1"),
        ("SELECT :day::date, now()::date", "SELECT $1::date, now()::date"),
        ("SELECT ':quoted', 'it''s :quoted'", "SELECT ':quoted', 'it''s :quoted'"),
        ("SELECT 1 -- isn't :commented\n, :used", "SELECT 1 -- isn't :commented\n, $1"),
        ("SELECT (ARRAY[1,2,3])[1:2]", "SELECT (ARRAY[1,2,3])[1:2]"),
        ("SELECT to_char(now(), 'HH24:MI')", "SELECT to_char(now(), 'HH24:MI')"),
    ],
)
def test_each_name_becomes_one_number(sql: str, text: str) -> None:
    assert Statement(sql).text == text


def test_the_values_go_where_their_names_stand() -> None:
    statement = Statement("SELECT :b, :a, :b")
    assert statement.arguments(a=1, b=2) == [2, 1]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"a": 1}, "b is missing"),
        ({"a": 1, "b": 2, "c": 3}, "c is superfluous"),
        ({"a": 1, "c": 3}, "b is missing, c is superfluous"),
    ],
)
def test_a_missing_or_superfluous_value_is_named(values: dict[str, int], message: str) -> None:
    with pytest.raises(TypeError) as caught:
        Statement("SELECT :a, :b").arguments(**values)
    assert str(caught.value) == message


async def test_a_statement_runs_on_a_pool_and_on_a_connection(empty_database: Any) -> None:
    rows = Statement("SELECT :first::int AS n UNION SELECT :second::int ORDER BY 1")
    async with asyncpg.create_pool(empty_database.superuser_url, min_size=0, max_size=1) as pool:
        assert [row["n"] for row in await rows.fetch(pool, second=2, first=1)] == [1, 2]
        async with pool.acquire() as connection:
            row = await rows.fetchrow(connection, first=1, second=2)
            assert row is not None and row["n"] == 1
            assert await rows.fetchval(connection, first=3, second=2) == 2
            assert await rows.execute(connection, first=1, second=2) == "SELECT 2"
