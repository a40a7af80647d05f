"""Customers in PostgreSQL. Each method is one statement and one commit, at READ COMMITTED.

Constraints and row locks decide, never what was read before. A statement that fails without an
answer may have been committed: asyncpg's errors pass through here, and mean "unknown".
"""

from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from chassis.aip.pages import Position
from chassis.database import Pool
from chassis.values import Metadata, Reference, RequestId, from_trusted
from customer.domain.customer import Customer, PersonalDetails, Registration, State, UniqueKeys
from customer.domain.errors import CustomerNotFound
from customer.domain.values import CustomerName, DisplayName, EmailAddress, PhoneNumber
from customer.service_layer.ports import Query

SCHEMA_VERSION = "0001"
"""The newest migration that these statements need."""

GET = "SELECT *, now() AS read_time FROM customers WHERE id = $1"

# Without a target, so that whatever is taken makes it no row rather than an error. A conflict
# with a registration under way is waited for.
INSERT = """
INSERT INTO customers (id, request_id, fingerprint, state, display_name, email, email_key, phone,
                       reference, metadata)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT DO NOTHING
RETURNING *
"""

# The times are the database's own: the domain got them with the version before.
REPLACE = """
UPDATE customers
   SET version = $2, state = $3, display_name = $4, email = $5, email_key = $6, phone = $7,
       reference = $8, metadata = $9, fingerprint = $10, update_time = $11, delete_time = $12,
       erase_time = $13
 WHERE id = $1 AND version = $2 - 1
RETURNING id
"""

# One statement, for one view: in two, the twin of a request could be taken for a stranger that
# has its email. A parameter that is NULL finds nothing.
FIND_HOLDER = """
SELECT *
  FROM customers
 WHERE (request_id = $1 OR (email_key = $2 AND delete_time IS NULL) OR reference = $3)
   AND id IS DISTINCT FROM $4
 ORDER BY (request_id = $1) IS TRUE DESC, (email_key = $2 AND delete_time IS NULL) IS TRUE DESC
 LIMIT 1
"""


class PostgresCustomers:
    """A CustomerRepository on the pool of the service's own database."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def get(self, name: CustomerName) -> Customer:
        customer, _ = await self.get_with_time(name)
        return customer

    async def get_with_time(self, name: CustomerName) -> tuple[Customer, datetime]:
        row = await self._pool.fetchrow(GET, name.id)
        if row is None:
            raise CustomerNotFound(name)
        return _customer(row), row["read_time"]

    async def insert(self, new_id: UUID, registration: Registration) -> Customer | None:
        row = await self._pool.fetchrow(
            INSERT,
            new_id,
            registration.request_id and registration.request_id.uuid,
            registration.fingerprint,
            registration.state.value,
            *_details(registration.details),
            _text(registration.reference),
            registration.details.metadata.as_dict(),
        )
        return None if row is None else _customer(row)

    async def replace(self, customer: Customer) -> bool:
        try:
            row = await self._pool.fetchrow(
                REPLACE,
                customer.id,
                customer.version,
                customer.state.value,
                *_details(customer.details),
                _text(customer.reference),
                customer.details.metadata.as_dict() if customer.details else {},
                customer.fingerprint,
                customer.update_time,
                customer.delete_time,
                customer.erase_time,
            )
        except asyncpg.UniqueViolationError:
            return False
        return row is not None

    async def find_holder(
        self, claim: UniqueKeys, *, besides: UUID | None = None
    ) -> Customer | None:
        row = await self._pool.fetchrow(
            FIND_HOLDER,
            claim.request_id and claim.request_id.uuid,
            claim.email and claim.email.key,
            _text(claim.reference),
            besides,
        )
        return None if row is None else _customer(row)

    async def list(self, query: Query, after: Position | None, limit: int) -> list[Customer]:
        statement, arguments = select(query, after, limit)
        return [_customer(row) for row in await self._pool.fetch(statement, *arguments)]


def select(query: Query, after: Position | None, limit: int) -> tuple[str, list[Any]]:
    """The statement of a page, made of fixed pieces, and its arguments. Each condition is written
    so that PostgreSQL finds its index: tests look at the plans.
    """
    conditions: list[str] = [] if query.show_deleted else ["delete_time IS NULL"]
    arguments: list[Any] = []

    def given(value: object) -> str:
        arguments.append(value)
        return f"${len(arguments)}"

    if query.state is State.ACTIVE:
        conditions.append("rare_state IS NULL")  # nearly all are: the list itself finds them
    elif query.state is not None:
        conditions.append(f"rare_state = {given(query.state.value)}")
    if query.email is not None:
        conditions.append(f"email_key = {given(query.email.key)}")
    if query.reference is not None:
        conditions.append(f"reference = {given(query.reference.text)}")
    for how, time in query.create_time:
        conditions.append(f"create_time {how.value} {given(time)}")
    passed, direction = ("<", "DESC") if query.newest_first else (">", "ASC")
    if after is not None:
        place = f"({given(after.create_time)}, {given(after.id)})"
        conditions.append(f"(create_time, id) {passed} {place}")
    statement = f"""
SELECT *
  FROM customers
 WHERE {" AND ".join(conditions) or "true"}
 ORDER BY create_time {direction}, id {direction}
 LIMIT {given(limit)}
"""  # noqa: S608 - made of nothing but the pieces above
    return statement, arguments


def _text(value: PhoneNumber | Reference | None) -> str | None:
    return None if value is None else value.text


def _details(details: PersonalDetails | None) -> tuple[str | None, ...]:
    """The columns display_name, email, email_key, phone."""
    if details is None:
        return None, None, None, None
    email = details.email
    return details.display_name.text, email.text, email.key, _text(details.phone)


def _customer(row: asyncpg.Record) -> Customer:
    """Reads a row."""
    details = None
    if row["erase_time"] is None:
        details = PersonalDetails(
            display_name=from_trusted(DisplayName, text=row["display_name"]),
            email=from_trusted(EmailAddress, text=row["email"], key=row["email_key"]),
            phone=from_trusted(PhoneNumber, text=row["phone"]) if row["phone"] else None,
            metadata=from_trusted(Metadata, pairs=tuple(sorted(row["metadata"].items()))),
        )
    return Customer(
        id=row["id"],
        details=details,
        reference=from_trusted(Reference, text=row["reference"]) if row["reference"] else None,
        state=State(row["state"]),
        create_time=row["create_time"],
        update_time=row["update_time"],
        delete_time=row["delete_time"],
        erase_time=row["erase_time"],
        version=row["version"],
        request_id=from_trusted(RequestId, text=str(row["request_id"]))
        if row["request_id"]
        else None,
        fingerprint=row["fingerprint"],
    )
