"""Changes of a customer, one at a time and many at once."""

import asyncio
from collections.abc import Callable
from datetime import datetime

import pytest

from chassis.identifiers import uuid7
from chassis.values import Reference
from customer.domain.customer import Changes, Customer, State
from customer.domain.errors import (
    CustomerNotFound,
    EmailTaken,
    EtagMismatch,
    ReferenceTaken,
    TryAgain,
)
from customer.domain.values import CustomerName, DisplayName, EmailAddress
from customer.repository.memory import MemoryCustomers
from customer.service_layer.changes import delete, erase, undelete, update
from customer.service_layer.registration import register

from ..conftest import MakeRegistration


async def test_each_change_is_kept_and_returned(
    memory: MemoryCustomers, registration: MakeRegistration
) -> None:
    alice = await register(registration(), customers=memory, new_id=uuid7)
    name = alice.name
    blocked = await update(name, {"state": State.BLOCKED}, alice.etag, customers=memory)
    assert blocked.state is State.BLOCKED
    deleted = await delete(name, blocked.etag, customers=memory)
    assert deleted.delete_time is not None
    back = await undelete(name, deleted.etag, customers=memory)
    assert back.delete_time is None
    erased = await erase(name, back.etag, customers=memory)
    assert erased.details is None
    assert (await memory.get(name), erased.version) == (erased, 5)


@pytest.mark.parametrize("change", [delete, undelete, erase])
async def test_a_customer_that_never_was_cannot_be_changed(
    memory: MemoryCustomers, change: Callable[..., object]
) -> None:
    nobody = CustomerName(uuid7())
    with pytest.raises(CustomerNotFound) as refused:
        await change(nobody, "", customers=memory)  # type: ignore[misc]
    assert refused.value.customer == nobody


async def test_an_update_of_nothing_keeps_the_etag(
    memory: MemoryCustomers, registration: MakeRegistration
) -> None:
    alice = await register(registration(), customers=memory, new_id=uuid7)
    assert await update(alice.name, {}, "", customers=memory) == alice


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"email": EmailAddress("ALICE@example.com")}, EmailTaken),
        ({"reference": Reference("A-1")}, ReferenceTaken),
    ],
    ids=["email", "reference"],
)
async def test_an_update_to_what_another_has_is_refused(
    memory: MemoryCustomers,
    registration: MakeRegistration,
    changes: Changes,
    refusal: type[Exception],
) -> None:
    said = registration(email="alice@example.com", reference="A-1")
    alice = await register(said, customers=memory, new_id=uuid7)
    bob = await register(registration(), customers=memory, new_id=uuid7)
    with pytest.raises(refusal) as refused:
        await update(bob.name, changes, "", customers=memory)
    assert refused.value.customer == alice.name  # type: ignore[attr-defined]
    assert await memory.get(bob.name) == bob


async def test_a_customer_whose_email_was_taken_meanwhile_cannot_come_back(
    memory: MemoryCustomers, registration: MakeRegistration
) -> None:
    said = registration(email="alice@example.com")
    old = await register(said, customers=memory, new_id=uuid7)
    await delete(old.name, "", customers=memory)
    new = await register(said, customers=memory, new_id=uuid7)
    with pytest.raises(EmailTaken) as refused:
        await undelete(old.name, "", customers=memory)
    assert refused.value.customer == new.name


async def test_of_two_updates_with_one_etag_one_is_refused(
    memory: MemoryCustomers, registration: MakeRegistration
) -> None:
    alice = await register(registration(), customers=memory, new_id=uuid7)
    answers = await asyncio.gather(
        update(alice.name, {"display_name": DisplayName("B")}, alice.etag, customers=memory),
        update(alice.name, {"display_name": DisplayName("C")}, alice.etag, customers=memory),
        return_exceptions=True,
    )
    assert sorted(type(each).__name__ for each in answers) == ["Customer", "EtagMismatch"]


async def test_updates_of_different_fields_at_once_all_stay(
    memory: MemoryCustomers, registration: MakeRegistration
) -> None:
    alice = await register(registration(), customers=memory, new_id=uuid7)
    wanted: list[Changes] = [
        {"display_name": DisplayName("Bob")},
        {"email": EmailAddress("bob@example.com")},
        {"reference": Reference("B-1")},
        {"state": State.BLOCKED},
    ]
    await asyncio.gather(*(update(alice.name, each, "", customers=memory) for each in wanted))
    after = await memory.get(alice.name)
    assert after.version == 5
    assert after.details is not None
    assert str(after.details.display_name) == "Bob"
    assert str(after.details.email) == "bob@example.com"
    assert (after.reference, after.state) == (Reference("B-1"), State.BLOCKED)


class AlwaysFaster(MemoryCustomers):
    """Somebody else changes the customer before every replacement."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        super().__init__(clock)
        self.attempts = 0

    async def replace(self, customer: Customer) -> bool:
        self.attempts += 1
        current = await self.get(customer.name)
        other = State.ACTIVE if current.state is State.BLOCKED else State.BLOCKED
        await super().replace(current.update({"state": other}, "", self._clock()))
        return await super().replace(customer)


async def test_a_change_that_always_loses_is_given_up(
    clock: Callable[[], datetime], registration: MakeRegistration
) -> None:
    customers = AlwaysFaster(clock)
    alice = await register(registration(), customers=customers, new_id=uuid7)
    with pytest.raises(TryAgain) as refused:
        await delete(alice.name, "", customers=customers)
    assert refused.value.customer == alice.name
    assert customers.attempts == 10


async def test_a_change_that_lost_with_an_etag_is_refused_at_once(
    clock: Callable[[], datetime], registration: MakeRegistration
) -> None:
    customers = AlwaysFaster(clock)
    alice = await register(registration(), customers=customers, new_id=uuid7)
    with pytest.raises(EtagMismatch):
        await delete(alice.name, alice.etag, customers=customers)
    assert customers.attempts == 1
