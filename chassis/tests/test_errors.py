"""Statuses and their details, and which errors mean that the database is away."""

from typing import Any

import asyncpg
import grpc
import pytest
from google.rpc import error_details_pb2 as details
from google.rpc import status_pb2

from chassis.database import DatabaseUnusable
from chassis.errors import Resource, invalid, is_database_away, status
from chassis.values import InvalidValue


def unpacked(told: status_pb2.Status) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for packed in told.details:
        name = packed.TypeName().rpartition(".")[2]
        found[name] = getattr(details, name)()
        packed.Unpack(found[name])
    return found


def test_a_status_has_the_details_that_were_given_and_no_others() -> None:
    least = status(grpc.StatusCode.ABORTED, "ETAG_MISMATCH", "read it again", domain="test")
    assert (least.code, least.message, list(unpacked(least))) == (
        10,
        "read it again",
        ["ErrorInfo"],
    )
    most = unpacked(
        status(
            grpc.StatusCode.ALREADY_EXISTS,
            "EMAIL_TAKEN",
            "take another",
            domain="test",
            metadata={"customer": "customers/1"},
            violations=[InvalidValue("email", "EMAIL_TAKEN", "it is taken")],
            resource=Resource("test/Customer", "customers/1", "has it"),
            retry_after=1.5,
        )
    )
    assert dict(most["ErrorInfo"].metadata) == {"customer": "customers/1"}
    assert most["BadRequest"].field_violations[0].field == "email"
    assert most["ResourceInfo"].resource_name == "customers/1"
    delay = most["RetryInfo"].retry_delay
    assert (delay.seconds, delay.nanos) == (1, 500_000_000)


def test_a_status_of_many_violations_still_fits_into_a_reply() -> None:
    many = [InvalidValue("metadata[" + "k" * 40 + "]", "TOO_LONG", "x" * 150)] * 1_000
    told = status(grpc.StatusCode.INVALID_ARGUMENT, "MANY", "many", domain="t", violations=many)
    assert len(unpacked(told)["BadRequest"].field_violations) == 10
    assert told.ByteSize() < 4_000


def test_an_invalid_value_gives_its_rule_as_the_reason() -> None:
    told = invalid(InvalidValue("email", "EMAIL", "it has no @"), "test")
    assert told.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert unpacked(told)["ErrorInfo"].reason == "EMAIL"


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.CannotConnectNowError(),
        asyncpg.AdminShutdownError(),
        asyncpg.TooManyConnectionsError(),
        asyncpg.DiskFullError(),
        asyncpg.ConnectionDoesNotExistError(),
        asyncpg.QueryCanceledError(),
        asyncpg.LockNotAvailableError(),
        asyncpg.exceptions.TransactionTimeoutError(),
        asyncpg.exceptions.IdleInTransactionSessionTimeoutError(),
        asyncpg.DeadlockDetectedError(),
        asyncpg.SerializationError(),
        asyncpg.ReadOnlySQLTransactionError(),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.InterfaceError("pool is closing"),
        ConnectionRefusedError(),
        TimeoutError(),
        OSError("Multiple exceptions"),
        DatabaseUnusable("a copy"),
    ],
)
def test_a_database_that_does_not_answer_is_away(error: Exception) -> None:
    assert is_database_away(error)


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.UniqueViolationError(),
        asyncpg.CheckViolationError(),
        asyncpg.UndefinedColumnError(),
        asyncpg.InsufficientPrivilegeError(),
        asyncpg.DataError("invalid input"),
        asyncpg.InterfaceError("another operation is in progress"),
        ValueError(),
        KeyError(),
    ],
)
def test_our_own_mistakes_are_not_the_databases(error: Exception) -> None:
    assert not is_database_away(error)
