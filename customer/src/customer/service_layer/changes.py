"""Changes of a customer: update, delete, undelete, erase.

All of them run the same way: the domain makes the next version of what is there, and that is kept
if nobody was faster.
"""

from collections.abc import Callable
from datetime import datetime

from customer.domain.customer import Changes, Customer
from customer.domain.errors import TryAgain
from customer.domain.values import CustomerName
from customer.service_layer.ports import CustomerRepository

# Of n callers that change one customer at once, one gets through in each round. More than this
# many at once are told to come again: they are a loop that went wrong, not people.
MAX_ATTEMPTS = 10

Change = Callable[[Customer, datetime], Customer]


async def update(
    name: CustomerName, changes: Changes, etag: str, *, customers: CustomerRepository
) -> Customer:
    """Gives the named fields new values. What changes nothing makes no new version."""
    return await _change(name, lambda it, now: it.update(changes, etag, now), customers)


async def delete(name: CustomerName, etag: str, *, customers: CustomerRepository) -> Customer:
    """Deletes a customer softly; a deleted one stays as it is."""
    return await _change(name, lambda it, now: it.delete(etag, now), customers)


async def undelete(name: CustomerName, etag: str, *, customers: CustomerRepository) -> Customer:
    """Brings a deleted customer back; a living one stays as it is."""
    return await _change(name, lambda it, now: it.undelete(etag, now), customers)


async def erase(name: CustomerName, etag: str, *, customers: CustomerRepository) -> Customer:
    """Erases a customer's personal details for ever; an erased one stays as it is."""
    return await _change(name, lambda it, now: it.erase(etag, now), customers)


async def _change(name: CustomerName, change: Change, customers: CustomerRepository) -> Customer:
    """Makes one change, and tries again as long as others are faster.

    Raises:
        CustomerNotFound, EmailTaken, ReferenceTaken, TryAgain, and whatever `change` refuses.
    """
    for _ in range(MAX_ATTEMPTS):
        before, now = await customers.get_with_time(name)
        after = change(before, now)
        if after is before or await customers.replace(after):
            return after
        holder = await customers.find_holder(after.claim, besides=name.id)
        if holder is not None:
            raise holder.refusal(after.claim)
    raise TryAgain(name)
