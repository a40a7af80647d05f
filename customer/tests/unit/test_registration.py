"""A new customer, once."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import pytest

from chassis.identifiers import uuid7
from customer.domain.customer import Customer, Registration, UniqueKeys
from customer.domain.errors import EmailTaken, ReferenceTaken, RequestIdReused, TryAgain
from customer.repository.memory import MemoryCustomers
from customer.service_layer import changes
from customer.service_layer.registration import register

from ..conftest import REQUEST_ID, MakeRegistration


async def test_a_registration_makes_a_customer(
    memory: MemoryCustomers, registration: MakeRegistration
) -> None:
    customer = await register(registration(), customers=memory, new_id=uuid7)
    assert await memory.get(customer.name) == customer


async def test_the_same_request_sent_again_returns_the_customer_as_it_is_now(
    memory: MemoryCustomers, registration: MakeRegistration
) -> None:
    asked = registration(request_id=REQUEST_ID)
    first = await register(asked, customers=memory, new_id=uuid7)
    deleted = await changes.delete(first.name, "", customers=memory)
    assert await register(asked, customers=memory, new_id=uuid7) == deleted


async def test_the_request_id_is_looked_at_before_email_and_reference(
    memory: MemoryCustomers, registration: MakeRegistration
) -> None:
    asked = registration(request_id=REQUEST_ID, email="a@example.com", reference="A-1")
    alice = await register(asked, customers=memory, new_id=uuid7)
    await changes.delete(alice.name, "", customers=memory)
    bob = registration(email="a@example.com", reference="B-1")
    await register(bob, customers=memory, new_id=uuid7)
    assert (await register(asked, customers=memory, new_id=uuid7)).id == alice.id


@pytest.mark.parametrize(
    ("said", "refusal"),
    [
        ({"request_id": REQUEST_ID}, RequestIdReused),
        ({"email": "ALICE@example.com", "reference": "A-1"}, EmailTaken),
        ({"reference": "A-1"}, ReferenceTaken),
    ],
    ids=str,
)
async def test_what_another_customer_has_is_refused(
    memory: MemoryCustomers,
    registration: MakeRegistration,
    said: dict[str, str],
    refusal: type[Exception],
) -> None:
    taken = registration(email="alice@example.com", reference="A-1", request_id=REQUEST_ID)
    alice = await register(taken, customers=memory, new_id=uuid7)
    with pytest.raises(refusal) as refused:
        await register(registration(**said), customers=memory, new_id=uuid7)
    assert refused.value.customer == alice.name  # type: ignore[attr-defined]


async def test_of_twenty_at_once_with_one_email_one_wins(
    memory: MemoryCustomers, registration: MakeRegistration
) -> None:
    asked = [registration(email="alice@example.com") for _ in range(20)]
    answers = await asyncio.gather(
        *(register(each, customers=memory, new_id=uuid7) for each in asked),
        return_exceptions=True,
    )
    winners = [each for each in answers if isinstance(each, Customer)]
    assert len(winners) == 1
    losers = [each for each in answers if isinstance(each, EmailTaken)]
    assert [each.customer for each in losers] == [winners[0].name] * 19


class Interrupted(MemoryCustomers):
    """Somebody deletes whoever stands in the way of an insert before it can be looked for, as
    often as `times`; and registers again in time for the next insert.
    """

    def __init__(self, clock: Callable[[], datetime], times: int, again: Registration) -> None:
        super().__init__(clock)
        self.times = times
        self.again = again
        self.inserts = 0

    async def insert(self, new_id: UUID, registration: Registration) -> Customer | None:
        self.inserts += 1
        return await super().insert(new_id, registration)

    async def find_holder(
        self, claim: UniqueKeys, *, besides: UUID | None = None
    ) -> Customer | None:
        holder = await super().find_holder(claim, besides=besides)
        if holder is None or self.times == 0:
            return holder
        self.times -= 1
        await super().replace(holder.delete("", self._clock()))
        if self.times:
            await super().insert(uuid7(), self.again)
        return None


async def test_a_way_that_became_free_is_taken(
    clock: Callable[[], datetime], registration: MakeRegistration
) -> None:
    asked = registration(email="alice@example.com")
    customers = Interrupted(clock, times=1, again=asked)
    bob = await register(asked, customers=customers, new_id=uuid7)
    assert (await register(asked, customers=customers, new_id=uuid7)).id != bob.id
    assert customers.inserts == 3


async def test_a_way_that_is_never_seen_is_given_up_after_three_attempts(
    clock: Callable[[], datetime], registration: MakeRegistration
) -> None:
    asked = registration(email="alice@example.com")
    customers = Interrupted(clock, times=100, again=asked)
    await register(asked, customers=customers, new_id=uuid7)
    with pytest.raises(TryAgain):
        await register(asked, customers=customers, new_id=uuid7)
    assert customers.inserts == 1 + 3
