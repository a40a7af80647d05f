"""A service's own PostgreSQL: waited for, pooled, and watched for as long as the service runs.

Every connection is examined when it is made, so that no statement ever reaches a database that
can lose commits, is a copy, or is not the primary.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Self, TypeAlias

import asyncpg

from chassis.installation import (
    Connection,
    DatabaseNotReady,
    DatabaseUnusable,
    Examiner,
    Installation,
)
from chassis.settings import Secret
from chassis.telemetry import log

__all__ = ["Connection", "Database", "DatabaseNotReady", "DatabaseUnusable", "Pool"]

# In quotes: the stubs have a parameter that the class itself does not.
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

# Every wait has an end. The server ends a statement before we stop waiting for it, so that a
# time-out of ours says that the server is gone.
CONNECT_SECONDS = 5.0
COMMAND_SECONDS = 8.0
ACQUIRE_SECONDS = 5.0
PING_SECONDS = 2.0
CLOSE_SECONDS = 5.0
LIMITS = {
    "statement_timeout": "5s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "5s",
}
# How often the watch asks: of a database that can be used, and of one that cannot.
WATCH_SECONDS = 1.0
RETRY_SECONDS = 0.3


class Database:
    """A service's own database.

    It is watched over a connection of its own: a pool in full use would look like a database that
    is away, and the replica with the most work would be taken out of service.

    Attributes:
        pool: connections without session state: no SET, no LISTEN, no advisory locks on them.
        installation: the installation that the database belongs to.
    """

    pool: Pool
    installation: Installation

    def __init__(self, url: str, password: Secret, examiner: Examiner) -> None:
        self._connect: dict[str, Any] = {
            "dsn": url,
            "password": password.reveal_anew,
            "timeout": CONNECT_SECONDS,
        }
        self._examiner = examiner
        self._found: asyncio.Future[Installation] = asyncio.get_running_loop().create_future()
        self._is_ready = False
        self._watched: Connection | None = None
        self._pools: list[Pool] = []

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        url: str,
        password: Secret,
        *,
        pool_size: int,
        schema_version: str,
        for_reconciliation: bool = False,
    ) -> AsyncIterator[Self]:
        """Waits until the database can be used; closes its connections at the end.

        Args:
            schema_version: the newest migration that the code needs, as dbmate writes it.
            for_reconciliation: a closed database may be used, to reconcile it.

        Raises:
            DatabaseUnusable: it answers, and must not be used.
        """
        database = cls(url, password, Examiner(schema_version, for_reconciliation))
        watch = asyncio.create_task(database._watch())
        try:
            database.installation = await database._found
            database.pool = await database.another_pool(pool_size)
            yield database
        finally:
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch
            await asyncio.gather(*map(_close, database._pools))

    def is_ready(self) -> bool:
        """Whether the database could be used when it was last asked, about a second ago."""
        return self._is_ready

    async def another_pool(self, size: int) -> Pool:
        """A pool for work that must not wait behind what other pools are used for. It is closed
        with the database.
        """
        pool = await _Pool(
            **self._connect,
            min_size=0,
            max_size=size,
            max_queries=50_000,
            max_inactive_connection_lifetime=300,
            command_timeout=COMMAND_SECONDS,
            server_settings=LIMITS,
            init=self._prepare,
            reset=_keep_session,
            loop=None,
            connection_class=asyncpg.Connection,
            record_class=asyncpg.Record,
        )
        self._pools.append(pool)
        return pool

    async def _prepare(self, connection: Connection) -> None:
        """Makes a new connection of a pool usable."""
        await self._examiner.examine(connection)
        if connection.get_server_version().major >= 17:
            await connection.execute("SET transaction_timeout = '10s'")
        await connection.set_type_codec(
            "jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog"
        )

    async def _watch(self) -> None:
        """Asks the database about once a second whether it can be used."""
        reason = ""
        try:
            while True:
                before, reason = reason, await self._ask()
                self._is_ready = not reason
                if reason and reason != before:
                    version = self._examiner.schema_version
                    log.warning("database_not_ready", reason=reason, schema_version=version)
                if before and not reason:
                    log.info("database_ready")
                await asyncio.sleep(RETRY_SECONDS if reason else WATCH_SECONDS)
        finally:
            self._disconnect()

    async def _ask(self) -> str:
        """Returns why the database cannot be used; empty if it can."""
        try:
            async with asyncio.timeout(PING_SECONDS if self._watched else CONNECT_SECONDS):
                if self._watched is None:
                    self._watched = await asyncpg.connect(**self._connect)
                installation = await self._examiner.examine(self._watched)
        except (DatabaseUnusable, DatabaseNotReady) as error:
            if isinstance(error, DatabaseUnusable) and not self._found.done():
                self._found.set_exception(error)
            for pool in self._pools:  # their connections must be examined again, too
                await pool.expire_connections()
            return str(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the watch goes on
            self._disconnect()
            return f"{type(error).__name__} {getattr(error, 'strerror', None) or ''}".strip()
        if not self._found.done():
            self._found.set_result(installation)
        return ""

    def _disconnect(self) -> None:
        if self._watched is not None:
            self._watched.terminate()
            self._watched = None


class _Pool(asyncpg.Pool):
    """asyncpg's pool, except that nobody waits for a connection for ever."""

    def acquire(self, *, timeout: float | None = None) -> Any:
        return super().acquire(timeout=timeout or ACQUIRE_SECONDS)


async def _keep_session(_connection: Connection) -> None:
    """In place of asyncpg's RESET ALL, which would cost a round trip a call: nothing sets anything.

    asyncpg itself rolls back a transaction that was left open.
    """


async def _close(pool: Pool) -> None:
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await pool.close()
    except TimeoutError:
        pool.terminate()
