"""Customers in PostgreSQL, at READ COMMITTED.

customers  inserts, saves and finds customers
listing    the statement of a page of customers
rows       rows as domain values, and domain values as columns

Each write is one statement and one commit. Constraints and row locks decide, never what was read
before. A statement that fails without an answer may have been committed: asyncpg's errors pass
through here, and mean "unknown".
"""

SCHEMA_VERSION = "0001"
"""The newest migration that these statements need."""
