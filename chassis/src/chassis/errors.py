"""Errors as a `google.rpc.Status` with details (AIP-193), built here and nowhere else.

Each service has one table of its own errors, each with its `Answer`; `translator` makes a function
of it. The other errors (invalid values, an unavailable database, unexpected ones) become a status
in `describe`.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2 as details
from google.rpc import status_pb2

from chassis import call
from chassis.database_errors import is_database_away
from chassis.values import InvalidValue

if TYPE_CHECKING:
    from google.protobuf.message import Message

Translate = Callable[[Exception], status_pb2.Status | None]

# Details travel in the trailing metadata, of which gRPC refuses more than 8 KB.
MAX_VIOLATIONS = 10


@dataclass(frozen=True, slots=True)
class Resource:
    """The resource that an error is about: its type (`oncepay.customer/Customer`) and name."""

    type: str
    name: str
    description: str = ""


def status(
    code: grpc.StatusCode,
    reason: str,
    message: str,
    *,
    domain: str,
    metadata: Mapping[str, str] | None = None,
    violations: Iterable[InvalidValue] = (),
    resource: Resource | None = None,
    retry_after: float | None = None,
) -> status_pb2.Status:
    """Builds a status: ErrorInfo always, the other details where they are given.

    Args:
        reason: UPPER_SNAKE_CASE, for programs; with `domain` (`oncepay.customer`) it is unique.
        message: what is wrong and what to do, for the person who reads only this.
        metadata: what the message names that changes from case to case.
        violations: the fields that are wrong (BadRequest).
        resource: what stands in the way (ResourceInfo).
        retry_after: seconds after which the same call may be sent again (RetryInfo).
    """
    said: list[Message] = [details.ErrorInfo(reason=reason, domain=domain, metadata=metadata or {})]
    if fields := [
        details.BadRequest.FieldViolation(
            field=each.field, description=each.message, reason=each.rule
        )
        for each in violations
    ]:
        said.append(details.BadRequest(field_violations=fields[:MAX_VIOLATIONS]))
    if resource is not None:
        said.append(
            details.ResourceInfo(
                resource_type=resource.type,
                resource_name=resource.name,
                description=resource.description,
            )
        )
    if retry_after is not None:
        nanos, seconds = math.modf(retry_after)
        delay = duration_pb2.Duration(seconds=int(seconds), nanos=int(nanos * 1e9))
        said.append(details.RetryInfo(retry_delay=delay))
    packed = []
    for each in said:
        one = any_pb2.Any()
        one.Pack(each)
        packed.append(one)
    return status_pb2.Status(code=code.value[0], message=message, details=packed)


def invalid(error: InvalidValue, domain: str) -> status_pb2.Status:
    """INVALID_ARGUMENT: the reason is the rule, BadRequest names the field."""
    return status(
        grpc.StatusCode.INVALID_ARGUMENT,
        error.rule,
        str(error),
        domain=domain,
        violations=[error],
    )


def unavailable(reason: str, message: str, domain: str) -> status_pb2.Status:
    """UNAVAILABLE with RetryInfo of one second."""
    return status(grpc.StatusCode.UNAVAILABLE, reason, message, domain=domain, retry_after=1)


@dataclass(frozen=True, slots=True)
class Answer:
    """What callers are told of one class of a service's errors.

    Attributes:
        message: what is wrong, why, and what to do. `{name}` is the field `name` of the error.
        field: the field of the request that is wrong, where one is; it may hold `{name}` too.
        resource: the field of the error that names the resource in the way, where there is one.
        fields: reads the fields of the error, where callers are told others than it has.
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

    The error's fields are the metadata of ErrorInfo. UNAVAILABLE has a RetryInfo of one second. Of
    an INTERNAL error callers are told the call's id, and nothing else.

    Args:
        resource_types: `oncepay.customer/Customer` by collection, `customers`, the part of a
            resource's name before its id.
    """

    def translate(error: Exception) -> status_pb2.Status | None:
        if (answer := answers.get(type(error))) is None:
            return None
        internal = answer.code is grpc.StatusCode.INTERNAL
        fields = {"call_id": call.call_id()} if internal else answer.fields(error)
        told = {name: str(value) for name, value in fields.items() if value is not None}
        message = answer.message.format(**told)
        field = answer.field.format(**told)
        name = told.get(answer.resource)
        return status(
            answer.code,
            answer.reason,
            message,
            domain=domain,
            metadata=told,
            violations=[InvalidValue(field, answer.reason, message)] if field else (),
            resource=Resource(resource_types[name.split("/")[-2]], name, message) if name else None,
            retry_after=1 if answer.code is grpc.StatusCode.UNAVAILABLE else None,
        )

    return translate


def describe(error: Exception, *, domain: str, call_id: str) -> status_pb2.Status:
    """What an error becomes that no service translates. The text of a surprise stays inside."""
    if isinstance(error, InvalidValue):
        return invalid(error, domain)
    if is_database_away(error):
        message = "the database does not answer in time; nothing is known of this call: repeat it"
        return unavailable("DATABASE_UNAVAILABLE", message, domain)
    message = f"something unexpected happened; the logs tell more under the call id {call_id}"
    return status(
        grpc.StatusCode.INTERNAL, "INTERNAL", message, domain=domain, metadata={"call_id": call_id}
    )
