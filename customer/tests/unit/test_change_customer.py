"""Changes of a customer, one at a time and many at once."""

import asyncio
from collections.abc import Callable
from datetime import datetime

import pytest

from chassis.identifiers import uuid7
from chassis.values import Reference
from customer.domain.customer import Customer, CustomerChanges, State
from customer.domain.errors import (
    CustomerNotFound,
    EmailTaken,
    EtagMismatch,
    ReferenceTaken,
    TryAgain,
)
from customer.domain.values import CustomerName, DisplayName, EmailAddress
from customer.repository.memory import MemoryCustomers
from customer.service_layer.change_customer import ChangeCustomer
from customer.service_layer.create_customer import CreateCustomer

from ..conftest import MakeRequest


@pytest.fixture
def create(memory: MemoryCustomers) -> CreateCustomer:
    return CreateCustomer(memory, uuid7)


@pytest.fixture
def change(memory: MemoryCustomers) -> ChangeCustomer:
    return ChangeCustomer(memory)


async def test_each_change_is_stored_and_returned(
    memory: MemoryCustomers,
    create: CreateCustomer,
    change: ChangeCustomer,
    make_request: MakeRequest,
) -> None:
    alice = await create(make_request())
    name = alice.name
    blocked = await change.update(name, {"state": State.BLOCKED}, alice.etag)
    assert blocked.state is State.BLOCKED
    deleted = await change.delete(name, blocked.etag)
    assert deleted.delete_time is not None
    back = await change.undelete(name, deleted.etag)
    assert back.delete_time is None
    erased = await change.erase(name, back.etag)
    assert erased.details is None
    assert ((await memory.get(name.id)).resource, erased.version) == (erased, 5)


@pytest.mark.parametrize("method", ["delete", "undelete", "erase"])
async def test_a_customer_that_never_existed_cannot_be_changed(
    change: ChangeCustomer, method: str
) -> None:
    unknown = CustomerName(uuid7())
    with pytest.raises(CustomerNotFound) as refused:
        await getattr(change, method)(unknown)
    assert refused.value.name == unknown


async def test_an_update_that_changes_nothing_keeps_the_etag(
    create: CreateCustomer, change: ChangeCustomer, make_request: MakeRequest
) -> None:
    alice = await create(make_request())
    assert await change.update(alice.name, {}) == alice
    assert await change.update(alice.name, {"state": State.ACTIVE}, alice.etag) == alice


@pytest.mark.parametrize("etag", ['"7"', "1", '"01"', 'W/"1"', "x" * 10_000])
@pytest.mark.parametrize("method", ["update", "update of nothing", "delete", "undelete", "erase"])
async def test_a_caller_that_saw_another_version_is_refused(
    create: CreateCustomer,
    change: ChangeCustomer,
    make_request: MakeRequest,
    method: str,
    etag: str,
) -> None:
    alice = await create(make_request())
    if method == "undelete":
        alice = await change.delete(alice.name)
    calls = {
        "update": lambda: change.update(alice.name, {"state": State.BLOCKED}, etag),
        "update of nothing": lambda: change.update(alice.name, {}, etag),
        "delete": lambda: change.delete(alice.name, etag),
        "undelete": lambda: change.undelete(alice.name, etag),
        "erase": lambda: change.erase(alice.name, etag),
    }
    with pytest.raises(EtagMismatch):
        await calls[method]()


async def test_a_repeated_change_is_answered_like_the_first_with_the_same_etag(
    create: CreateCustomer, change: ChangeCustomer, make_request: MakeRequest
) -> None:
    alice = await create(make_request())
    assert await change.undelete(alice.name, '"99"') == alice, "it is not deleted"
    deleted = await change.delete(alice.name, alice.etag)
    assert await change.delete(alice.name, alice.etag) == deleted
    erased = await change.erase(alice.name, deleted.etag)
    assert await change.erase(alice.name, deleted.etag) == erased
    assert await change.delete(alice.name, alice.etag) == erased


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"email": EmailAddress("ALICE@example.com")}, EmailTaken),
        ({"reference": Reference("A-1")}, ReferenceTaken),
    ],
    ids=["email", "reference"],
)
async def test_an_update_to_what_another_customer_has_is_refused(
    memory: MemoryCustomers,
    create: CreateCustomer,
    change: ChangeCustomer,
    make_request: MakeRequest,
    changes: CustomerChanges,
    error: type[EmailTaken | ReferenceTaken],
) -> None:
    alice = await create(make_request(email="alice@example.com", reference="A-1"))
    bob = await create(make_request())
    with pytest.raises(error) as refused:
        await change.update(bob.name, changes)
    assert refused.value.name == alice.name
    assert (await memory.get(bob.id)).resource == bob


async def test_a_customer_whose_email_was_taken_meanwhile_cannot_be_undeleted(
    create: CreateCustomer, change: ChangeCustomer, make_request: MakeRequest
) -> None:
    request = make_request(email="alice@example.com")
    old = await create(request)
    await change.delete(old.name)
    new = await create(request)
    with pytest.raises(EmailTaken) as refused:
        await change.undelete(old.name)
    assert refused.value.name == new.name


async def test_of_two_updates_with_one_etag_one_is_refused(
    create: CreateCustomer, change: ChangeCustomer, make_request: MakeRequest
) -> None:
    alice = await create(make_request())
    answers = await asyncio.gather(
        change.update(alice.name, {"display_name": DisplayName("B")}, alice.etag),
        change.update(alice.name, {"display_name": DisplayName("C")}, alice.etag),
        return_exceptions=True,
    )
    assert sorted(type(answer).__name__ for answer in answers) == ["Customer", "EtagMismatch"]


async def test_concurrent_updates_of_different_fields_are_all_kept(
    memory: MemoryCustomers,
    create: CreateCustomer,
    change: ChangeCustomer,
    make_request: MakeRequest,
) -> None:
    alice = await create(make_request())
    updates: list[CustomerChanges] = [
        {"display_name": DisplayName("Bob")},
        {"email": EmailAddress("bob@example.com")},
        {"reference": Reference("B-1")},
        {"state": State.BLOCKED},
    ]
    await asyncio.gather(*(change.update(alice.name, changes) for changes in updates))
    after = (await memory.get(alice.id)).resource
    assert after.version == 5
    assert after.details is not None
    assert str(after.details.display_name) == "Bob"
    assert str(after.details.email) == "bob@example.com"
    assert (after.reference, after.state) == (Reference("B-1"), State.BLOCKED)


class AlwaysOvertaken(MemoryCustomers):
    """Before every save, somebody else changes the customer."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        super().__init__(clock)
        self.saves = 0

    async def save(self, before: Customer, after: Customer) -> Customer | None:
        self.saves += 1
        current = (await self.get(before.id)).resource
        other = State.ACTIVE if current.state is State.BLOCKED else State.BLOCKED
        assert await super().save(current, current.update({"state": other}))
        return await super().save(before, after)


async def test_a_change_that_always_loses_the_race_is_given_up_after_ten_attempts(
    clock: Callable[[], datetime], make_request: MakeRequest
) -> None:
    customers = AlwaysOvertaken(clock)
    alice = await CreateCustomer(customers, uuid7)(make_request())
    with pytest.raises(TryAgain) as refused:
        await ChangeCustomer(customers).delete(alice.name)
    assert refused.value.name == alice.name
    assert customers.saves == 10


async def test_a_change_with_an_etag_that_loses_the_race_is_refused_at_once(
    clock: Callable[[], datetime], make_request: MakeRequest
) -> None:
    customers = AlwaysOvertaken(clock)
    alice = await CreateCustomer(customers, uuid7)(make_request())
    with pytest.raises(EtagMismatch):
        await ChangeCustomer(customers).delete(alice.name, alice.etag)
    assert customers.saves == 1
