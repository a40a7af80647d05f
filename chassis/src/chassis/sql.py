"""SQL statements with named parameters, for asyncpg, and what the statements of pages have in common."""

import re
from typing import Any, TypeAlias

import asyncpg
import asyncpg.pool

from chassis.aip.pages import PageQuery

# In quotes: the stubs have parameters that the classes themselves do not.
Executor: TypeAlias = (
    "asyncpg.Pool[asyncpg.Record] | asyncpg.Connection[asyncpg.Record] "
    "| asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
)

# String literals, comments and casts are passed over, so that a colon in them stays one.
PARAMETER = re.compile(r"'[^']*'|--[^\n]*|::|(?<!\w):([a-z_][a-z0-9_]*)")


class Statement:
    """SQL text with parameters like `:name`, compiled once to PostgreSQL's `$1`, `$2`, ...

    One name is one parameter, however often it stands in the text. All of PostgreSQL's types are
    passed as asyncpg passes them.

        GET = Statement("SELECT * FROM customers WHERE id = :id")
        row = await GET.fetchrow(pool, id=customer_id)

    Attributes:
        text: the SQL as asyncpg takes it.

    Raises:
        TypeError: from every method, if a value is missing or superfluous; it names them.
    """

    def __init__(self, sql: str) -> None:
        numbers: dict[str, int] = {}

        def numbered(match: re.Match[str]) -> str:
            if (name := match[1]) is None:
                return match[0]
            return f"${numbers.setdefault(name, len(numbers) + 1)}"

        self.text = PARAMETER.sub(numbered, sql)
        self._names = numbers.keys()

    def arguments(self, **values: object) -> list[object]:
        """The values in the order of the text's `$1`, `$2`, ..."""
        if values.keys() != self._names:
            wrong = [f"{name} is missing" for name in self._names - values.keys()]
            wrong += [f"{name} is superfluous" for name in values.keys() - self._names]
            raise TypeError(", ".join(sorted(wrong)))
        return [values[name] for name in self._names]

    async def fetch(self, executor: Executor, /, **values: object) -> list[asyncpg.Record]:
        """Runs the statement; returns all rows."""
        return await executor.fetch(self.text, *self.arguments(**values))

    async def fetchrow(self, executor: Executor, /, **values: object) -> asyncpg.Record | None:
        """Runs the statement; returns the first row, None if there is none."""
        row: asyncpg.Record | None = await executor.fetchrow(self.text, *self.arguments(**values))
        return row

    async def fetchval(self, executor: Executor, /, **values: object) -> Any:
        """Runs the statement; returns the first row's first value, None if there is no row."""
        return await executor.fetchval(self.text, *self.arguments(**values))

    async def execute(self, executor: Executor, /, **values: object) -> str:
        """Runs the statement; returns PostgreSQL's command tag, `UPDATE 1`."""
        return await executor.execute(self.text, *self.arguments(**values))


def page_clauses(query: PageQuery) -> tuple[list[str], dict[str, object], str]:
    """What the statements of all pages have: conditions, their values, and the order with the limit.

    Whether deleted rows are shown is left to the service, whose indexes differ.
    """
    conditions: list[str] = []
    values: dict[str, object] = {"limit": query.limit}
    for number, (comparison, time) in enumerate(query.create_time):
        conditions.append(f"create_time {comparison.value} :time_{number}")
        values[f"time_{number}"] = time
    passed, direction = ("<", "DESC") if query.newest_first else (">", "ASC")
    if query.after is not None:
        conditions.append(f"(create_time, id) {passed} (:after_time, :after_id)")
        values |= {"after_time": query.after.create_time, "after_id": query.after.id}
    return conditions, values, f"ORDER BY create_time {direction}, id {direction} LIMIT :limit"
