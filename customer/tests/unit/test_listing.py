"""Pages of customers."""

import pytest

from chassis.identifiers import uuid7
from customer.repository.memory import MemoryCustomers
from customer.service_layer.listing import page
from customer.service_layer.ports import Query

from ..conftest import MakeRegistration


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("size", [1, 2, 3, 6, 7, 100])
async def test_the_pages_of_a_list_hold_every_customer_once(
    memory: MemoryCustomers, registration: MakeRegistration, size: int, newest_first: bool
) -> None:
    registered = [await memory.insert(uuid7(), registration()) for _ in range(6)]
    query = Query(newest_first=newest_first)
    seen, after, sizes = [], None, []
    while True:
        found = await page(query, after, size, customers=memory)
        seen += found.customers
        sizes.append(len(found.customers))
        after = found.next_after
        if after is None:
            break
    assert seen == (registered[::-1] if newest_first else registered)
    assert sizes[:-1] == [size] * (len(sizes) - 1)
    assert sizes[-1] > 0, "no page is promised that is empty"


async def test_an_empty_list_has_one_empty_page(memory: MemoryCustomers) -> None:
    found = await page(Query(), None, 50, customers=memory)
    assert (found.customers, found.next_after) == ([], None)
