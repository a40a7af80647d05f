"""Changes a customer: update, delete, undelete, erase.

All of them run the same way: read the customer, let the domain change it, and save it if nobody
else was faster.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from customer.domain.customer import Customer, CustomerChanges
from customer.domain.errors import TryAgain
from customer.domain.values import CustomerName
from customer.service_layer.ports import CustomerRepository

# Of n callers that change one customer at the same time, one succeeds in each round. More than this
# many are no people but a loop that went wrong.
MAX_ATTEMPTS = 10


@dataclass(frozen=True, slots=True)
class ChangeCustomer:
    """The changes of a customer. One object serves all calls."""

    customers: CustomerRepository

    async def update(
        self, name: CustomerName, changes: CustomerChanges, etag: str = ""
    ) -> Customer:
        """Gives the named fields new values. Without a difference there is no new version."""

        def change(customer: Customer, _now: datetime) -> Customer:
            after = customer.update(changes)
            customer.check_etag(etag)
            return after

        return await self._change(name, etag, change)

    async def delete(self, name: CustomerName, etag: str = "") -> Customer:
        """Deletes a customer softly; a deleted one is returned as it is."""
        return await self._change(name, etag, Customer.delete)

    async def undelete(self, name: CustomerName, etag: str = "") -> Customer:
        """Brings a deleted customer back; one that is not deleted is returned as it is."""
        return await self._change(name, etag, lambda customer, _now: customer.undelete())

    async def erase(self, name: CustomerName, etag: str = "") -> Customer:
        """Erases a customer's personal details for ever; an erased one is returned as it is."""
        return await self._change(name, etag, Customer.erase)

    async def _change(
        self, name: CustomerName, etag: str, change: Callable[[Customer, datetime], Customer]
    ) -> Customer:
        """Makes one change, again for as long as others are faster.

        The etag is checked only where there is something to do: a repeated call, whose etag is that
        from before the change, is answered like the first.

        Raises:
            CustomerNotFound, EtagMismatch, EmailTaken, ReferenceTaken, TryAgain, and what `change`
            raises.
        """
        for _ in range(MAX_ATTEMPTS):
            snapshot = await self.customers.get(name.id)
            before = snapshot.resource
            after = change(before, snapshot.now)
            if after == before:
                return before
            before.check_etag(etag)
            saved = await self.customers.save(before, after)
            if saved is not None:
                return saved
            keys = after.unique_keys
            conflict = await self.customers.find_conflict(keys, except_id=name.id)
            if conflict is not None:
                raise conflict.error_for(keys)
        raise TryAgain(name)
