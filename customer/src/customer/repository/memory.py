"""Customers in memory, for tests: the meaning of the port in plain Python."""

import asyncio
import operator
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from chassis.aip.resources import Snapshot
from customer.domain.customer import Customer, CustomerRequest, UniqueKeys
from customer.domain.errors import CustomerNotFound
from customer.domain.values import CustomerName, EmailAddress
from customer.service_layer.ports import CustomerQuery


class MemoryCustomers:
    """A CustomerRepository that lasts as long as the process.

    Every method first lets others run, as a database would, so that calls interleave.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._customers: dict[UUID, Customer] = {}

    async def get(self, customer_id: UUID) -> Snapshot[Customer]:
        await asyncio.sleep(0)
        if (customer := self._customers.get(customer_id)) is None:
            raise CustomerNotFound(CustomerName(customer_id))
        return Snapshot(customer, self._clock())

    async def insert(self, new_id: UUID, request: CustomerRequest) -> Customer | None:
        await asyncio.sleep(0)
        if new_id in self._customers or any(self._conflicts(request.unique_keys, None)):
            return None
        customer = first_version(new_id, request, self._clock())
        self._customers[new_id] = customer
        return customer

    async def save(self, before: Customer, after: Customer) -> Customer | None:
        await asyncio.sleep(0)
        if self._customers[before.id].version != before.version:
            return None
        if any(self._conflicts(after.unique_keys, before.id)):
            return None
        saved = replace(after, version=before.version + 1, update_time=self._clock())
        self._customers[before.id] = saved
        return saved

    async def find_conflict(
        self, keys: UniqueKeys, *, except_id: UUID | None = None
    ) -> Customer | None:
        await asyncio.sleep(0)
        return next(self._conflicts(keys, except_id), None)

    async def list(self, query: CustomerQuery) -> list[Customer]:
        await asyncio.sleep(0)
        found = [customer for customer in self._customers.values() if _meets(customer, query)]
        found.sort(key=_sort_key, reverse=query.newest_first)
        return found[: query.limit]

    def _conflicts(self, keys: UniqueKeys, except_id: UUID | None) -> Iterator[Customer]:
        """The customers with the request_id, then with the email, then with the reference."""
        others = [other for other in self._customers.values() if other.id != except_id]
        if keys.request_id is not None:
            yield from (other for other in others if other.request_id == keys.request_id)
        if keys.email is not None:
            yield from (o for o in others if _folded(o.unique_keys.email) == keys.email.key)
        if keys.reference is not None:
            yield from (other for other in others if other.reference == keys.reference)


def first_version(new_id: UUID, request: CustomerRequest, now: datetime) -> Customer:
    """The customer that an insert makes of a request."""
    return Customer(
        id=new_id,
        details=request.details,
        reference=request.reference,
        state=request.state,
        create_time=now,
        update_time=now,
        request_id=request.request_id,
        fingerprint=request.fingerprint,
    )


def _folded(email: EmailAddress | None) -> str | None:
    return None if email is None else email.key


def _sort_key(customer: Customer) -> tuple[datetime, UUID]:
    return customer.create_time, customer.id


def _meets(customer: Customer, query: CustomerQuery) -> bool:
    email = customer.details.email if customer.details is not None else None
    passed = operator.lt if query.newest_first else operator.gt
    after = query.after
    return (
        (query.show_deleted or customer.delete_time is None)
        and query.state in (None, customer.state)
        and _folded(query.email) in (None, _folded(email))
        and query.reference in (None, customer.reference)
        and all(how.holds(customer.create_time, time) for how, time in query.create_time)
        and (after is None or passed(_sort_key(customer), (after.create_time, after.id)))
    )
