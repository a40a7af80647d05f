"""Taking over a database that was restored or copied, as its owner.

From then on it is at home where it is. Only a person can know that the one it was copied from is gone
for good, so that has to be said: two that act would both move money.
"""

import asyncpg

from chassis.database import CONNECT_SECONDS
from chassis.installation import EXAMINATION
from chassis.settings import OwnerSettings
from chassis.startup_error import StartupError

SURE = "--the-old-one-is-stopped"
"""What has to be said."""

ADOPT = """
UPDATE installation
   SET generation = generation + 1, reconcile_since = least(reconcile_since, $1),
       (system_identifier, database_oid) =
           (SELECT system_identifier, oid FROM pg_control_system(), pg_database
             WHERE datname = current_database())
RETURNING generation, reconcile_since
"""


async def rebind(
    owner: OwnerSettings,
    arguments: list[str],
    *,
    schema_version: str,
    reconcile_since: str = "SELECT NULL::timestamptz",
    mend: str = "",
) -> str:
    """Makes the database at home in this PostgreSQL, in a new generation; returns a sentence about it.

    Args:
        arguments: what the command line says after `rebind`.
        reconcile_since: a query for the time from which the service has to compare the database with
            the world outside, before it may act again; NULL: it need not.
        mend: statements for what else does not survive a move, run before.

    Raises:
        StartupError: nobody said that the old one is stopped, or the database is not as it must be.
    """
    if arguments != [SURE]:
        raise StartupError(
            "Adopting makes this database the only one that acts. Stop whatever may still use the "
            "one it was copied from, for good; then say so: `rebind "
            f"{SURE}`."
        )
    url, password = owner.database_url, owner.database_password.reveal()
    try:
        connection = await asyncpg.connect(url, password=password, timeout=CONNECT_SECONDS)
    except (OSError, asyncpg.PostgresError) as error:
        raise StartupError(f"The database does not let us in: {type(error).__name__}.") from None
    try:
        async with connection.transaction():
            await connection.execute("SET LOCAL lock_timeout = '10s'")
            found = await connection.fetchrow(EXAMINATION)
            if found is None or (found["schema_version"] or "") < schema_version:
                raise StartupError(f"The schema {schema_version} is needed; migrate first.")
            since = await connection.fetchval(reconcile_since)
            if mend:
                await connection.execute(mend)
            row = await connection.fetchrow(ADOPT, since)
    except asyncpg.UndefinedTableError:
        raise StartupError("There is nothing to rebind: the database has no schema.") from None
    finally:
        await connection.close()
    assert row is not None, "the schema has one installation"  # noqa: S101
    sentence = f"The database is at home here now, in generation {row['generation']}."
    if row["reconcile_since"] is None:
        return sentence
    return (
        f"{sentence} It is closed until it is compared: run reconcile with --since "
        f"{row['reconcile_since']:%Y-%m-%dT%H:%M:%SZ} or before."
    )
