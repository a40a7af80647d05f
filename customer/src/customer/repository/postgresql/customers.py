"""Inserts, saves and finds customers."""

from uuid import UUID

import asyncpg

from chassis.aip.resources import Snapshot
from chassis.database import Pool
from chassis.sql import Statement
from customer.domain.customer import Customer, CustomerRequest, UniqueKeys
from customer.domain.errors import CustomerNotFound
from customer.domain.values import CustomerName
from customer.repository.postgresql import rows
from customer.repository.postgresql.listing import select
from customer.service_layer.ports import CustomerQuery

GET = Statement("SELECT *, now() AS read_time FROM customers WHERE id = :id")

# Without a conflict target: whatever is taken, the answer is no row rather than an error. An insert
# that is under way with the same keys is waited for.
INSERT = Statement("""
INSERT INTO customers (id, request_id, fingerprint, state, display_name, email, email_key, phone,
                       reference, metadata)
VALUES (:id, :request_id, :fingerprint, :state, :display_name, :email, :email_key, :phone,
        :reference, :metadata)
ON CONFLICT DO NOTHING
RETURNING *
""")

SAVE = Statement("""
UPDATE customers
   SET version = version + 1, update_time = now(), delete_time = :delete_time,
       erase_time = :erase_time, state = :state, fingerprint = :fingerprint,
       display_name = :display_name, email = :email, email_key = :email_key, phone = :phone,
       reference = :reference, metadata = :metadata
 WHERE id = :id AND version = :version
RETURNING *
""")

# One statement, and so one view: in two, the customer of the same request could look like another
# one that has its email. A parameter that is NULL matches nothing.
FIND_CONFLICT = Statement("""
SELECT *
  FROM customers
 WHERE (request_id = :request_id OR (email_key = :email_key AND delete_time IS NULL)
        OR reference = :reference)
   AND id IS DISTINCT FROM :except_id
 ORDER BY (request_id = :request_id) IS TRUE DESC,
          (email_key = :email_key AND delete_time IS NULL) IS TRUE DESC
 LIMIT 1
""")


class PostgresCustomers:
    """A CustomerRepository on the pool of the service's own database."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def get(self, customer_id: UUID) -> Snapshot[Customer]:
        row = await GET.fetchrow(self._pool, id=customer_id)
        if row is None:
            raise CustomerNotFound(CustomerName(customer_id))
        return Snapshot(rows.customer(row), row["read_time"])

    async def insert(self, new_id: UUID, request: CustomerRequest) -> Customer | None:
        row = await INSERT.fetchrow(
            self._pool,
            id=new_id,
            request_id=request.request_id and request.request_id.uuid,
            **rows.columns(request),
        )
        return None if row is None else rows.customer(row)

    async def save(self, before: Customer, after: Customer) -> Customer | None:
        try:
            row = await SAVE.fetchrow(
                self._pool,
                id=before.id,
                version=before.version,
                delete_time=after.delete_time,
                erase_time=after.erase_time,
                **rows.columns(after),
            )
        except asyncpg.UniqueViolationError:
            return None
        return None if row is None else rows.customer(row)

    async def find_conflict(
        self, keys: UniqueKeys, *, except_id: UUID | None = None
    ) -> Customer | None:
        row = await FIND_CONFLICT.fetchrow(
            self._pool,
            request_id=keys.request_id and keys.request_id.uuid,
            email_key=keys.email and keys.email.key,
            reference=keys.reference and keys.reference.text,
            except_id=except_id,
        )
        return None if row is None else rows.customer(row)

    async def list(self, query: CustomerQuery) -> list[Customer]:
        statement, values = select(query)
        return [rows.customer(row) for row in await statement.fetch(self._pool, **values)]
