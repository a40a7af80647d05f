"""Pages of customers."""

from dataclasses import dataclass

from customer.domain.customer import Customer
from customer.service_layer.ports import CustomerRepository, Position, Query


@dataclass(frozen=True, slots=True)
class Page:
    """Some customers of a list; `next_after` is where the next page begins, None on the last."""

    customers: list[Customer]
    next_after: Position | None


async def page(
    query: Query, after: Position | None, size: int, *, customers: CustomerRepository
) -> Page:
    """Returns the page of `size` customers that come after a position.

    One more is read than is returned: it tells whether there is a next page.
    """
    found = await customers.list(query, after, size + 1)
    returned = found[:size]
    if len(found) <= size:
        return Page(returned, None)
    return Page(returned, Position(returned[-1].create_time, returned[-1].id))
