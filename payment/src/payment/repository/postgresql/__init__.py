"""Payments, refunds, events and webhook notifications in PostgreSQL, at READ COMMITTED.

payments               inserts, saves, finds and claims payments
listing                the statement of a page of payments
refunds                refunds; each change of one is a change of its payment
events                 reads events; the statements of payments and refunds write them
webhook_notifications  records a webhook, and makes due what it is about
progress               whether the event stream and recovery go on
rows                   rows as domain values, and the inserts whose answers must not be lost

Each write is one statement and one commit. Constraints and row locks decide, never what was read
before. A statement that fails without an answer may have been committed: asyncpg's errors pass
through here, and mean "unknown"; only the inserts say so by name.
"""

SCHEMA_VERSION = "0001"
"""The newest migration that these statements need."""
