"""Whether a database may be used: it keeps what it commits, is no copy, and has the schema.

The database holds one row about its installation. The row names the PostgreSQL cluster and the
database that it was made in, or was rebound to; anywhere else, the row shows that this is a copy.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

import asyncpg

from chassis.startup_error import StartupError

# In quotes: the stubs have a parameter that the class itself does not.
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

# The oldest PostgreSQL that the statements were tried on.
MIN_POSTGRESQL_VERSION = 15
EXAMINATION = """
SELECT current_setting('fsync') AS fsync,
       current_setting('full_page_writes') AS full_page_writes,
       current_setting('synchronous_commit') AS synchronous_commit,
       pg_is_in_recovery() AS in_recovery,
       (SELECT max(version) FROM schema_migrations) AS schema_version
"""
INSTALLATION = """
SELECT id, generation, page_token_key, reconcile_since,
       (system_identifier::numeric, database_oid)
         = (SELECT system_identifier::numeric, oid FROM pg_control_system(), pg_database
             WHERE datname = current_database()) AS is_bound_here
  FROM installation
"""


class DatabaseUnusable(StartupError):
    """The database must not be used; the message says why and what to do."""


class DatabaseNotReady(ConnectionError):
    """The database cannot be used yet, and waiting helps. Calls treat it as unavailable."""


@dataclass(frozen=True, slots=True)
class Installation:
    """The installation that a database belongs to: its one row about it.

    Attributes:
        generation: rises each time the database is rebound; cursors of other generations are
            invalid.
        page_token_key: the secret that seals page tokens.
        reconcile_since: the database was rebound and is closed until it is reconciled with the
            world outside from this time on; None where it is open.
    """

    id: UUID
    generation: int
    page_token_key: bytes
    reconcile_since: datetime | None = None


@dataclass(slots=True)
class Examiner:
    """Examines connections to one database.

    Attributes:
        schema_version: the newest migration that the code needs.
        for_reconciliation: a closed database may be used, to reconcile it.
        installation: as it was found first; None until then.
    """

    schema_version: str
    for_reconciliation: bool = False
    installation: Installation | None = None

    async def examine(self, connection: Connection) -> Installation:
        """Returns the database's installation, if the database may be used.

        Raises:
            DatabaseNotReady: it is a standby, its schema is too old, or it is closed.
            DatabaseUnusable: it can lose commits, or is a copy.
        """
        if connection.get_server_version().major < MIN_POSTGRESQL_VERSION:
            raise DatabaseUnusable(
                f"PostgreSQL {MIN_POSTGRESQL_VERSION} or newer is needed; this one is older. "
                "Upgrade it."
            )
        needed = self.schema_version
        try:
            found = await connection.fetchrow(EXAMINATION)
        except asyncpg.UndefinedTableError:
            raise DatabaseNotReady(f"it has no schema, and {needed} is needed: migrate") from None
        assert found is not None, "a query without FROM has one row"  # noqa: S101
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            if found[setting] == "off":
                raise DatabaseUnusable(
                    f"PostgreSQL runs with {setting} = off: it can lose what it has committed, and "
                    "money with it. Set it to on (for the role, too) and restart."
                )
        if found["in_recovery"]:
            raise DatabaseNotReady("it is a standby")
        if (found["schema_version"] or "") < needed:
            at = found["schema_version"]
            raise DatabaseNotReady(f"its schema is at {at}, and {needed} is needed: migrate")
        row = await connection.fetchrow(INSTALLATION)
        assert row is not None, "the schema has one installation"  # noqa: S101
        return self._installation_of(row)

    def _installation_of(self, row: asyncpg.Record) -> Installation:
        if not row["is_bound_here"]:
            raise DatabaseUnusable(
                "this database is a copy: it was made in another PostgreSQL than the one it is in "
                "now, or beside this one (a restored dump, an upgrade, a template?). Two copies that "
                "act would both move money, and an old one would move again what it does not know "
                "of. Use the original; or, once nothing can use that any more, bind this one to its "
                "PostgreSQL: `rebind`."
            )
        found = Installation(
            row["id"], row["generation"], row["page_token_key"], row["reconcile_since"]
        )
        if self.installation is not None and self.installation.generation != found.generation:
            raise DatabaseUnusable("this database was rebound while the service ran: restart it.")
        if found.reconcile_since is not None and not self.for_reconciliation:
            raise DatabaseNotReady(
                "it was rebound, and is closed until it is reconciled: run reconcile with --since "
                f"{found.reconcile_since:%Y-%m-%dT%H:%M:%SZ} or before"
            )
        self.installation = found
        return found
