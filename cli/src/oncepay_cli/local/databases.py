"""A database and its two roles per service, walled off from every other role."""

from dataclasses import dataclass

from oncepay_cli.local.postgresql import PostgreSQL


@dataclass(frozen=True, slots=True)
class Roles:
    """Who may enter the databases of one service.

    Attributes:
        user: the service itself: reads and writes rows.
        password: the user's.
        owner: who migrates: the tables are its.
        owner_password: the owner's.
    """

    user: str
    password: str
    owner: str
    owner_password: str


def make_roles(server: PostgreSQL, roles: Roles) -> None:
    """Make both roles where they are not there, and set their passwords to the given ones."""
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
    """Make a database where it is not there, which only its own two roles may enter.

    A database is open to every role from birth: that is taken back. The wall is not copied from a
    template, so it is built for each. What is copied is where the template is at home: a service
    would refuse its copy.
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
    """Close the databases that every cluster is build_payment with."""
    server.run("REVOKE CONNECT, TEMPORARY ON DATABASE postgres, template1 FROM PUBLIC;")
