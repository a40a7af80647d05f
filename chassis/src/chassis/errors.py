"""Every error as a `google.rpc.Status` with details (AIP-193), built here and nowhere else.

What a domain's errors become, each service says in one function, its `Translate`. What is left
(broken values, a database that is away, surprises) becomes a status here.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import asyncpg
import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2 as details
from google.rpc import status_pb2

from chassis.startup_error import StartupError
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


# All of these mean that nothing is known of the statement: it may have been committed. Class 08,
# 57 and 53 of PostgreSQL's errors (the connection, the operator, the resources), time-outs of
# statements, locks and transactions, a lost race that PostgreSQL resolved by aborting one side
# (40), a standby that answers where the primary should (25006), what asyncpg says of a closed
# connection or pool, a connection or a pool that did not come in time (TimeoutError is an
# OSError), and a database that was refused since.
DATABASE_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.exceptions.OperatorInterventionError,
    asyncpg.exceptions.InsufficientResourcesError,
    asyncpg.exceptions.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.exceptions.TransactionTimeoutError,
    asyncpg.exceptions.IdleInTransactionSessionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,
    OSError,
    StartupError,
)


def is_database_away(error: BaseException) -> bool:
    """Whether the error says that the database did not answer, rather than that we erred."""
    # asyncpg has one class for a closed connection or pool and for our own mistakes.
    closed = isinstance(error, asyncpg.InterfaceError) and "clos" in str(error)
    return closed or isinstance(error, DATABASE_AWAY)


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
