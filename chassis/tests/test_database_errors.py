"""Which errors mean that the database did not answer."""

import asyncpg
import pytest

from chassis.database import DatabaseUnusable
from chassis.database_errors import is_database_away


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
