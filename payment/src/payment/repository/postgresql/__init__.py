"""Payments, refunds, events and hints in PostgreSQL, at READ COMMITTED.

Each write is one statement and one commit. Constraints and row locks decide, never what was read
before. A statement that fails without an answer may have been committed: asyncpg's errors pass
through here, and mean "unknown"; only the inserts say so by name.
"""

from payment.repository.postgresql.events import PostgresEvents
from payment.repository.postgresql.hints import PostgresHints
from payment.repository.postgresql.payments import PostgresPayments
from payment.repository.postgresql.refunds import PostgresRefunds
from payment.repository.postgresql.signs import PostgresSigns

__all__ = [
    "SCHEMA_VERSION",
    "PostgresEvents",
    "PostgresHints",
    "PostgresPayments",
    "PostgresRefunds",
    "PostgresSigns",
]

SCHEMA_VERSION = "0004"
"""The newest migration that these statements need."""
