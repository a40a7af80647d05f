"""Binds a restored or copied database to the PostgreSQL cluster that it is in now, as its owner.

A service refuses to start on a database that belongs to another cluster: two copies that act would both
move money. Only an operator can know that the original is stopped for good; so the command line has to
say it.
"""

import asyncpg

from chassis.database import CONNECT_SECONDS
from chassis.installation import EXAMINATION
from chassis.settings import OwnerSettings
from chassis.sql import Statement
from chassis.startup_error import StartupError

CONFIRMATION = "--the-old-one-is-stopped"
"""The argument that the command needs."""

REBIND = Statement("""
UPDATE installation
   SET generation = generation + 1,
       reconcile_since = least(reconcile_since, :reconcile_since),
       (system_identifier, database_oid) =
           (SELECT system_identifier, oid FROM pg_control_system(), pg_database
             WHERE datname = current_database())
RETURNING generation, reconcile_since
""")


async def rebind(
    owner: OwnerSettings,
    arguments: list[str],
    *,
    schema_version: str,
    reconcile_since: str = "SELECT NULL::timestamptz",
    repair: str = "",
) -> str:
    """Binds the database to its cluster, in a new generation; returns a message about it.

    Args:
        arguments: the command line after `rebind`.
        schema_version: the newest migration that the database must have.
        reconcile_since: a query for the time from which the service has to compare the database with
            the processor before it may act again; NULL where it need not.
        repair: statements for what else does not survive a move. They run first, in the same
            transaction.

    Raises:
        StartupError: the confirmation is missing, or the database cannot be rebound.
    """
    if arguments != [CONFIRMATION]:
        raise StartupError(
            "After rebinding, this database is the only one that may act. Stop whatever may still "
            "use the one it was copied from, for good, and confirm it: "
            f"`rebind {CONFIRMATION}`."
        )
    url, password = owner.database_url, owner.database_password.reveal()
    try:
        connection = await asyncpg.connect(url, password=password, timeout=CONNECT_SECONDS)
    except (OSError, asyncpg.PostgresError) as error:
        raise StartupError(f"The database refuses to connect: {type(error).__name__}.") from None
    try:
        async with connection.transaction():
            await connection.execute("SET LOCAL lock_timeout = '10s'")
            found = await connection.fetchrow(EXAMINATION)
            if found is None or (found["schema_version"] or "") < schema_version:
                raise StartupError(f"The schema {schema_version} is needed; migrate first.")
            since = await connection.fetchval(reconcile_since)
            if repair:
                await connection.execute(repair)
            row = await REBIND.fetchrow(connection, reconcile_since=since)
    except asyncpg.UndefinedTableError:
        raise StartupError("There is nothing to rebind: the database has no schema.") from None
    finally:
        await connection.close()
    assert row is not None, "the schema has one installation"  # noqa: S101
    message = f"The database is bound to this cluster now, in generation {row['generation']}."
    if row["reconcile_since"] is None:
        return message
    return (
        f"{message} It is closed until it is reconciled: run reconcile with --since "
        f"{row['reconcile_since']:%Y-%m-%dT%H:%M:%SZ} or before."
    )
