"""What the use cases need from outside, as Protocols, and the words they speak with it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from chassis.aip.filters import Comparison
from chassis.aip.pages import Position
from chassis.values import Reference
from customer.domain.customer import Customer, Registration, State, UniqueKeys
from customer.domain.values import CustomerName, EmailAddress


@dataclass(frozen=True, slots=True)
class Query:
    """Which customers a list holds, and in which order of `create_time`: those that meet every
    condition that is given.
    """

    state: State | None = None
    email: EmailAddress | None = None
    reference: Reference | None = None
    create_time: tuple[tuple[Comparison, datetime], ...] = ()
    newest_first: bool = True
    show_deleted: bool = False


class CustomerRepository(Protocol):
    """Where customers are kept. Each method is one statement: it happens whole or not at all."""

    async def get(self, name: CustomerName) -> Customer:
        """Returns a customer, a deleted one too; CustomerNotFound if there never was one."""

    async def get_with_time(self, name: CustomerName) -> tuple[Customer, datetime]:
        """As `get`, and what time it is: that of the repository, so that all replicas agree."""

    async def insert(self, new_id: UUID, registration: Registration) -> Customer | None:
        """Keeps a new customer; None if another one has some of what it claims."""

    async def replace(self, customer: Customer) -> bool:
        """Keeps a customer's next version in place of the one before; False if that one is not
        the current one any more, or another customer has some of what this one claims.
        """

    async def find_holder(
        self, claim: UniqueKeys, *, besides: UUID | None = None
    ) -> Customer | None:
        """Finds the customer that has some of what is claimed: the request_id before the email
        before the reference, all in one view of the repository.
        """

    async def list(self, query: Query, after: Position | None, limit: int) -> list[Customer]:
        """Returns the first `limit` customers of a list that come after a position."""
