"""The composition root: the one place that knows every layer.

`python -m payment` serves until it is told to stop, and `python -m payment reconcile` compares the
database with the processor. As the database's owner, `migrate` brings its schema forward, and `rebind`
takes over one that was restored or copied.
"""

import asyncio
import os
import random
import sys
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime

from oncepay.payment.v1 import payment_service_pb2 as service_pb2
from oncepay.payment.v1.payment_service_pb2_grpc import add_PaymentServiceServicer_to_server

from chassis import telemetry
from chassis.aip.pages import PageTokens
from chassis.database import Database, Pool
from chassis.database_errors import is_database_away
from chassis.identifiers import uuid7
from chassis.migrate import migrate
from chassis.rebinding import rebind
from chassis.server import Server, run
from chassis.settings import read
from chassis.startup_error import StartupError
from chassis.telemetry import log
from payment.api.background_tasks import BackgroundTasks
from payment.api.errors import DOMAIN, translate
from payment.api.servicer import PaymentServicer
from payment.api.webhooks import Webhooks
from payment.customers.client import GrpcCustomers
from payment.processors.bulkhead import ProcessorBulkhead
from payment.processors.stripe.adapter import MAX_CONNECTIONS, StripeProcessor
from payment.processors.stripe.webhooks import StripeWebhookReader
from payment.rebinding import LOWER_PLACES, RECONCILE_SINCE
from payment.reconciliation.postgresql import PostgresInternalRecords
from payment.reconciliation.reconcile import Report
from payment.reconciliation.reconcile import reconcile as reconcile_both_sides
from payment.reconciliation.report import Asked, as_json, as_text, asked_for
from payment.reconciliation.sources import CouldNotCompare, ReconciliationSources
from payment.reconciliation.stripe import StripeListing
from payment.repository.postgresql import SCHEMA_VERSION
from payment.repository.postgresql.events import PostgresEvents
from payment.repository.postgresql.payments import PostgresPayments
from payment.repository.postgresql.progress import PostgresProgress
from payment.repository.postgresql.refunds import PostgresRefunds
from payment.repository.postgresql.webhook_notifications import PostgresNotifications
from payment.service_layer.change_payment import ChangePayment
from payment.service_layer.create_payment import CreatePayment
from payment.service_layer.events import Events
from payment.service_layer.ports import Customers, Processor
from payment.service_layer.recovery import BATCH, Recovery
from payment.service_layer.refunds import Refunds
from payment.service_layer.stall_alerts import StallAlerts
from payment.service_layer.step import Steps
from payment.service_layer.webhook_notifications import RecordNotification
from payment.settings import MigrationSettings, Settings

NAME = service_pb2.DESCRIPTOR.services_by_name["PaymentService"].full_name
FIELDS = ("about", "processor_request")
"""What this service's logs may hold, beside what every service's may."""
REQUEST_SLOTS = MAX_CONNECTIONS - BATCH
"""How much work of callers may be with the processor at once: recovery steps BATCH at once, and each
of both makes one call at a time, so that neither ever waits for a connection.
"""

RECONCILING_CONNECTIONS = 2
DATABASE_WITHIN = 60.0  # seconds: who reconciles is told that it could not be done


async def main(arguments: list[str]) -> None:
    """Does what the command line says."""
    telemetry.configure("payment")
    match arguments:
        case []:
            settings = read(Settings, os.environ)
            telemetry.configure("payment", settings.log_format, settings.log_level, fields=FIELDS)
            await serve(settings)
        case ["migrate"]:
            migrate(read(MigrationSettings, os.environ))
        case ["rebind", *said]:
            owner = read(MigrationSettings, os.environ)
            sentence = await rebind(
                owner,
                said,
                schema_version=SCHEMA_VERSION,
                reconcile_since=RECONCILE_SINCE,
                mend=LOWER_PLACES,
            )
            sys.stdout.write(f"{sentence}\n")
        case ["reconcile", *said]:
            sys.exit(await reconcile(said))
        case _:
            raise StartupError(
                "Say `python -m payment` to serve, or `python -m payment migrate`, `rebind` or "
                "`reconcile`."
            )


async def reconcile(arguments: list[str]) -> int:
    """Compares our books with the processor's, and prints the report. The exit code tells: 0, both
    sides agree; 1, a person is needed; 2, they could not be compared.
    """
    try:
        asked = asked_for(arguments, datetime.now(UTC))
        settings = read(Settings, os.environ)
        telemetry.configure("payment", settings.log_format, settings.log_level, fields=FIELDS)
        report = await compare(settings, asked)
    except (StartupError, CouldNotCompare, TimeoutError) as error:
        log.error("refused", reason=str(error) or "the database cannot be used; the log says why")
        return 2
    except Exception as error:  # noqa: BLE001 (an end by a traceback would be exit code 1)
        log.error("reconciliation_failed", exc_info=error)
        return 2
    sys.stdout.write(as_json(report) if asked.as_json else as_text(report))
    if not report.differences:
        return 0
    alarm("books_differ", "", f"{len(report.differences)} differences; the report names each")
    return 1


async def compare(settings: Settings, asked: Asked) -> Report:
    """Raises TimeoutError where the database does not open in time."""
    opening = Database.open(
        settings.database_url,
        settings.database_password,
        pool_size=RECONCILING_CONNECTIONS,
        schema_version=SCHEMA_VERSION,
        comparing=True,
    )
    async with AsyncExitStack() as stack:
        async with asyncio.timeout(DATABASE_WITHIN):
            database = await stack.enter_async_context(opening)
        installation = str(database.installation.id)
        processor = await stack.enter_async_context(
            StripeProcessor(settings.stripe_api_key, settings.stripe_base_address, installation)
        )
        pool = database.pool
        sides = ReconciliationSources(
            PostgresPayments(pool),
            PostgresRefunds(pool),
            PostgresInternalRecords(pool),
            processor,
            StripeListing(processor),
            asyncio.sleep,
        )
        return await reconcile_both_sides(
            sides,
            installation,
            asked.since,
            asked.until,
            report_only=asked.report_only,
            differences_are_known=asked.differences_are_known,
        )


async def serve(settings: Settings) -> None:
    """Serves payments until SIGTERM or SIGINT, and brings the unfinished ones to their end."""
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
        GrpcCustomers.open(settings.customer_target) as customers,
        StripeProcessor(
            settings.stripe_api_key,
            settings.stripe_base_address,
            str(database.installation.id),
        ) as processor,
    ):
        background_tasks = BackgroundTasks()
        servicer = build_request_handlers(database, customers, processor, background_tasks)
        pool_apart = await database.another_pool(settings.recovery_pool_size)
        recovery = build_recovery(pool_apart, processor)
        lookout = StallAlerts(PostgresProgress(pool_apart), alarm, over, on_unexpected_error)
        secrets = settings.webhook_secrets
        webhooks = Webhooks(
            RecordNotification(PostgresNotifications(pool_apart), recovery.wake),
            StripeWebhookReader(secrets) if secrets else None,
        )
        async with webhooks.listen(settings.webhook_listen_address), asyncio.TaskGroup() as group:
            working = [group.create_task(work) for work in (recovery.run(), lookout.run())]
            server.add(add_PaymentServiceServicer_to_server, servicer)
            server.ready_when(database.is_ready)
            await server.serve(on_stop=lambda: [work.cancel() for work in working])
        await background_tasks.drain(server.seconds_left())


def build_request_handlers(
    database: Database,
    customers: Customers,
    processor: Processor,
    background_tasks: BackgroundTasks,
) -> PaymentServicer:
    """The use cases that callers reach."""
    share = ProcessorBulkhead(processor, places=REQUEST_SLOTS)
    steps, refunds = side(database.pool, share)
    payments = steps.payments
    installation = database.installation
    return PaymentServicer(
        payments=payments,
        create=CreatePayment(
            payments=payments,
            customers=customers,
            processor=share,
            steps=steps,
            alarm=alarm,
            new_id=uuid7,
            elapsed=elapsed,
            installation=str(installation.id),
        ),
        change=ChangePayment(payments, share, steps),
        refunds=refunds,
        events=Events(payments, PostgresEvents(database.pool, installation.generation)),
        background_tasks=background_tasks,
        tokens=PageTokens(installation.page_token_key),
    )


def build_recovery(pool: Pool, processor: Processor) -> Recovery:
    """What works by itself, over connections and with calls that no caller can take."""
    steps, refunds = side(pool, processor)
    return Recovery(steps, refunds, alarm, on_unexpected_error)


def side(pool: Pool, processor: Processor) -> tuple[Steps, Refunds]:
    """What both sides drive payments and refunds with, each over its own connections to the database
    and with its own share of the calls to the processor.
    """
    payments, jitter = PostgresPayments(pool), random.random
    steps = Steps(payments, processor, alarm, jitter)
    refunds = Refunds(payments, PostgresRefunds(pool), processor, alarm, uuid7, elapsed, jitter)
    return steps, refunds


def alarm(name: str, about: str, words: str) -> None:
    """Wakes a person: whatever watches the logs looks for errors of these names."""
    log.error(name, about=about, reason=words)


def over(name: str) -> None:
    """Tells that what an alarm was raised for is over."""
    log.info("alarm_over", about=name)


def on_unexpected_error(error: Exception) -> None:
    """Tells what recovery met. While the database is away there is nothing to recover."""
    if is_database_away(error):
        log.warning("recovery_awaits_database", exc_info=error)
    else:
        log.error("recovery_failed", exc_info=error)


# A clock that goes on while the machine sleeps: what Python's monotonic() does not on Linux
# (CLOCK_BOOTTIME does) nor on macOS (CLOCK_MONOTONIC does; man clock_gettime).
CLOCK: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def elapsed() -> float:
    return time.clock_gettime(CLOCK)


if __name__ == "__main__":
    run(main(sys.argv[1:]))
