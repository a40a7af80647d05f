"""Payments, refunds, events and hints in PostgreSQL, at READ COMMITTED.

payments  what a payment is kept, saved and claimed with
listing   the statement of a page of payments
refunds   refunds, each change of one with its payment's
events    reads events; they are written by the statements of what they tell
hints     stores a hint, and makes due what it is about
signs     what shows of work that stands still
books     payments and refunds as a whole, for reconciliation
adoption  what a restored database needs before it may act
rows      rows as values, and the inserts whose answers must not be lost

Each write is one statement and one commit. Constraints and row locks decide, never what was read
before. A statement that fails without an answer may have been committed: asyncpg's errors pass
through here, and mean "unknown"; only the inserts say so by name.
"""

SCHEMA_VERSION = "0004"
"""The newest migration that these statements need."""
