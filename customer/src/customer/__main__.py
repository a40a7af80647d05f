"""The composition root: the one place that knows every layer.

`python -m customer` serves until it is told to stop. As the database's owner, `python -m customer
migrate` migrates the schema, and `rebind` binds a restored or copied database to the cluster that it
is in.
"""

import os
import sys

from oncepay.customer.v1 import customer_service_pb2 as service_pb2
from oncepay.customer.v1.customer_service_pb2_grpc import add_CustomerServiceServicer_to_server

from chassis import telemetry
from chassis.aip.pages import PageTokens
from chassis.database import Database
from chassis.identifiers import uuid7
from chassis.migrate import migrate
from chassis.rebinding import rebind
from chassis.server import Server, run
from chassis.settings import read
from chassis.startup_error import StartupError
from customer.api.errors import DOMAIN, translate
from customer.api.servicer import CustomerServicer
from customer.repository.postgresql import SCHEMA_VERSION
from customer.repository.postgresql.customers import PostgresCustomers
from customer.service_layer.change_customer import ChangeCustomer
from customer.service_layer.create_customer import CreateCustomer
from customer.settings import MigrationSettings, Settings

NAME = service_pb2.DESCRIPTOR.services_by_name["CustomerService"].full_name


async def main(arguments: list[str]) -> None:
    """Runs the command line."""
    telemetry.configure("customer")
    match arguments:
        case []:
            settings = read(Settings, os.environ)
            telemetry.configure("customer", settings.log_format, settings.log_level)
            await serve(settings)
        case ["migrate"]:
            migrate(read(MigrationSettings, os.environ))
        case ["rebind", *options]:
            owner = read(MigrationSettings, os.environ)
            message = await rebind(owner, options, schema_version=SCHEMA_VERSION)
            sys.stdout.write(f"{message}\n")
        case _:
            raise StartupError(
                "Run `python -m customer` to serve, or `python -m customer migrate`, or `rebind`."
            )


async def serve(settings: Settings) -> None:
    """Serves customers until SIGTERM or SIGINT."""
    server = Server(
        listen=settings.listen_address,
        names=[NAME],
        domain=DOMAIN,
        translate=translate,
        drain_seconds=settings.drain_seconds,
    )
    async with (
        server,
        Database.open(
            settings.database_url,
            settings.database_password,
            pool_size=settings.database_pool_size,
            schema_version=SCHEMA_VERSION,
        ) as database,
    ):
        customers = PostgresCustomers(database.pool)
        servicer = CustomerServicer(
            customers,
            CreateCustomer(customers, uuid7),
            ChangeCustomer(customers),
            PageTokens(database.installation.page_token_key),
        )
        server.add(add_CustomerServiceServicer_to_server, servicer)
        server.ready_when(database.is_ready)
        await server.serve()


if __name__ == "__main__":
    run(main(sys.argv[1:]))
