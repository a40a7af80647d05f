"""What the use cases need from outside, as Protocols: an implementation does not inherit from one.

Whatever a repository writes is one statement and one commit. Times are the database's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from chassis.aip.pages import PageQuery
from chassis.aip.resources import Snapshot
from chassis.values import Reference
from customer.domain.customer import Customer, CustomerRequest, State, UniqueKeys
from customer.domain.values import EmailAddress


@dataclass(frozen=True, slots=True)
class CustomerQuery(PageQuery):
    """Which page of customers to read."""

    state: State | None = None
    email: EmailAddress | None = None
    reference: Reference | None = None


class CustomerRepository(Protocol):
    """Keeps customers. The insert is the only guard against duplicates."""

    async def get(self, customer_id: UUID) -> Snapshot[Customer]:
        """Returns a customer, a deleted one too.

        Raises:
            CustomerNotFound: no customer is ever removed, so there never was one.
        """

    async def insert(self, new_id: UUID, request: CustomerRequest) -> Customer | None:
        """Records a new customer; None if another one has any of its unique keys."""

    async def save(self, before: Customer, after: Customer) -> Customer | None:
        """Writes `after`, if the stored version is still that of `before`, as its next version.

        Returns:
            The customer as saved; None, and nothing was written, if somebody was faster or another
            customer has any of its unique keys.
        """

    async def find_conflict(
        self, keys: UniqueKeys, *, except_id: UUID | None = None
    ) -> Customer | None:
        """Returns the customer that has any of the keys: the request_id before the email before the
        reference, all in one view of the database. Not the customer `except_id`.
        """

    async def list(self, query: CustomerQuery) -> Sequence[Customer]: ...
