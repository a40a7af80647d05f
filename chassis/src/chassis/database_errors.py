"""Which errors say that the database did not answer."""

import asyncpg

from chassis.startup_error import StartupError

# All of these mean that nothing is known of the statement: it may have been committed.
DATABASE_AWAY = (
    # Classes 08, 57 and 53 of PostgreSQL's errors: connection, operator, resources.
    asyncpg.PostgresConnectionError,
    asyncpg.exceptions.OperatorInterventionError,
    asyncpg.exceptions.InsufficientResourcesError,
    # Class 40: PostgreSQL resolved a race by aborting one side.
    asyncpg.exceptions.TransactionRollbackError,
    # Time-outs of locks, transactions and sessions; a statement's is in class 57.
    asyncpg.LockNotAvailableError,
    asyncpg.exceptions.TransactionTimeoutError,
    asyncpg.exceptions.IdleInTransactionSessionTimeoutError,
    # A standby answers where the primary should.
    asyncpg.ReadOnlySQLTransactionError,
    # No connection, or none in time: TimeoutError is an OSError.
    OSError,
    # The database must not be used any more.
    StartupError,
)


def is_database_away(error: BaseException) -> bool:
    """Whether the error says that the database did not answer, rather than that we erred."""
    # asyncpg has one class for a closed connection or pool and for our own mistakes.
    closed = isinstance(error, asyncpg.InterfaceError) and "clos" in str(error)
    return closed or isinstance(error, DATABASE_AWAY)
