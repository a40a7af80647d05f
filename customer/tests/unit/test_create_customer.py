"""A new customer, once for each request."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import pytest

from chassis.identifiers import uuid7
from customer.domain.customer import Customer, CustomerRequest, UniqueKeys
from customer.domain.errors import (
    CustomerError,
    EmailTaken,
    ReferenceTaken,
    RequestIdReused,
    TryAgain,
)
from customer.repository.memory import MemoryCustomers
from customer.service_layer.change_customer import ChangeCustomer
from customer.service_layer.create_customer import CreateCustomer

from ..conftest import REQUEST_ID, MakeRequest


@pytest.fixture
def create(memory: MemoryCustomers) -> CreateCustomer:
    return CreateCustomer(memory, uuid7)


@pytest.fixture
def change(memory: MemoryCustomers) -> ChangeCustomer:
    return ChangeCustomer(memory)


async def test_a_request_creates_a_customer(
    memory: MemoryCustomers, create: CreateCustomer, make_request: MakeRequest
) -> None:
    customer = await create(make_request())
    assert (await memory.get(customer.id)).resource == customer


async def test_the_same_request_sent_again_returns_the_customer_as_it_is_now(
    create: CreateCustomer, change: ChangeCustomer, make_request: MakeRequest
) -> None:
    request = make_request(request_id=REQUEST_ID)
    first = await create(request)
    deleted = await change.delete(first.name)
    assert await create(request) == deleted


async def test_the_request_id_is_looked_at_before_email_and_reference(
    create: CreateCustomer, change: ChangeCustomer, make_request: MakeRequest
) -> None:
    request = make_request(request_id=REQUEST_ID, email="a@example.com", reference="A-1")
    alice = await create(request)
    await change.delete(alice.name)
    await create(make_request(email="a@example.com", reference="B-1"))
    assert (await create(request)).id == alice.id


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ({"request_id": REQUEST_ID}, RequestIdReused),
        ({"email": "ALICE@example.com", "reference": "A-1"}, EmailTaken),
        ({"reference": "A-1"}, ReferenceTaken),
    ],
    ids=str,
)
async def test_a_request_for_what_another_customer_has_is_refused(
    create: CreateCustomer,
    make_request: MakeRequest,
    content: dict[str, str],
    error: type[CustomerError],
) -> None:
    alice = await create(
        make_request(email="alice@example.com", reference="A-1", request_id=REQUEST_ID)
    )
    with pytest.raises(error) as refused:
        await create(make_request(**content))
    assert refused.value.name == alice.name


async def test_of_twenty_concurrent_requests_with_one_email_one_succeeds(
    create: CreateCustomer, make_request: MakeRequest
) -> None:
    requests = [make_request(email="alice@example.com") for _ in range(20)]
    answers = await asyncio.gather(*map(create, requests), return_exceptions=True)
    (created,) = [answer for answer in answers if isinstance(answer, Customer)]
    errors = [answer for answer in answers if isinstance(answer, EmailTaken)]
    assert [error.name for error in errors] == [created.name] * 19


class ConflictDisappears(MemoryCustomers):
    """Whoever prevented an insert is deleted before it can be looked up, `times` times; each time
    but the last another customer with the same keys is created, in time for the next insert.
    """

    def __init__(self, clock: Callable[[], datetime], times: int, request: CustomerRequest) -> None:
        super().__init__(clock)
        self.times = times
        self.request = request
        self.inserts = 0

    async def insert(self, new_id: UUID, request: CustomerRequest) -> Customer | None:
        self.inserts += 1
        return await super().insert(new_id, request)

    async def find_conflict(
        self, keys: UniqueKeys, *, except_id: UUID | None = None
    ) -> Customer | None:
        conflict = await super().find_conflict(keys, except_id=except_id)
        if conflict is None or self.times == 0:
            return conflict
        self.times -= 1
        await super().save(conflict, conflict.delete(self._clock()))
        if self.times:
            await super().insert(uuid7(), self.request)
        return None


async def test_an_insert_is_tried_again_when_its_conflict_has_disappeared(
    clock: Callable[[], datetime], make_request: MakeRequest
) -> None:
    request = make_request(email="alice@example.com")
    customers = ConflictDisappears(clock, times=1, request=request)
    create = CreateCustomer(customers, uuid7)
    first = await create(request)
    assert (await create(request)).id != first.id
    assert customers.inserts == 3


async def test_an_insert_whose_conflict_is_never_found_is_given_up_after_three_attempts(
    clock: Callable[[], datetime], make_request: MakeRequest
) -> None:
    request = make_request(email="alice@example.com")
    customers = ConflictDisappears(clock, times=100, request=request)
    create = CreateCustomer(customers, uuid7)
    await create(request)
    with pytest.raises(TryAgain):
        await create(request)
    assert customers.inserts == 1 + 3
