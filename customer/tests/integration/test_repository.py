"""The contract of CustomerRepository, on each implementation."""

import asyncio
import itertools
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from chassis.aip.filters import Comparison
from chassis.aip.pages import Position
from chassis.identifiers import uuid7
from chassis.values import Metadata, Reference
from customer.domain.customer import (
    Customer,
    CustomerChanges,
    CustomerRequest,
    State,
    UniqueKeys,
)
from customer.domain.errors import CustomerNotFound, EmailTaken
from customer.domain.values import EmailAddress, PhoneNumber
from customer.repository.memory import MemoryCustomers, first_version
from customer.repository.postgresql.customers import PostgresCustomers
from customer.service_layer.create_customer import CreateCustomer
from customer.service_layer.ports import CustomerQuery, CustomerRepository

from ..conftest import OTHER_REQUEST_ID, REQUEST_ID, MakeRequest

Change = Callable[[Customer], Customer]
MICROSECOND = timedelta(microseconds=1)


async def inserted(customers: CustomerRepository, request: CustomerRequest) -> Customer:
    customer = await customers.insert(uuid7(), request)
    assert customer is not None
    return customer


async def saved(customers: CustomerRepository, before: Customer, after: Customer) -> Customer:
    customer = await customers.save(before, after)
    assert customer is not None
    return customer


async def deleted(customers: CustomerRepository, customer: Customer) -> Customer:
    now = (await customers.get(customer.id)).now
    return await saved(customers, customer, customer.delete(now))


async def erased(customers: CustomerRepository, customer: Customer) -> Customer:
    now = (await customers.get(customer.id)).now
    return await saved(customers, customer, customer.erase(now))


async def stored(customers: CustomerRepository, customer: Customer) -> Customer:
    return (await customers.get(customer.id)).resource


async def listed(customers: CustomerRepository, **conditions: Any) -> list[Customer]:
    return list(await customers.list(CustomerQuery(**{"limit": 100} | conditions)))


def full(make_request: MakeRequest) -> CustomerRequest:
    """A request with every field."""
    return make_request(
        display_name="Ærø 王小明",
        email="Ünïcode@Exämple.com",
        phone="+4930123456",
        reference="A-1",
        metadata={"aa": "x\ny", "ключ": "", "b": "\"'\\"},
        state=State.BLOCKED,
        request_id=REQUEST_ID,
    )


async def test_an_inserted_customer_is_what_was_asked_for(
    customers: CustomerRepository, make_request: MakeRequest
) -> None:
    request, new_id = full(make_request), uuid7()
    customer = await customers.insert(new_id, request)
    assert customer is not None
    assert customer == first_version(new_id, request, customer.create_time)
    assert await stored(customers, customer) == customer


async def test_a_customer_that_never_existed_is_not_found(customers: CustomerRepository) -> None:
    unknown = uuid7()
    with pytest.raises(CustomerNotFound) as refused:
        await customers.get(unknown)
    assert str(refused.value.name) == f"customers/{unknown}"


async def test_a_snapshot_has_the_time_of_the_repository(
    customers: CustomerRepository, make_request: MakeRequest
) -> None:
    alice = await inserted(customers, make_request())
    snapshot = await customers.get(alice.id)
    assert snapshot.resource == alice
    bob = await inserted(customers, make_request())
    assert alice.create_time <= snapshot.now <= bob.create_time
    assert snapshot.now.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "content",
    [
        {"email": "ALICE@example.com"},
        {"reference": "A-1"},
        {"request_id": REQUEST_ID},
        {"email": "alice@example.com", "reference": "A-1", "request_id": REQUEST_ID},
    ],
    ids=str,
)
async def test_a_customer_with_a_key_that_is_taken_is_not_inserted(
    customers: CustomerRepository, make_request: MakeRequest, content: dict[str, str]
) -> None:
    taken = make_request(email="alice@example.com", reference="A-1", request_id=REQUEST_ID)
    alice = await inserted(customers, taken)
    assert await customers.insert(uuid7(), make_request(**content)) is None
    assert await listed(customers) == [alice]


async def test_an_id_is_not_used_twice(
    customers: CustomerRepository, make_request: MakeRequest
) -> None:
    alice = await inserted(customers, make_request())
    assert await customers.insert(alice.id, make_request()) is None


async def test_a_deleted_customers_email_is_free_its_reference_and_request_id_are_not(
    customers: CustomerRepository, make_request: MakeRequest
) -> None:
    content = {"email": "alice@example.com", "reference": "A-1", "request_id": REQUEST_ID}
    alice = await deleted(customers, await inserted(customers, make_request(**content)))
    alice = await erased(customers, alice)
    for field in ("reference", "request_id"):
        taken = {field: content[field]}
        assert await customers.insert(uuid7(), make_request(**taken)) is None
    again = await inserted(customers, make_request(email="alice@example.com"))
    assert again.id != alice.id


async def test_a_saved_customer_is_the_next_version_with_its_time(
    customers: CustomerRepository, make_request: MakeRequest
) -> None:
    alice = await inserted(customers, make_request(phone="+49301", reference="A-1"))
    changes: CustomerChanges = {
        "email": EmailAddress("bob@example.com"),
        "phone": PhoneNumber("+49302"),
        "reference": None,
        "metadata": Metadata.of({"k": "v"}),
        "state": State.BLOCKED,
    }
    snapshot = await customers.get(alice.id)
    wanted = alice.update(changes)
    after = await saved(customers, alice, wanted)
    assert after == await stored(customers, alice)
    assert (after.version, after.create_time) == (2, alice.create_time)
    assert after.update_time >= snapshot.now
    assert (after.details, after.reference, after.state) == (wanted.details, None, State.BLOCKED)


async def test_every_change_of_a_customer_is_stored(
    customers: CustomerRepository, make_request: MakeRequest
) -> None:
    alice = await inserted(customers, full(make_request))
    now = (await customers.get(alice.id)).now
    changes: list[Change] = [
        lambda before: before.delete(now),
        lambda before: before.undelete(),
        lambda before: before.delete(now),
        lambda before: before.erase(now),
    ]
    for change in changes:
        wanted = change(alice)
        before, alice = alice, await saved(customers, alice, wanted)
        assert await stored(customers, alice) == alice
        assert (alice.details, alice.delete_time) == (wanted.details, wanted.delete_time)
        assert (alice.version, alice.fingerprint) == (before.version + 1, wanted.fingerprint)
    assert alice.erase_time == now


async def test_a_version_is_changed_once(
    customers: CustomerRepository, make_request: MakeRequest
) -> None:
    alice = await inserted(customers, make_request())
    after = await deleted(customers, alice)
    assert await customers.save(alice, alice.update({"state": State.BLOCKED})) is None
    assert await customers.save(alice, after) is None
    assert await stored(customers, alice) == after


@pytest.mark.parametrize(
    "changes",
    [{"email": EmailAddress("ALICE@example.com")}, {"reference": Reference("A-1")}],
    ids=["email", "reference"],
)
async def test_a_change_to_a_key_that_is_taken_is_not_saved(
    customers: CustomerRepository, make_request: MakeRequest, changes: CustomerChanges
) -> None:
    await inserted(customers, make_request(email="alice@example.com", reference="A-1"))
    bob = await inserted(customers, make_request())
    assert await customers.save(bob, bob.update(changes)) is None
    assert await stored(customers, bob) == bob


async def test_a_deleted_customer_can_be_undeleted_only_while_its_email_is_free(
    customers: CustomerRepository, make_request: MakeRequest
) -> None:
    request = make_request(email="alice@example.com")
    old = await deleted(customers, await inserted(customers, request))
    new = await inserted(customers, request)
    assert await customers.save(old, old.undelete()) is None
    await deleted(customers, new)
    assert await customers.save(old, old.undelete()) is not None


async def test_a_conflict_of_the_request_id_comes_before_those_of_email_and_reference(
    customers: CustomerRepository, make_request: MakeRequest
) -> None:
    same_reference = await inserted(customers, make_request(reference="A-1"))
    same_email = await inserted(customers, make_request(email="alice@example.com"))
    same_request = await inserted(customers, make_request(request_id=REQUEST_ID))
    request = make_request(email="ALICE@example.com", reference="A-1", request_id=REQUEST_ID)
    keys = request.unique_keys
    assert await customers.find_conflict(keys) == same_request
    assert await customers.find_conflict(keys, except_id=same_request.id) == same_email
    assert await customers.find_conflict(keys, except_id=same_email.id) == same_request
    only_reference = UniqueKeys(reference=keys.reference)
    assert await customers.find_conflict(only_reference) == same_reference
    assert await customers.find_conflict(only_reference, except_id=same_reference.id) is None


async def test_keys_that_nobody_has_have_no_conflict(
    customers: CustomerRepository, make_request: MakeRequest
) -> None:
    alice = await inserted(customers, make_request(email="alice@example.com"))
    assert await customers.find_conflict(UniqueKeys()) is None
    assert await customers.find_conflict(full(make_request).unique_keys) is None
    assert await customers.find_conflict(alice.unique_keys) == alice
    await deleted(customers, alice)
    assert await customers.find_conflict(alice.unique_keys) is None, "its email is free again"


async def test_a_list_has_the_newest_first_or_last_and_hides_the_deleted(
    customers: CustomerRepository, make_request: MakeRequest
) -> None:
    one, two, three = [await inserted(customers, make_request()) for _ in range(3)]
    two = await deleted(customers, two)
    assert await listed(customers) == [three, one]
    assert await listed(customers, newest_first=False) == [one, three]
    assert await listed(customers, show_deleted=True) == [three, two, one]
    assert await listed(customers, show_deleted=True, limit=2) == [three, two]


async def test_a_list_goes_on_after_any_position(
    customers: CustomerRepository, make_request: MakeRequest
) -> None:
    everybody = [await inserted(customers, make_request()) for _ in range(4)]
    after = Position(everybody[1].create_time, everybody[1].id)
    assert await listed(customers, newest_first=False, after=after) == everybody[2:]
    assert await listed(customers, after=after) == everybody[:1]
    of_no_row = Position(after.create_time + MICROSECOND, UUID(int=0))
    assert await listed(customers, newest_first=False, after=of_no_row) == everybody[2:]


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
    make_request: MakeRequest,
    comparison: Comparison,
    expected: list[int],
) -> None:
    three = [await inserted(customers, make_request()) for _ in range(3)]
    bounds = ((comparison, three[1].create_time),)
    found = await listed(customers, create_time=bounds, newest_first=False)
    assert found == [three[number] for number in expected]


async def test_a_filter_finds_the_customers_that_meet_all_its_conditions(
    customers: CustomerRepository, make_request: MakeRequest
) -> None:
    alice = await inserted(customers, make_request(email="alice@example.com", reference="A-1"))
    bob = await inserted(customers, make_request(state=State.BLOCKED, reference="B-1"))
    email = EmailAddress("ALICE@EXAMPLE.COM")
    before_bob = ((Comparison.BEFORE, bob.create_time),)
    for conditions, expected in (
        ({"state": State.ACTIVE}, [alice]),
        ({"state": State.BLOCKED}, [bob]),
        ({"email": email}, [alice]),
        ({"reference": Reference("B-1")}, [bob]),
        ({"email": email, "reference": Reference("A-1"), "state": State.ACTIVE}, [alice]),
        ({"email": email, "reference": Reference("B-1")}, []),
        ({"state": State.BLOCKED, "create_time": before_bob}, []),
    ):
        assert await listed(customers, **conditions) == expected


async def test_with_show_deleted_all_that_ever_had_an_email_are_listed_but_the_erased(
    customers: CustomerRepository, make_request: MakeRequest
) -> None:
    request = make_request(email="alice@example.com")
    first = await deleted(customers, await inserted(customers, request))
    second = await inserted(customers, request)
    email = EmailAddress("alice@example.com")
    assert await listed(customers, email=email) == [second]
    assert await listed(customers, email=email, show_deleted=True) == [second, first]
    await erased(customers, first)
    assert await listed(customers, email=email, show_deleted=True) == [second]


async def test_of_twenty_concurrent_requests_with_one_email_one_succeeds(
    customers: CustomerRepository, make_request: MakeRequest
) -> None:
    create = CreateCustomer(customers, uuid7)
    requests = [make_request(email="alice@example.com", reference=f"A-{n}") for n in range(20)]
    answers = await asyncio.gather(*map(create, requests), return_exceptions=True)
    (created,) = [answer for answer in answers if isinstance(answer, Customer)]
    errors = [answer for answer in answers if isinstance(answer, EmailTaken)]
    assert [error.name for error in errors] == [created.name] * 19
    assert await listed(customers, show_deleted=True) == [created]


async def test_one_request_sent_twenty_times_at_once_creates_one_customer(
    customers: CustomerRepository, make_request: MakeRequest
) -> None:
    create = CreateCustomer(customers, uuid7)
    request = make_request(email="alice@example.com", reference="A-1", request_id=OTHER_REQUEST_ID)
    answers = await asyncio.gather(*(create(request) for _ in range(20)))
    assert answers == [answers[0]] * 20
    assert await listed(customers, show_deleted=True) == [answers[0]]


async def test_of_twenty_concurrent_saves_of_one_version_one_is_kept(
    customers: CustomerRepository, make_request: MakeRequest
) -> None:
    alice = await inserted(customers, make_request())
    wanted = [alice.update({"reference": Reference(f"A-{number}")}) for number in range(20)]
    answers = await asyncio.gather(*(customers.save(alice, after) for after in wanted))
    (kept,) = [answer for answer in answers if answer is not None]
    assert await stored(customers, alice) == kept
    assert kept.reference == wanted[answers.index(kept)].reference


async def test_both_repositories_list_the_same(
    database: Any, superuser: Any, make_request: MakeRequest
) -> None:
    """Every query there is, over a small world: some created in one microsecond, some deleted,
    blocked or erased.
    """
    postgres = PostgresCustomers(database.pool)
    for number in range(12):
        state = State.BLOCKED if number % 3 == 0 else State.ACTIVE
        request = make_request(
            email=f"a{number % 4}@example.com", state=state, reference=f"A-{number}"
        )
        customer = await postgres.insert(uuid7(), request)
        if customer is not None and number % 4 != 3:
            customer = await deleted(postgres, customer)
            if number % 8 == 0:
                await erased(postgres, customer)
    await superuser.execute("SET session_replication_role = replica")  # past the trigger
    await superuser.execute("UPDATE customers SET create_time = date_trunc('second', create_time)")
    everybody = await listed(postgres, show_deleted=True)
    assert len(everybody) == 10
    memory = MemoryCustomers(lambda: everybody[0].create_time)
    memory._customers = {customer.id: customer for customer in everybody}
    newest = max(customer.create_time for customer in everybody)
    for state, email, reference, comparison, newest_first, show_deleted, last in itertools.product(
        (None, *State),
        (None, EmailAddress("A1@example.com"), EmailAddress("x@example.com")),
        (None, Reference("A-1")),
        (None, *Comparison),
        (True, False),
        (True, False),
        (None, *everybody[::4]),
    ):
        query = CustomerQuery(
            limit=5,
            after=Position(last.create_time, last.id) if last else None,
            newest_first=newest_first,
            show_deleted=show_deleted,
            state=state,
            email=email,
            reference=reference,
            create_time=((comparison, newest),) if comparison else (),
        )
        assert await postgres.list(query) == await memory.list(query)
