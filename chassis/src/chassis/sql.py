"""SQL statements with named parameters, for asyncpg."""

import re
from typing import Any, TypeAlias

import asyncpg
import asyncpg.pool

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
