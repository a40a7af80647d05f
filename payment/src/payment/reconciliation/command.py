"""`python -m payment reconcile`: compares Payment's records with the processor's."""

import argparse
import asyncio
import re
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import NoReturn

from chassis import telemetry
from chassis.database import Database
from chassis.settings import read
from chassis.startup_error import StartupError
from chassis.telemetry import log
from payment.processors.stripe.adapter import StripeProcessor
from payment.reconciliation.postgresql import PostgresInternalRecords
from payment.reconciliation.reconcile import reconcile
from payment.reconciliation.report import Report, as_json, as_text
from payment.reconciliation.sources import ReconciliationSources, SourceUnavailable
from payment.reconciliation.stripe import StripeListing
from payment.repository.postgresql import SCHEMA_VERSION
from payment.repository.postgresql.payments import PostgresPayments
from payment.repository.postgresql.refunds import PostgresRefunds
from payment.settings import LOG_FIELDS, Settings

POOL_SIZE = 2
MAX_DATABASE_WAIT_SECONDS = 60.0

AGE = re.compile(r"(\d{1,5})([mhd])")
UNITS = {"m": "minutes", "h": "hours", "d": "days"}


class ExitCode(IntEnum):
    """What the command ends with."""

    NO_DIFFERENCES = 0
    DIFFERENCES = 1
    NOT_COMPARED = 2


@dataclass(frozen=True, slots=True)
class Arguments:
    """The command line after `reconcile`. `until` None is now."""

    since: datetime
    until: datetime | None
    as_json: bool
    report_only: bool
    accept_differences: bool


async def run(command_line: list[str], environ: Mapping[str, str]) -> ExitCode:
    """Reconciles and prints the report; differences raise an alert, as does a failure."""
    try:
        arguments = parse(command_line, datetime.now(UTC))
        settings = read(Settings, environ)
        telemetry.configure("payment", settings.log_format, settings.log_level, fields=LOG_FIELDS)
        report = await compare(settings, arguments)
    except (StartupError, SourceUnavailable) as error:
        log.error("reconciliation_failed", reason=str(error))
        return ExitCode.NOT_COMPARED
    except Exception as error:  # noqa: BLE001 (a traceback would end with exit code 1)
        log.error("reconciliation_failed", exc_info=error)
        return ExitCode.NOT_COMPARED
    sys.stdout.write(as_json(report) if arguments.as_json else as_text(report))
    if not report.differences:
        return ExitCode.NO_DIFFERENCES
    reason = f"{len(report.differences)} differences; the report names each"
    log.error("reconciliation_differences", reason=reason)
    return ExitCode.DIFFERENCES


async def compare(settings: Settings, arguments: Arguments) -> Report:
    """Builds what a reconciliation needs, and reconciles. Raises SourceUnavailable."""
    opening = Database.open(
        settings.database_url,
        settings.database_password,
        pool_size=POOL_SIZE,
        schema_version=SCHEMA_VERSION,
        for_reconciliation=True,
    )
    async with AsyncExitStack() as stack:
        try:
            async with asyncio.timeout(MAX_DATABASE_WAIT_SECONDS):
                database = await stack.enter_async_context(opening)
        except TimeoutError:
            raise SourceUnavailable("the database cannot be used; the log says why") from None
        installation = str(database.installation.id)
        processor = await stack.enter_async_context(
            StripeProcessor(settings.stripe_api_key, settings.stripe_base_address, installation)
        )
        sources = ReconciliationSources(
            payments=PostgresPayments(database.pool),
            refunds=PostgresRefunds(database.pool),
            records=PostgresInternalRecords(database.pool),
            processor=processor,
            listing=StripeListing(processor),
            pause=asyncio.sleep,
        )
        return await reconcile(
            sources,
            installation,
            arguments.since,
            arguments.until,
            report_only=arguments.report_only,
            accept_differences=arguments.accept_differences,
        )


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise StartupError(f"{message}. {self.format_usage().strip()}")


def parse(command_line: list[str], now: datetime) -> Arguments:
    """Raises StartupError."""

    def time(text: str) -> datetime:
        try:
            if age := AGE.fullmatch(text):
                return now - timedelta(**{UNITS[age[2]]: int(age[1])})
            parsed = datetime.fromisoformat(text)
        except (ValueError, OverflowError):
            message = f"{text[:40]!r} is no time: write 2026-11-24, 2026-11-24T08:00:00Z, 26h or 7d"
            raise argparse.ArgumentTypeError(message) from None
        return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)

    parser = _Parser("python -m payment reconcile", add_help=False, allow_abbrev=False)
    parser.add_argument("--since", type=time, required=True, metavar="TIME")
    parser.add_argument("--until", type=time, metavar="TIME")
    parser.add_argument("--json", action="store_true", dest="as_json")
    parser.add_argument("--report-only", action="store_true")
    parser.add_argument("--accept-differences", action="store_true")
    arguments = Arguments(**vars(parser.parse_args(command_line)))
    if arguments.since >= (arguments.until or now):
        raise StartupError(
            "--since must be before --until, and before now where that is not given."
        )
    return arguments
