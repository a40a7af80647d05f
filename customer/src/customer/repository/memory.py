"""Customers in memory: the port's meaning in plain Python, for tests."""

import asyncio
import operator
from collections.abc import Callable, Iterator
from datetime import datetime
from uuid import UUID

from chassis.aip.pages import Position
from customer.domain.customer import Customer, Registration, UniqueKeys
from customer.domain.errors import CustomerNotFound
from customer.domain.values import CustomerName, EmailAddress
from customer.service_layer.ports import Query


class MemoryCustomers:
    """A CustomerRepository that forgets everything at the end of the process.

    Every method first lets others run, as a database would, so that calls interleave.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._customers: dict[UUID, Customer] = {}

    async def get(self, name: CustomerName) -> Customer:
        await asyncio.sleep(0)
        if (customer := self._customers.get(name.id)) is None:
            raise CustomerNotFound(name)
        return customer

    async def get_with_time(self, name: CustomerName) -> tuple[Customer, datetime]:
        return await self.get(name), self._clock()

    async def insert(self, new_id: UUID, registration: Registration) -> Customer | None:
        await asyncio.sleep(0)
        if new_id in self._customers or any(self._holders(registration.claim, None)):
            return None
        customer = Customer.registered(new_id, registration, self._clock())
        self._customers[new_id] = customer
        return customer

    async def replace(self, customer: Customer) -> bool:
        await asyncio.sleep(0)
        if self._customers[customer.id].version != customer.version - 1:
            return False
        if any(self._holders(customer.claim, customer.id)):
            return False
        self._customers[customer.id] = customer
        return True

    async def find_holder(
        self, claim: UniqueKeys, *, besides: UUID | None = None
    ) -> Customer | None:
        await asyncio.sleep(0)
        return next(self._holders(claim, besides), None)

    async def list(self, query: Query, after: Position | None, limit: int) -> list[Customer]:
        await asyncio.sleep(0)
        found = [each for each in self._customers.values() if _meets(each, query)]
        found.sort(key=_place, reverse=query.newest_first)
        if after is not None:
            passed = operator.lt if query.newest_first else operator.gt
            found = [each for each in found if passed(_place(each), (after.create_time, after.id))]
        return found[:limit]

    def _holders(self, claim: UniqueKeys, besides: UUID | None) -> Iterator[Customer]:
        """Who has the request_id, then who has the email, then who has the reference."""
        others = [each for each in self._customers.values() if each.id != besides]
        if claim.request_id is not None:
            yield from (each for each in others if each.request_id == claim.request_id)
        if claim.email is not None:
            yield from (each for each in others if _key(each.claim.email) == claim.email.key)
        if claim.reference is not None:
            yield from (each for each in others if each.reference == claim.reference)


def _key(email: EmailAddress | None) -> str | None:
    return None if email is None else email.key


def _place(customer: Customer) -> tuple[datetime, UUID]:
    return customer.create_time, customer.id


def _meets(customer: Customer, query: Query) -> bool:
    email = customer.details.email if customer.details is not None else None
    return (
        (query.show_deleted or customer.delete_time is None)
        and query.state in (None, customer.state)
        and _key(query.email) in (None, _key(email))
        and query.reference in (None, customer.reference)
        and all(how.holds(customer.create_time, time) for how, time in query.create_time)
    )
