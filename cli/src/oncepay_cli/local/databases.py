"""Creating a service's database and its two roles; no other role may connect to it."""

from dataclasses import dataclass

from oncepay_cli.local.postgresql import PostgreSQL


@dataclass(frozen=True, slots=True)
class Roles:
    """The two roles of one service's databases.

    Attributes:
        user: the service's role: reads and writes rows.
        password: the user's.
        owner: the role that migrates and owns the tables.
        owner_password: the owner's.
    """

    user: str
    password: str
    owner: str
    owner_password: str


def make_roles(server: PostgreSQL, roles: Roles) -> None:
    """Create the roles that are missing, and set both passwords."""
    for name, password in ((roles.owner, roles.owner_password), (roles.user, roles.password)):
        server.run(
            """
            SELECT format('CREATE ROLE %I', :'role')
             WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \\gexec
            ALTER ROLE :"role" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS
                PASSWORD :'password';
            """,
            role=name,
            password=password,
        )


def make_database(server: PostgreSQL, name: str, roles: Roles, template: str = "template1") -> None:
    """Create a database if it is missing; only its own two roles may connect.

    PostgreSQL lets every role connect to a new database, so that privilege is revoked; a template's
    privileges are not copied. The binding to a database is copied, and a service would not start on the
    copy: it is set to the new database.
    """
    server.run(
        """
        SELECT format('CREATE DATABASE %I OWNER %I TEMPLATE %I', :'name', :'owner', :'template')
         WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \\gexec
        ALTER DATABASE :"name" OWNER TO :"owner";
        REVOKE CONNECT, TEMPORARY ON DATABASE :"name" FROM PUBLIC;
        GRANT CONNECT ON DATABASE :"name" TO :"owner", :"user";
        """,
        name=name,
        template=template,
        owner=roles.owner,
        user=roles.user,
    )
    if template != "template1":
        server.run(
            "UPDATE installation SET database_oid = oid FROM pg_database"
            " WHERE datname = current_database();",
            database=name,
        )


def close_common_databases(server: PostgreSQL) -> None:
    """Revoke the right of every role to connect to the databases of a new cluster."""
    server.run("REVOKE CONNECT, TEMPORARY ON DATABASE postgres, template1 FROM PUBLIC;")
