"""Taking over a database that was restored or copied, as its owner.

From then on it is at home where it is. Only a person can know that the one it was copied from is gone
for good, so that has to be said: two that act would both move money.
"""

import asyncpg

from chassis.database import CONNECT_SECONDS, EXAMINATION
from chassis.refusal import Refusal
from chassis.settings import OwnerSettings

SURE = "--the-old-one-is-stopped"
"""What has to be said."""

ADOPT = """
UPDATE installation
   SET era = era + 1, compare_since = least(compare_since, $1),
       (system_identifier, database_oid) =
           (SELECT system_identifier, oid FROM pg_control_system(), pg_database
             WHERE datname = current_database())
RETURNING era, compare_since
"""


async def adopt(
    owner: OwnerSettings,
    arguments: list[str],
    *,
    schema_version: str,
    compare_since: str = "SELECT NULL::timestamptz",
    mend: str = "",
) -> str:
    """Makes the database at home in this PostgreSQL, in a new era; returns a sentence about it.

    Args:
        arguments: what the command line says after `adopt`.
        compare_since: a query for the time from which the service has to compare the database with
            the world outside, before it may act again; NULL: it need not.
        mend: statements for what else does not survive a move, run before.

    Raises:
        Refusal: nobody said that the old one is stopped, or the database is not as it must be.
    """
    if arguments != [SURE]:
        raise Refusal(
            "Adopting makes this database the only one that acts. Stop whatever may still use the "
            "one it was copied from, for good; then say so: `adopt "
            f"{SURE}`."
        )
    url, password = owner.database_url, owner.database_password.reveal()
    try:
        connection = await asyncpg.connect(url, password=password, timeout=CONNECT_SECONDS)
    except (OSError, asyncpg.PostgresError) as error:
        raise Refusal(f"The database does not let us in: {type(error).__name__}.") from None
    try:
        async with connection.transaction():
            await connection.execute("SET LOCAL lock_timeout = '10s'")
            found = await connection.fetchrow(EXAMINATION)
            if found is None or (found["schema_version"] or "") < schema_version:
                raise Refusal(f"The schema {schema_version} is needed; migrate first.")
            since = await connection.fetchval(compare_since)
            if mend:
                await connection.execute(mend)
            row = await connection.fetchrow(ADOPT, since)
    except asyncpg.UndefinedTableError:
        raise Refusal("There is nothing to adopt: the database has no schema.") from None
    finally:
        await connection.close()
    assert row is not None, "the schema has one installation"  # noqa: S101
    sentence = f"The database is at home here now, in era {row['era']}."
    if row["compare_since"] is None:
        return sentence
    return (
        f"{sentence} It is closed until it is compared: run reconcile with --since "
        f"{row['compare_since']:%Y-%m-%dT%H:%M:%SZ} or before."
    )
