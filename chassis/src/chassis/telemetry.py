"""Structured logs: events with fixed names and named fields, and never a personal detail.

Only fields on a list reach the log. Of any other field the log has the name, not the value: so a
personal detail cannot slip in, its field must be let in. Of an exception the log has the class and
the place where it was raised, not the text, which may hold anything (PostgreSQL's errors quote the
row).

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
        *("address", "attempt", "code", "constraint", "count", "error", "logger", "method", "ms"),
        *("reason", "schema_version", "seconds", "sqlstate", "state", "version", "where"),
    ]
)
"""The fields that every service may log."""

EVENT_NAME = re.compile("[a-z][a-z0-9_.]{0,63}")
# A log line is one write to a pipe as long as it stays below 4 KB (PIPE_BUF).
MAX_VALUE_LENGTH = 2_000
MAX_CAUSES = 5


def configure(
    service: str, log_format: str = "auto", level: str = "info", *, fields: Iterable[str] = ()
) -> None:
    """Sets up the logs of this process: to standard error, as JSON unless that is a terminal.

    Args:
        fields: the fields that this service may log beside the common ones.
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
    handler = _LibraryHandler()
    logging.basicConfig(handlers=[handler], level=max(numeric, logging.WARNING), force=True)


def _only_allowed(
    service: str, allowed: frozenset[str], _logger: object, level: str, event: EventDict
) -> EventDict:
    """Keeps the allowed fields, adds time, service and call, and describes an exception."""
    name = event.pop("event")
    kept: EventDict = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "level": level,
        "event": name if EVENT_NAME.fullmatch(name) else "invalid_event_name",
        "service": service,
    }
    if (call_id := call.call_id()) is not None:
        kept["call"] = call_id
    error = event.pop("exc_info", None)
    if isinstance(error, BaseException):
        event.update(_described(error))
    omitted = [field for field in event if field not in allowed]
    for field, value in event.items():
        if field not in allowed:
            continue
        if value is None or isinstance(value, bool | int | float):
            kept[field] = value
        elif isinstance(value, str | UUID):
            kept[field] = str(value)[:MAX_VALUE_LENGTH]
        else:
            kept[field] = type(value).__name__
    if omitted:
        kept["omitted_fields"] = ",".join(omitted)
    return kept


def _described(error: BaseException) -> dict[str, str]:
    """The classes of an error and its causes, and the frames that they passed, innermost first."""
    classes: list[str] = []
    places: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(classes) < MAX_CAUSES:
        classes.append(type(cause).__qualname__)
        frames = traceback.extract_tb(cause.__traceback__)
        places += [f"{frame.name} {frame.filename}:{frame.lineno}" for frame in reversed(frames)]
        cause = cause.__cause__ or cause.__context__
    fields = {"error": " < ".join(classes), "where": " < ".join(places)}
    for field, attribute in (("sqlstate", "sqlstate"), ("constraint", "constraint_name")):
        if isinstance(value := getattr(error, attribute, None), str):
            fields[field] = value
    return fields


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


class _LibraryHandler(logging.Handler):
    """Logs what libraries log, without their texts, which may quote anything."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        place = f"{record.funcName} {record.pathname}:{record.lineno}"
        log.log(record.levelno, "library_log", logger=record.name, where=place, exc_info=error)
