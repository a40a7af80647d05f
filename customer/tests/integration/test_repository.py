"""The contract of CustomerRepository, on each implementation."""

import asyncio
import itertools
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from chassis.aip.filters import Comparison
from chassis.aip.pages import Position
from chassis.identifiers import uuid7
from chassis.values import Metadata, Reference
from customer.domain.customer import Changes, Customer, Registration, State, UniqueKeys
from customer.domain.errors import CustomerNotFound, EmailTaken
from customer.domain.values import CustomerName, EmailAddress, PhoneNumber
from customer.repository.memory import MemoryCustomers
from customer.repository.postgresql import PostgresCustomers
from customer.service_layer.ports import CustomerRepository, Query
from customer.service_layer.registration import register

from ..conftest import OTHER_REQUEST_ID, REQUEST_ID, MakeRegistration

SECOND = timedelta(seconds=1)
MICROSECOND = timedelta(microseconds=1)


async def inserted(customers: CustomerRepository, registration: Registration) -> Customer:
    customer = await customers.insert(uuid7(), registration)
    assert customer is not None
    return customer


async def replaced(customers: CustomerRepository, customer: Customer) -> Customer:
    assert await customers.replace(customer)
    return customer


def full(registration: MakeRegistration) -> Registration:
    return registration(
        display_name="Ærø 王小明",
        email="Ünïcode@Exämple.com",
        phone="+4930123456",
        reference="A-1",
        metadata={"aa": "x\ny", "ключ": "", "b": "\"'\\"},
        state=State.BLOCKED,
        request_id=REQUEST_ID,
    )


async def test_an_inserted_customer_comes_back_as_it_was_registered(
    customers: CustomerRepository, registration: MakeRegistration
) -> None:
    asked, new_id = full(registration), uuid7()
    customer = await customers.insert(new_id, asked)
    assert customer is not None
    assert customer == Customer.registered(new_id, asked, customer.create_time)
    assert await customers.get(customer.name) == customer


async def test_a_customer_that_never_was_is_not_found(customers: CustomerRepository) -> None:
    nobody = CustomerName(uuid7())
    with pytest.raises(CustomerNotFound) as refused:
        await customers.get(nobody)
    assert refused.value.customer == nobody
    with pytest.raises(CustomerNotFound):
        await customers.get_with_time(nobody)


async def test_the_time_is_that_of_the_repository_and_goes_on(
    customers: CustomerRepository, registration: MakeRegistration
) -> None:
    alice = await inserted(customers, registration())
    seen, now = await customers.get_with_time(alice.name)
    assert seen == alice
    bob = await inserted(customers, registration())
    assert alice.create_time <= now <= bob.create_time
    assert now.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "said",
    [
        {"email": "ALICE@example.com"},
        {"reference": "A-1"},
        {"request_id": REQUEST_ID},
        {"email": "alice@example.com", "reference": "A-1", "request_id": REQUEST_ID},
    ],
    ids=str,
)
async def test_what_is_taken_is_not_inserted(
    customers: CustomerRepository, registration: MakeRegistration, said: dict[str, str]
) -> None:
    taken = registration(email="alice@example.com", reference="A-1", request_id=REQUEST_ID)
    alice = await inserted(customers, taken)
    assert await customers.insert(uuid7(), registration(**said)) is None
    assert await customers.list(Query(), None, 10) == [alice]


async def test_an_id_is_not_used_twice(
    customers: CustomerRepository, registration: MakeRegistration
) -> None:
    alice = await inserted(customers, registration())
    assert await customers.insert(alice.id, registration()) is None


async def test_a_deleted_customers_email_is_free_its_reference_and_request_id_are_not(
    customers: CustomerRepository, registration: MakeRegistration
) -> None:
    said = {"email": "alice@example.com", "reference": "A-1", "request_id": REQUEST_ID}
    alice = await inserted(customers, registration(**said))
    deleted = await replaced(customers, alice.delete("", alice.create_time))
    erased = await replaced(customers, deleted.erase("", alice.create_time))
    for field in ("reference", "request_id"):
        taken = {field: said[field]}
        assert await customers.insert(uuid7(), registration(**taken)) is None
    again = await inserted(customers, registration(email="alice@example.com"))
    assert again.id != erased.id


async def test_a_replaced_customer_comes_back_as_its_next_version(
    customers: CustomerRepository, registration: MakeRegistration
) -> None:
    alice = await inserted(customers, registration(phone="+49301", reference="A-1"))
    changes: Changes = {
        "email": EmailAddress("bob@example.com"),
        "phone": PhoneNumber("+49302"),
        "reference": None,
        "metadata": Metadata.of({"k": "v"}),
        "state": State.BLOCKED,
    }
    later = alice.create_time + MICROSECOND
    after = await replaced(customers, alice.update(changes, "", later))
    assert await customers.get(alice.name) == after


async def test_all_that_may_become_of_a_customer_is_kept(
    customers: CustomerRepository, registration: MakeRegistration
) -> None:
    now = (await inserted(customers, registration())).create_time
    alice = await inserted(customers, full(registration))
    for change in (Customer.delete, Customer.undelete, Customer.delete, Customer.erase):
        now += SECOND
        alice = await replaced(customers, change(alice, "", now))
        assert await customers.get(alice.name) == alice
    assert alice.erase_time == now


async def test_a_version_is_replaced_once(
    customers: CustomerRepository, registration: MakeRegistration
) -> None:
    alice = await inserted(customers, registration())
    after = await replaced(customers, alice.delete("", alice.create_time))
    assert not await customers.replace(
        alice.update({"state": State.BLOCKED}, "", alice.create_time)
    )
    assert not await customers.replace(after)
    assert await customers.get(alice.name) == after


@pytest.mark.parametrize(
    "changes",
    [{"email": EmailAddress("ALICE@example.com")}, {"reference": Reference("A-1")}],
    ids=["email", "reference"],
)
async def test_a_customer_is_not_replaced_by_one_that_claims_what_is_taken(
    customers: CustomerRepository, registration: MakeRegistration, changes: Changes
) -> None:
    await inserted(customers, registration(email="alice@example.com", reference="A-1"))
    bob = await inserted(customers, registration())
    assert not await customers.replace(bob.update(changes, "", bob.create_time))
    assert await customers.get(bob.name) == bob


async def test_a_deleted_customer_comes_back_only_while_its_email_is_free(
    customers: CustomerRepository, registration: MakeRegistration
) -> None:
    asked = registration(email="alice@example.com")
    old = await inserted(customers, asked)
    old = await replaced(customers, old.delete("", old.create_time))
    new = await inserted(customers, asked)
    back = old.undelete("", old.create_time)
    assert not await customers.replace(back)
    await replaced(customers, new.delete("", new.create_time))
    assert await customers.replace(back)


async def test_the_holder_of_the_request_id_is_found_before_those_of_email_and_reference(
    customers: CustomerRepository, registration: MakeRegistration
) -> None:
    same_reference = await inserted(customers, registration(reference="A-1"))
    by_email = await inserted(customers, registration(email="alice@example.com"))
    same_request = await inserted(customers, registration(request_id=REQUEST_ID))
    claim = registration(email="ALICE@example.com", reference="A-1", request_id=REQUEST_ID).claim
    assert await customers.find_holder(claim) == same_request
    assert await customers.find_holder(claim, besides=same_request.id) == by_email
    assert await customers.find_holder(claim, besides=by_email.id) == same_request
    only_reference = UniqueKeys(reference=claim.reference)
    assert await customers.find_holder(only_reference) == same_reference
    assert await customers.find_holder(only_reference, besides=same_reference.id) is None


async def test_what_nobody_has_has_no_holder(
    customers: CustomerRepository, registration: MakeRegistration
) -> None:
    alice = await inserted(customers, registration(email="alice@example.com"))
    assert await customers.find_holder(UniqueKeys()) is None
    assert await customers.find_holder(full(registration).claim) is None
    assert await customers.find_holder(alice.claim) == alice
    await replaced(customers, alice.delete("", alice.create_time))
    assert await customers.find_holder(alice.claim) is None, "the deleted claim no email"


async def test_a_list_has_the_newest_first_or_last_and_hides_the_deleted(
    customers: CustomerRepository, registration: MakeRegistration
) -> None:
    one, two, three = [await inserted(customers, registration()) for _ in range(3)]
    two = await replaced(customers, two.delete("", two.create_time))
    assert await customers.list(Query(), None, 10) == [three, one]
    assert await customers.list(Query(newest_first=False), None, 10) == [one, three]
    assert await customers.list(Query(show_deleted=True), None, 10) == [three, two, one]
    assert await customers.list(Query(show_deleted=True), None, 2) == [three, two]


async def test_a_list_goes_on_after_any_position(
    customers: CustomerRepository, registration: MakeRegistration
) -> None:
    all_of_them = [await inserted(customers, registration()) for _ in range(4)]
    place = Position(all_of_them[1].create_time, all_of_them[1].id)
    assert await customers.list(Query(newest_first=False), place, 10) == all_of_them[2:]
    assert await customers.list(Query(), place, 10) == all_of_them[:1]
    nobody = Position(place.create_time + MICROSECOND, UUID(int=0))
    assert await customers.list(Query(newest_first=False), nobody, 10) == all_of_them[2:]


@pytest.mark.parametrize(
    ("comparison", "expected"),
    [
        (Comparison.BEFORE, [0]),
        (Comparison.UNTIL, [0, 1]),
        (Comparison.AFTER, [2]),
        (Comparison.FROM, [1, 2]),
    ],
)
async def test_a_range_of_times_is_exact_to_the_microsecond(
    customers: CustomerRepository,
    registration: MakeRegistration,
    comparison: Comparison,
    expected: list[int],
) -> None:
    three = [await inserted(customers, registration()) for _ in range(3)]
    query = Query(create_time=((comparison, three[1].create_time),), newest_first=False)
    assert await customers.list(query, None, 10) == [three[number] for number in expected]


async def test_filters_find_who_meets_all_of_them(
    customers: CustomerRepository, registration: MakeRegistration
) -> None:
    alice = await inserted(customers, registration(email="alice@example.com", reference="A-1"))
    bob = await inserted(customers, registration(state=State.BLOCKED, reference="B-1"))

    async def found(**query: Any) -> list[Customer]:
        return await customers.list(Query(**query), None, 10)

    email = EmailAddress("ALICE@EXAMPLE.COM")
    assert await found(state=State.ACTIVE) == [alice]
    assert await found(state=State.BLOCKED) == [bob]
    assert await found(email=email) == [alice]
    assert await found(reference=Reference("B-1")) == [bob]
    assert await found(email=email, reference=Reference("A-1"), state=State.ACTIVE) == [alice]
    assert await found(email=email, reference=Reference("B-1")) == []
    assert (
        await found(state=State.BLOCKED, create_time=((Comparison.BEFORE, bob.create_time),)) == []
    )


async def test_all_that_ever_had_an_email_are_listed_where_the_deleted_are_shown(
    customers: CustomerRepository, registration: MakeRegistration
) -> None:
    asked = registration(email="alice@example.com")
    first = await inserted(customers, asked)
    first = await replaced(customers, first.delete("", first.create_time))
    second = await inserted(customers, asked)
    query = Query(email=EmailAddress("alice@example.com"))
    assert await customers.list(query, None, 10) == [second]
    ever = Query(email=query.email, show_deleted=True)
    assert await customers.list(ever, None, 10) == [second, first]
    erased = await replaced(customers, first.erase("", first.create_time))
    assert erased not in await customers.list(ever, None, 10), "nobody is found by what is erased"


async def test_of_twenty_registrations_of_one_email_at_once_one_wins(
    customers: CustomerRepository, registration: MakeRegistration
) -> None:
    asked = [registration(email="alice@example.com", reference=f"A-{n}") for n in range(20)]
    answers = await asyncio.gather(
        *(register(each, customers=customers, new_id=uuid7) for each in asked),
        return_exceptions=True,
    )
    (winner,) = [each for each in answers if isinstance(each, Customer)]
    losers = [each for each in answers if isinstance(each, EmailTaken)]
    assert [each.customer for each in losers] == [winner.name] * 19
    assert await customers.list(Query(show_deleted=True), None, 100) == [winner]


async def test_one_request_sent_twenty_times_at_once_makes_one_customer(
    customers: CustomerRepository, registration: MakeRegistration
) -> None:
    asked = registration(email="alice@example.com", reference="A-1", request_id=OTHER_REQUEST_ID)
    answers = await asyncio.gather(
        *(register(asked, customers=customers, new_id=uuid7) for _ in range(20))
    )
    assert answers == [answers[0]] * 20
    assert await customers.list(Query(show_deleted=True), None, 100) == [answers[0]]


async def test_of_twenty_replacements_of_one_version_at_once_one_is_kept(
    customers: CustomerRepository, registration: MakeRegistration
) -> None:
    alice = await inserted(customers, registration())
    after = [
        alice.update({"reference": Reference(f"A-{number}")}, "", alice.create_time)
        for number in range(20)
    ]
    kept = await asyncio.gather(*(customers.replace(each) for each in after))
    assert sum(kept) == 1
    assert await customers.get(alice.name) == after[kept.index(True)]


async def test_both_repositories_list_the_same(
    database: Any, superuser: Any, registration: MakeRegistration
) -> None:
    """Every query there is, over a small world: some created in one microsecond, some deleted,
    blocked or erased.
    """
    postgres = PostgresCustomers(database.pool)
    for number in range(12):
        state = State.BLOCKED if number % 3 == 0 else State.ACTIVE
        said = registration(
            email=f"a{number % 4}@example.com", state=state, reference=f"A-{number}"
        )
        customer = await postgres.insert(uuid7(), said)
        if customer is not None and number % 4 != 3:
            customer = await replaced(postgres, customer.delete("", customer.create_time))
            if number % 8 == 0:
                await replaced(postgres, customer.erase("", customer.create_time))
    await superuser.execute("SET session_replication_role = replica")  # past the trigger
    await superuser.execute("UPDATE customers SET create_time = date_trunc('second', create_time)")
    everybody = await postgres.list(Query(show_deleted=True), None, 100)
    assert len(everybody) == 10
    memory = MemoryCustomers(lambda: everybody[0].create_time)
    memory._customers = {each.id: each for each in everybody}
    times = sorted({each.create_time for each in everybody})
    for state, email, reference, comparison, newest_first, show_deleted, place in itertools.product(
        (None, *State),
        (None, EmailAddress("A1@example.com"), EmailAddress("x@example.com")),
        (None, Reference("A-1")),
        (None, *Comparison),
        (True, False),
        (True, False),
        (None, *everybody[::4]),
    ):
        bounds = ((comparison, times[-1]),) if comparison else ()
        query = Query(state, email, reference, bounds, newest_first, show_deleted)
        after = Position(place.create_time, place.id) if place else None
        assert await postgres.list(query, after, 5) == await memory.list(query, after, 5)
