"""Errors as a `google.rpc.Status` with details (AIP-193), built here and nowhere else.

Each service has one table of its own errors, each with its `Answer`; `translator` turns a table into
a function. The errors that every service can answer have a table here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as details
from google.rpc import status_pb2

from chassis import call
from chassis.values import InvalidValue

Translate = Callable[[Exception], status_pb2.Status | None]


@dataclass(frozen=True, slots=True)
class Answer:
    """The status that one class of errors becomes.

    Attributes:
        reason: UPPER_SNAKE_CASE, for programs; unique within the service.
        message: what is wrong, why, and what to do, for people. `{name}` is the field `name` of the
            error.
        field: the field of the request that is wrong, where one is; it may hold `{name}` too.
        resource: the field of the error that names the resource in the way, where there is one.
        fields: reads the fields of the error, where the status has others than the error.
    """

    code: grpc.StatusCode
    reason: str
    message: str
    field: str = ""
    resource: str = "name"
    fields: Callable[[Any], Mapping[str, object]] = vars


def translator(
    domain: str, answers: Mapping[type[Exception], Answer], resource_types: Mapping[str, str]
) -> Translate:
    """Makes a function that turns a service's errors into statuses, by its table.

    The error's fields are the metadata of ErrorInfo. Of an INTERNAL error callers get the
    call's id, and nothing else.

    Args:
        domain: names the service in ErrorInfo, `oncepay.customer`.
        resource_types: `oncepay.customer/Customer` by collection, `customers`, the part of a
            resource's name before its id.
    """

    def translate(error: Exception) -> status_pb2.Status | None:
        if (answer := answers.get(type(error))) is None:
            return None
        return status_of(error, answer, domain, resource_types)

    return translate


def status_of(
    error: Exception, answer: Answer, domain: str, resource_types: Mapping[str, str]
) -> status_pb2.Status:
    """The status that an answer makes of an error; the arguments are those of `translator`."""
    internal = answer.code is grpc.StatusCode.INTERNAL
    fields = {"call_id": call.call_id()} if internal else answer.fields(error)
    metadata = {name: str(value) for name, value in fields.items() if value is not None}
    message = answer.message.format(**metadata)
    found: list[Message] = []
    if answer.field:
        found.append(_bad_request(answer.field.format(**metadata), answer.reason, message))
    if name := metadata.get(answer.resource):
        kind = resource_types[name.split("/")[-2]]
        found.append(
            details.ResourceInfo(resource_type=kind, resource_name=name, description=message)
        )
    return _status(answer.code, answer.reason, message, domain, metadata, found)


def invalid(error: InvalidValue, domain: str) -> status_pb2.Status:
    """INVALID_ARGUMENT: the reason is the rule, BadRequest names the field."""
    bad_request = _bad_request(error.field, error.rule, error.message)
    code = grpc.StatusCode.INVALID_ARGUMENT
    return _status(code, error.rule, str(error), domain, {}, [bad_request])


class Starting(Exception):
    """The service's database cannot be used yet."""


class Draining(Exception):
    """The service stops."""


@dataclass(eq=False)
class TooManyCalls(Exception):
    """The service has as many calls or streams in hand as it takes."""

    limit: str


class CallTimedOut(Exception):
    """The call had no time left."""


class DatabaseUnavailable(Exception):
    """The database did not answer."""


class Unexpected(Exception):
    """Any error that is not known."""


COMMON_ANSWERS: dict[type[Exception], Answer] = {
    Starting: Answer(
        grpc.StatusCode.UNAVAILABLE,
        "STARTING",
        "the service starts: its database does not answer yet; try again",
    ),
    Draining: Answer(
        grpc.StatusCode.UNAVAILABLE, "DRAINING", "the service stops; call another replica"
    ),
    TooManyCalls: Answer(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "TOO_MANY_CALLS",
        "the service has {limit} in hand and takes no more; try again",
    ),
    CallTimedOut: Answer(
        grpc.StatusCode.DEADLINE_EXCEEDED,
        "DEADLINE_EXCEEDED",
        "the call ran out of time; nothing is known of it: repeat it",
    ),
    DatabaseUnavailable: Answer(
        grpc.StatusCode.UNAVAILABLE,
        "DATABASE_UNAVAILABLE",
        "the database does not answer in time; nothing is known of this call: repeat it",
    ),
    Unexpected: Answer(
        grpc.StatusCode.INTERNAL,
        "INTERNAL",
        "something unexpected happened; the logs say more under the call id {call_id}",
    ),
}
"""What every service may answer beside its own errors."""

# Where the same call may be sent again, after this time.
RETRY_SECONDS = 1
RETRYABLE = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
}


def _bad_request(field: str, reason: str, description: str) -> details.BadRequest:
    violation = details.BadRequest.FieldViolation(
        field=field, reason=reason, description=description
    )
    return details.BadRequest(field_violations=[violation])


def _status(
    code: grpc.StatusCode,
    reason: str,
    message: str,
    domain: str,
    metadata: Mapping[str, str],
    found: list[Message],
) -> status_pb2.Status:
    """A status with ErrorInfo, the details that were found, and RetryInfo where that helps."""
    status = status_pb2.Status(code=code.value[0], message=message)
    info = details.ErrorInfo(reason=reason, domain=domain, metadata=metadata)
    if code in RETRYABLE:
        delay = duration_pb2.Duration(seconds=RETRY_SECONDS)
        found = [*found, details.RetryInfo(retry_delay=delay)]
    for detail in (info, *found):
        status.details.add().Pack(detail)
    return status
