"""PostgreSQL: waited for, examined, pooled, and watched for as long as the service runs.

Every connection is examined when it is made, so that no statement ever reaches a database that
loses commits, is a copy of ours, or is not the primary.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Self, TypeAlias
from uuid import UUID

import asyncpg

from chassis.settings import Secret
from chassis.startup_error import StartupError
from chassis.telemetry import log

# In quotes: the stubs have parameters that the classes themselves do not.
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

# Every wait has an end, in seconds. The server ends a statement before we stop waiting for it, so
# that our own time-out tells of a server that is gone.
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
# How often the watch asks; while the database is away, the pause doubles up to the longest.
WATCH_SECONDS = 1.0
MIN_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.1, 2.0

# The oldest PostgreSQL that our statements were tried on.
OLDEST = 150_000
EXAMINATION = """
SELECT current_setting('server_version_num')::integer AS version,
       current_setting('fsync') AS fsync,
       current_setting('full_page_writes') AS full_page_writes,
       current_setting('synchronous_commit') AS synchronous_commit,
       pg_is_in_recovery() AS in_recovery,
       (SELECT max(version) FROM schema_migrations) AS schema_version
"""
INSTALLATION = """
SELECT id, generation, page_token_key, reconcile_since,
       (system_identifier::numeric, database_oid)
         = (SELECT system_identifier::numeric, oid FROM pg_control_system(), pg_database
             WHERE datname = current_database()) AS at_home
  FROM installation
"""


class DatabaseUnusable(StartupError):
    """The database must not be used; the sentence says why and what to do."""


class DatabaseNotReady(ConnectionError):
    """The database cannot be used yet; waiting helps. To a call it is a database that is away."""


@dataclass(frozen=True, slots=True)
class Installation:
    """Who we are: one row in the database.

    Attributes:
        generation: rises with every adoption; cursors of other eras mean nothing.
        page_token_key: the secret that seals page tokens.
        reconcile_since: the database was adopted, and is closed until its service has compared it
            with the world outside from this time on; None where it is open.
    """

    id: UUID
    generation: int
    page_token_key: bytes
    reconcile_since: datetime | None = None


class Database:
    """A service's own database.

    Attributes:
        pool: connections without session state: no SET, no LISTEN, no advisory locks on them.
        installation: the row that says who we are.
    """

    def __init__(
        self,
        pool: Pool,
        installation: Installation,
        watch: "_Watch",
        open_pool: Callable[[int], Awaitable[Pool]],
    ) -> None:
        self.pool = pool
        self.installation = installation
        self._watch = watch
        self._open_pool = open_pool

    async def another_pool(self, size: int) -> Pool:
        """A pool for work that must not wait behind what the first one is used for; its
        connections are examined like all others, and it is closed with the database.
        """
        pool = await self._open_pool(size)
        self._watch.pools.append(pool)
        return pool

    def is_ready(self) -> bool:
        """Whether the database answered the last time it was asked, about a second ago."""
        return self._watch.ready

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        url: str,
        password: Secret,
        *,
        pool_size: int,
        schema_version: str,
        comparing: bool = False,
    ) -> AsyncIterator[Self]:
        """Waits until the database answers, its schema is new enough and it is not closed; lets go
        of it at the end.

        Args:
            schema_version: the newest migration that this code needs, as dbmate writes it.
            comparing: a closed database will do: it is opened to be compared.

        Raises:
            DatabaseUnusable: it answers, and must not be used.
        """
        how = {"dsn": url, "password": password.reveal_anew, "timeout": CONNECT_SECONDS}
        watch = _Watch(how, _Needs(schema_version, comparing))
        task = asyncio.create_task(watch.run())
        try:
            version, installation = await watch.seen
            open_pool = partial(_pool, how, watch.needs, version)
            watch.pools.append(await open_pool(pool_size))
            yield cls(watch.pools[0], installation, watch, open_pool)
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await asyncio.gather(*map(_close, watch.pools))


class _Pool(asyncpg.Pool):
    """asyncpg's pool, except that nobody waits for a connection for ever."""

    def acquire(self, *, timeout: float | None = None) -> Any:
        return super().acquire(timeout=timeout or ACQUIRE_SECONDS)


async def _pool(how: dict[str, Any], needs: "_Needs", version: int, size: int) -> Pool:
    limits = LIMITS | ({"transaction_timeout": "10s"} if version >= 170_000 else {})

    async def introduce(connection: Connection) -> None:
        await examine(connection, needs)
        await connection.set_type_codec(
            "jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog"
        )

    async def leave_alone(_connection: Connection) -> None:
        """asyncpg has rolled back what was open; its RESET ALL would cost a round trip a call."""

    return await _Pool(
        **how,
        min_size=0,
        max_size=size,
        max_queries=50_000,
        max_inactive_connection_lifetime=300,
        command_timeout=COMMAND_SECONDS,
        server_settings=limits,
        init=introduce,
        reset=leave_alone,
        loop=None,
        connection_class=asyncpg.Connection,
        record_class=asyncpg.Record,
    )


async def _close(pool: Pool) -> None:
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await pool.close()
    except TimeoutError:
        pool.terminate()


@dataclass(slots=True)
class _Needs:
    """What a database must be to be used: `known` is who we found ourselves to be at first."""

    schema_version: str
    comparing: bool = False
    known: Installation | None = None


async def examine(connection: Connection, needs: _Needs) -> tuple[int, Installation]:
    """Returns the server's version and who we are, if the database may be used.

    Raises:
        DatabaseNotReady: it is a standby, its schema is too old, or it is closed.
        DatabaseUnusable: it loses commits, or is not the database it was made as.
    """
    schema_version = needs.schema_version
    row = None
    try:
        found = await connection.fetchrow(EXAMINATION)
        assert found is not None, "a query without FROM has one row"  # noqa: S101
        if (found["schema_version"] or "") >= schema_version:
            row = await connection.fetchrow(INSTALLATION)
    except asyncpg.UndefinedTableError:
        raise DatabaseNotReady(
            f"it has no schema, and {schema_version} is needed: migrate"
        ) from None
    if found["version"] < OLDEST:
        raise DatabaseUnusable("PostgreSQL 15 or newer is needed; this one is older. Upgrade it.")
    for setting in ("fsync", "full_page_writes", "synchronous_commit"):
        if found[setting] == "off":
            raise DatabaseUnusable(
                f"PostgreSQL runs with {setting} = off: it can lose what it has committed, and "
                "money with it. Set it to on (for the role, too) and restart."
            )
    if found["in_recovery"]:
        raise DatabaseNotReady("it is a standby")
    if row is None:
        at = found["schema_version"]
        raise DatabaseNotReady(f"its schema is at {at}, and {schema_version} is needed: migrate")
    return found["version"], _who_we_are(row, needs)


def _who_we_are(row: asyncpg.Record, needs: _Needs) -> Installation:
    if not row["at_home"]:
        raise DatabaseUnusable(
            "this database is a copy: it was made in another PostgreSQL than the one it is in "
            "now, or beside this one (a restored dump, an upgrade, a template?). Two copies that act "
            "would both move money, and an old one would move again what it has forgotten. Use the "
            "database that it was made as; or, once nothing can use that any more, take this one "
            "over: `rebind`."
        )
    installation = Installation(
        row["id"], row["generation"], row["page_token_key"], row["reconcile_since"]
    )
    if needs.known is not None and needs.known.generation != installation.generation:
        raise DatabaseUnusable("this database was adopted while the service ran: restart it.")
    if installation.reconcile_since is not None and not needs.comparing:
        raise DatabaseNotReady(
            "it was adopted, and is closed until it is compared: run reconcile with --since "
            f"{installation.reconcile_since:%Y-%m-%dT%H:%M:%SZ} or before"
        )
    return installation


class _Watch:
    """Asks the database about once a second, over a connection of its own.

    Not over the pool: a pool in full use would look like a database that is away, and the replica
    with the most work would be taken out of service.
    """

    def __init__(self, how: dict[str, Any], needs: _Needs) -> None:
        self.ready = False
        self.seen: asyncio.Future[tuple[int, Installation]]
        self.seen = asyncio.get_running_loop().create_future()
        self.pools: list[Pool] = []
        self._how = how
        self.needs = needs
        self._connection: Connection | None = None

    async def run(self) -> None:
        told, pause = "", MIN_PAUSE_SECONDS
        try:
            while True:
                reason = await self._ask()
                self.ready = reason is None
                if reason is None:
                    if told:
                        log.info("database_answers")
                    told, pause = "", MIN_PAUSE_SECONDS
                    await asyncio.sleep(WATCH_SECONDS)
                    continue
                if reason != told:
                    log.warning("database_awaited", reason=reason, needed=self.needs.schema_version)
                    told = reason
                await asyncio.sleep(pause)
                pause = min(pause * 2, MAX_PAUSE_SECONDS)
        finally:
            self._hang_up()

    async def _ask(self) -> str | None:
        """Returns what keeps the database from being used; None if nothing does."""
        try:
            async with asyncio.timeout(PING_SECONDS if self._connection else CONNECT_SECONDS):
                if self._connection is None:
                    self._connection = await asyncpg.connect(**self._how)
                seen = await examine(self._connection, self.needs)
            if not self.seen.done():
                self.seen.set_result(seen)
                self.needs.known = seen[1]
            return None
        except (DatabaseUnusable, DatabaseNotReady) as error:
            if isinstance(error, DatabaseUnusable) and not self.seen.done():
                self.seen.set_exception(error)
            for pool in self.pools:  # what is pooled must be examined again, too
                await pool.expire_connections()
            return str(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the watch goes on
            self._hang_up()
            return f"{type(error).__name__} {getattr(error, 'strerror', None) or ''}".strip()

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
