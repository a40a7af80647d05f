"""Errors as a `google.rpc.Status` with details (AIP-193), built here and nowhere else.

Each service has one table of its own errors, each with its `Answer`; `translator` turns a table into
a function. What every service can answer beside its own errors stands here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import duration_pb2
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
        fields = answer.fields(error)
        metadata = {name: str(value) for name, value in fields.items() if value is not None}
        return status_of(answer, domain, metadata, resource_types)

    return translate


def status_of(
    answer: Answer, domain: str, metadata: Mapping[str, str], resource_types: Mapping[str, str]
) -> status_pb2.Status:
    """The status of an answer, whose `{name}`s are in the metadata."""
    if answer.code is grpc.StatusCode.INTERNAL:
        metadata = {"call_id": call.call_id() or ""}
    message = answer.message.format(**metadata)
    status = _status(answer.code, answer.reason, message, domain, metadata)
    if answer.field:
        _add_violation(status, answer.field.format(**metadata), answer.reason, message)
    if name := metadata.get(answer.resource):
        kind = resource_types[name.split("/")[-2]]
        resource = details.ResourceInfo(resource_type=kind, resource_name=name, description=message)
        status.details.add().Pack(resource)
    return status


def invalid(error: InvalidValue, domain: str) -> status_pb2.Status:
    """INVALID_ARGUMENT: the reason is the rule, BadRequest names the field."""
    status = _status(grpc.StatusCode.INVALID_ARGUMENT, error.rule, str(error), domain, {})
    _add_violation(status, error.field, error.rule, error.message)
    return status


# What every service may answer beside its own errors.
STARTING = Answer(
    grpc.StatusCode.UNAVAILABLE,
    "STARTING",
    "the service starts: its database does not answer yet; try again",
)
DRAINING = Answer(
    grpc.StatusCode.UNAVAILABLE, "DRAINING", "the service stops; call another replica"
)
TOO_MANY_CALLS = Answer(
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    "TOO_MANY_CALLS",
    "the service has as many calls in hand as it takes; try again",
)
CALL_TIMED_OUT = Answer(
    grpc.StatusCode.DEADLINE_EXCEEDED,
    "DEADLINE_EXCEEDED",
    "the call ran out of time; nothing is known of it: repeat it",
)
DATABASE_UNAVAILABLE = Answer(
    grpc.StatusCode.UNAVAILABLE,
    "DATABASE_UNAVAILABLE",
    "the database does not answer in time; nothing is known of this call: repeat it",
)
UNEXPECTED = Answer(
    grpc.StatusCode.INTERNAL,
    "INTERNAL",
    "something unexpected happened; the logs say more under the call id {call_id}",
)


@dataclass(eq=False)
class CallRefused(Exception):
    """A call that the server does not take, or ends."""

    answer: Answer


RETRY_SECONDS = 1
MAY_BE_REPEATED = {"UNAVAILABLE", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED"}
"""The codes with which the same call may be sent again, after this time."""


def _status(
    code: grpc.StatusCode, reason: str, message: str, domain: str, metadata: Mapping[str, str]
) -> status_pb2.Status:
    """A status with ErrorInfo, and RetryInfo where the call may be sent again."""
    status = status_pb2.Status(code=code.value[0], message=message)
    info = details.ErrorInfo(reason=reason, domain=domain, metadata=metadata)
    status.details.add().Pack(info)
    if code.name in MAY_BE_REPEATED:
        delay = duration_pb2.Duration(seconds=RETRY_SECONDS)
        status.details.add().Pack(details.RetryInfo(retry_delay=delay))
    return status


def _add_violation(status: status_pb2.Status, field: str, rule: str, description: str) -> None:
    bad_request = details.BadRequest()
    bad_request.field_violations.add(field=field, reason=rule, description=description)
    status.details.add().Pack(bad_request)
