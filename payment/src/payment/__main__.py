"""The composition root: the one place that knows every layer.

`python -m payment` serves until it is told to stop, and `python -m payment reconcile` compares the
database with the processor. As the database's owner, `migrate` brings its schema forward, and `rebind`
binds one that was restored or copied to the cluster it is in.
"""

import asyncio
import os
import random
import sys
import time

from oncepay.payment.v1 import payment_service_pb2 as service_pb2
from oncepay.payment.v1.payment_service_pb2_grpc import add_PaymentServiceServicer_to_server

from chassis import telemetry
from chassis.aip.pages import PageTokens
from chassis.database import Database, Pool
from chassis.database_errors import is_database_away
from chassis.identifiers import uuid7
from chassis.migrate import migrate
from chassis.server import Server, run
from chassis.settings import read
from chassis.startup_error import StartupError
from chassis.telemetry import log
from payment import rebinding
from payment.api.background_tasks import BackgroundTasks
from payment.api.errors import DOMAIN, translate
from payment.api.servicer import PaymentServicer
from payment.api.webhooks import Webhooks
from payment.customers.client import GrpcCustomers
from payment.processors.stripe.adapter import MAX_CONNECTIONS, StripeProcessor
from payment.processors.stripe.webhooks import StripeWebhookReader
from payment.reconciliation import command as reconciliation
from payment.repository.postgresql import SCHEMA_VERSION
from payment.repository.postgresql.events import PostgresEvents
from payment.repository.postgresql.payments import PostgresPayments
from payment.repository.postgresql.progress import PostgresProgress
from payment.repository.postgresql.refunds import PostgresRefunds
from payment.repository.postgresql.webhook_notifications import PostgresNotifications
from payment.service_layer.alerts import Alert
from payment.service_layer.bulkhead import ProcessorBulkhead
from payment.service_layer.change_payment import ChangePayment
from payment.service_layer.create_payment import CreatePayment
from payment.service_layer.create_refund import CreateRefund
from payment.service_layer.idempotent_requests import IdempotentRequests
from payment.service_layer.payment_driver import PaymentDriver
from payment.service_layer.ports import Customers, Processor
from payment.service_layer.read_events import ReadEvents
from payment.service_layer.record_notification import RecordNotification
from payment.service_layer.recovery import (
    MAX_CONCURRENT_REFUNDS,
    MAX_CONCURRENT_STEPS,
    Lane,
    Recovery,
)
from payment.service_layer.refund_driver import RefundDriver
from payment.service_layer.stall_alerts import StallAlerts
from payment.settings import LOG_FIELDS, MigrationSettings, Settings

NAME = service_pb2.DESCRIPTOR.services_by_name["PaymentService"].full_name
REQUEST_SLOTS = MAX_CONNECTIONS - MAX_CONCURRENT_STEPS
"""How much work of callers is at the processor at once. Recovery takes MAX_CONCURRENT_STEPS, and each
piece of work makes one call at a time, so that none waits for a connection.
"""


async def main(arguments: list[str]) -> None:
    """Does what the command line says."""
    telemetry.configure("payment")
    match arguments:
        case []:
            settings = read(Settings, os.environ)
            telemetry.configure(
                "payment", settings.log_format, settings.log_level, fields=LOG_FIELDS
            )
            await serve(settings)
        case ["migrate"]:
            migrate(read(MigrationSettings, os.environ))
        case ["rebind", *options]:
            await rebinding.run(options, os.environ)
        case ["reconcile", *options]:
            sys.exit(await reconciliation.run(options, os.environ))
        case _:
            raise StartupError(
                "Say `python -m payment` to serve, or `python -m payment migrate`, `rebind` or "
                "`reconcile`."
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
        pool = await database.another_pool(settings.recovery_pool_size)
        recovery = build_recovery(pool, processor)
        stall_alerts = StallAlerts(
            PostgresProgress(pool), raise_alert, on_resolved, on_unexpected_error
        )
        secrets = settings.webhook_secrets
        webhooks = Webhooks(
            RecordNotification(PostgresNotifications(pool), recovery.wake),
            StripeWebhookReader(secrets) if secrets else None,
        )
        async with webhooks.listen(settings.webhook_listen_address), asyncio.TaskGroup() as group:
            tasks = [group.create_task(work) for work in (recovery.run(), stall_alerts.run())]
            server.add(add_PaymentServiceServicer_to_server, servicer)
            server.ready_when(database.is_ready)
            await server.serve(on_stop=lambda: [task.cancel() for task in tasks])
        await background_tasks.drain(server.seconds_left())


def build_request_handlers(
    database: Database,
    customers: Customers,
    processor: Processor,
    background_tasks: BackgroundTasks,
) -> PaymentServicer:
    """The use cases that callers reach."""
    installation = database.installation
    payment_driver, refund_driver = build_drivers(database.pool, processor)
    payments = payment_driver.repository
    events = PostgresEvents(database.pool, installation.generation)
    requests, bulkhead = IdempotentRequests(payments), ProcessorBulkhead(REQUEST_SLOTS)
    return PaymentServicer(
        payments=payments,
        refunds=refund_driver.repository,
        create_payment=CreatePayment(
            payments=payments,
            customers=customers,
            driver=payment_driver,
            bulkhead=bulkhead,
            new_id=uuid7,
            elapsed=elapsed,
            installation=str(installation.id),
        ),
        change_payment=ChangePayment(payments, payment_driver, requests, bulkhead),
        create_refund=CreateRefund(payments, refund_driver, requests, bulkhead, new_id=uuid7),
        read_events=ReadEvents(payments, events),
        background_tasks=background_tasks,
        tokens=PageTokens(installation.page_token_key),
    )


def build_recovery(pool: Pool, processor: Processor) -> Recovery:
    """Recovery, with connections and calls that no caller can take."""
    payment_driver, refund_driver = build_drivers(pool, processor)
    lanes = (
        Lane(payment_driver, MAX_CONCURRENT_STEPS - MAX_CONCURRENT_REFUNDS),
        Lane(refund_driver, MAX_CONCURRENT_REFUNDS),
    )
    return Recovery(lanes, on_unexpected_error)


def build_drivers(pool: Pool, processor: Processor) -> tuple[PaymentDriver, RefundDriver]:
    """The drivers of payments and refunds, with the connections of this pool."""
    tools = (processor, raise_alert, random.random)
    return (
        PaymentDriver(PostgresPayments(pool), *tools),
        RefundDriver(PostgresRefunds(pool), *tools, elapsed=elapsed),
    )


def raise_alert(alert: Alert, about: str, words: str) -> None:
    """Logs an error by the alert's name, for the operator's rules to match."""
    log.error(alert.value, about=about, reason=words)


def on_resolved(alert: Alert) -> None:
    """Logs that what an alert was raised for is over."""
    log.info("alert_resolved", about=alert.value)


def on_unexpected_error(error: Exception) -> None:
    """Logs an error of recovery. While the database is away there is nothing to recover."""
    if is_database_away(error):
        log.warning("recovery_awaits_database", exc_info=error)
    else:
        log.error("recovery_failed", exc_info=error)


# A clock that goes on while the machine sleeps: Python's monotonic() does not on Linux, where
# CLOCK_BOOTTIME does, nor on macOS, where CLOCK_MONOTONIC does (man clock_gettime).
CLOCK: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def elapsed() -> float:
    return time.clock_gettime(CLOCK)


if __name__ == "__main__":
    run(main(sys.argv[1:]))
