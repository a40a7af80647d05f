"""Structured logs: events with fixed names and named fields, and never a personal detail.

What is not on the list of fields is left out of the log, and its name is told instead; so that
a detail cannot slip in, it must be let in. Of an exception the log holds its class and where it
was raised, not its text, for that may hold anything (PostgreSQL's quote the row).

    log.info("payment_moved", payment=name, state="SUCCEEDED")
"""

import json
import logging
import re
import sys
import traceback
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

import structlog
from structlog.typing import EventDict, FilteringBoundLogger

from chassis import call

log: FilteringBoundLogger = structlog.get_logger()

FIELDS = frozenset(
    [
        *("address", "attempt", "code", "constraint", "count", "error", "found", "logger"),
        *("method", "ms", "needed", "reason", "retry_in", "seconds", "sqlstate", "state"),
        *("version", "where"),
    ]
)
EVENT_NAME = re.compile("[a-z][a-z0-9_.]{0,63}")
# A log line is one write to a pipe as long as it stays below 4 KB (PIPE_BUF).
MAX_VALUE_LENGTH = 2_000


def configure(
    service: str, log_format: str = "auto", level: str = "info", *, fields: Iterable[str] = ()
) -> None:
    """Sets up the logs of this process: to standard error, JSON unless that is a terminal.

    Args:
        fields: the names of the fields that this service adds to the list.
    """
    console = log_format == "console" or (log_format == "auto" and sys.stderr.isatty())
    numeric = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            partial(_only_allowed, service, FIELDS.union(fields)),
            structlog.dev.ConsoleRenderer(timestamp_key="time") if console else _json,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(numeric),
        logger_factory=_StandardError,
        cache_logger_on_first_use=True,
    )
    vars(log).pop("bind", None)  # what it cached of an earlier configuration
    logging.basicConfig(handlers=[_Libraries()], level=max(numeric, logging.WARNING), force=True)


def _only_allowed(
    service: str, allowed: frozenset[str], _logger: object, level: str, event: EventDict
) -> EventDict:
    """Keeps the fields on the list, adds time, service and call, turns errors into places."""
    name = event.pop("event")
    kept: EventDict = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "level": level,
        "event": name if EVENT_NAME.fullmatch(name) else "unnamed_event",
        "service": service,
    }
    if (call_id := call.call_id()) is not None:
        kept["call"] = call_id
    error = event.pop("exc_info", None)
    if isinstance(error, BaseException):
        event.update(_raised(error))
    for field, value in event.items():
        if field not in allowed:
            kept["left_out"] = f"{kept['left_out']},{field}" if "left_out" in kept else field
        elif value is None or isinstance(value, bool | int | float):
            kept[field] = value
        elif isinstance(value, str | UUID):
            kept[field] = str(value)[:MAX_VALUE_LENGTH]
        else:
            kept[field] = type(value).__name__
    return kept


def _raised(error: BaseException) -> dict[str, str | None]:
    """The classes of an error and its causes, and the frames they passed, innermost first."""
    classes: list[str] = []
    places: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(classes) < 5:
        classes.append(type(cause).__qualname__)
        frames = traceback.extract_tb(cause.__traceback__)
        places += [f"{frame.name} {frame.filename}:{frame.lineno}" for frame in reversed(frames)]
        cause = cause.__cause__ or cause.__context__
    told: dict[str, str | None] = {"error": " < ".join(classes), "where": " < ".join(places)}
    for field, attribute in (("sqlstate", "sqlstate"), ("constraint", "constraint_name")):
        if isinstance(found := getattr(error, attribute, None), str):
            told[field] = found
    return told


_encode = json.JSONEncoder(separators=(",", ":")).encode


def _json(_logger: object, _level: str, event: EventDict) -> str:
    return _encode(event)


class _StandardError:
    """Writes one line an event. A log that cannot be written must not fail a payment."""

    def msg(self, line: str) -> None:
        try:
            sys.stderr.write(line + "\n")
        except (OSError, ValueError):
            return

    debug = info = warning = error = critical = exception = msg


class _Libraries(logging.Handler):
    """What libraries log, without their words: these may quote anything."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        place = f"{record.funcName} {record.pathname}:{record.lineno}"
        log.log(record.levelno, "library", logger=record.name, where=place, exc_info=error)
