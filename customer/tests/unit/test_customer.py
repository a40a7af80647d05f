"""The customer: its registration, its changes, and what none of them may break."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from chassis.values import Metadata, Reference
from customer.domain.customer import Changes, Customer, State, UniqueKeys
from customer.domain.errors import (
    CustomerDeleted,
    CustomerErased,
    EmailTaken,
    EtagMismatch,
    ReferenceTaken,
    RequestIdReused,
)
from customer.domain.values import DisplayName, EmailAddress, PhoneNumber

from ..conftest import NOON, OTHER_REQUEST_ID, REQUEST_ID, MakeRegistration

LATER = NOON + timedelta(days=1)

MakeCustomer = Callable[..., Customer]


@pytest.fixture
def customer(registration: MakeRegistration) -> MakeCustomer:
    def make(number: int = 1, **said: object) -> Customer:
        return Customer.registered(UUID(int=number), registration(**said), NOON)

    return make


def test_a_registered_customer_is_what_was_said_and_version_1(customer: MakeCustomer) -> None:
    alice = customer(display_name="Alice", email="Alice@example.com", reference="A-1")
    assert alice.details is not None
    assert (str(alice.details.display_name), str(alice.details.email)) == (
        "Alice",
        "Alice@example.com",
    )
    assert (alice.state, alice.etag, alice.create_time) == (State.ACTIVE, '"1"', NOON)
    assert str(alice.name) == "customers/00000000-0000-0000-0000-000000000001"
    assert alice.delete_time is alice.erase_time is None


NEW_VALUES: list[Changes] = [
    {"display_name": DisplayName("Bob")},
    {"email": EmailAddress("bob@example.com")},
    {"phone": PhoneNumber("+4930123456")},
    {"reference": Reference("B-1")},
    {"metadata": Metadata.of({"colour": "blue"})},
    {"state": State.BLOCKED},
]


@pytest.mark.parametrize("changes", NEW_VALUES, ids=lambda changes: next(iter(changes)))
def test_an_update_changes_the_named_field_and_no_other(
    customer: MakeCustomer, changes: Changes
) -> None:
    alice = customer(phone="+49301", reference="A-1", metadata={"colour": "red"})
    after = alice.update(changes, alice.etag, LATER)

    def seen(of: Customer) -> dict[str, object]:
        assert of.details is not None
        names = ("display_name", "email", "phone", "metadata")
        return {
            **{name: getattr(of.details, name) for name in names},
            "reference": of.reference,
            "state": of.state,
        }

    assert seen(after) == seen(alice) | changes
    assert (after.version, after.update_time) == (2, LATER)
    assert (after.id, after.create_time) == (alice.id, alice.create_time)


def test_optional_fields_can_be_emptied(customer: MakeCustomer) -> None:
    alice = customer(phone="+49301", reference="A-1")
    after = alice.update({"phone": None, "reference": None}, "", LATER)
    assert after.details is not None
    assert after.details.phone is None
    assert after.reference is None


@pytest.mark.parametrize(
    "changes", [{}, {"display_name": DisplayName("Alice")}, {"phone": None, "state": State.ACTIVE}]
)
def test_an_update_that_changes_nothing_makes_no_new_version(
    customer: MakeCustomer, changes: Changes
) -> None:
    alice = customer()
    assert alice.update(changes, "", LATER) is alice


def test_deleting_and_undeleting_keep_everything_but_the_times(customer: MakeCustomer) -> None:
    alice = customer(reference="A-1")
    deleted = alice.delete("", LATER)
    assert deleted == replace(alice, version=2, update_time=LATER, delete_time=LATER)
    back = deleted.undelete("", LATER)
    assert back == replace(alice, version=3, update_time=LATER)


def test_a_repeated_change_returns_the_very_same_customer(customer: MakeCustomer) -> None:
    alice = customer()
    deleted, erased = alice.delete("", NOON), alice.erase("", NOON)
    assert alice.undelete('"99"', LATER) is alice
    assert deleted.delete(alice.etag, LATER) is deleted
    assert erased.erase(alice.etag, LATER) is erased
    assert erased.delete(alice.etag, LATER) is erased


def test_erasure_forgets_the_person_and_keeps_what_payments_point_at(
    customer: MakeCustomer,
) -> None:
    alice = customer(reference="A-1", request_id=REQUEST_ID, state=State.BLOCKED)
    erased = alice.erase(alice.etag, LATER)
    assert erased.details is None
    assert erased.fingerprint is None
    assert (erased.id, erased.reference, erased.state) == (alice.id, alice.reference, alice.state)
    assert (erased.request_id, erased.create_time) == (alice.request_id, NOON)
    assert erased.delete_time == erased.erase_time == erased.update_time == LATER


def test_erasing_a_deleted_customer_keeps_when_it_was_deleted(customer: MakeCustomer) -> None:
    erased = customer().delete("", NOON).erase("", LATER)
    assert (erased.delete_time, erased.erase_time) == (NOON, LATER)


def test_a_deleted_customer_cannot_be_changed(customer: MakeCustomer) -> None:
    deleted = customer().delete("", LATER)
    with pytest.raises(CustomerDeleted) as refused:
        deleted.update({}, "", LATER)
    assert refused.value.customer == deleted.name


def test_an_erased_customer_cannot_be_changed_and_cannot_come_back(customer: MakeCustomer) -> None:
    erased = customer().erase("", LATER)
    with pytest.raises(CustomerErased):
        erased.update({}, "", LATER)
    with pytest.raises(CustomerErased):
        erased.undelete("", LATER)


@pytest.mark.parametrize(
    "change",
    [
        lambda it, etag: it.update({"state": State.BLOCKED}, etag, LATER),
        lambda it, etag: it.update({}, etag, LATER),
        lambda it, etag: it.delete(etag, LATER),
        lambda it, etag: it.erase(etag, LATER),
        lambda it, etag: it.delete("", LATER).undelete(etag, LATER),
    ],
    ids=["update", "update of nothing", "delete", "erase", "undelete"],
)
@pytest.mark.parametrize("etag", ['"7"', "1", '"01"', 'W/"1"', "x" * 10_000])
def test_a_caller_that_saw_another_version_is_refused(
    customer: MakeCustomer, change: Callable[[Customer, str], Customer], etag: str
) -> None:
    with pytest.raises(EtagMismatch):
        change(customer(), etag)


@pytest.mark.parametrize(
    "broken",
    [
        {"erase_time": LATER},
        {"details": None},
        {"details": None, "erase_time": LATER},
        {"request_id": None},
        {"fingerprint": None},
    ],
)
def test_a_customer_that_breaks_an_invariant_cannot_be_made(
    customer: MakeCustomer, broken: dict[str, Any]
) -> None:
    alice = customer(request_id=REQUEST_ID)
    with pytest.raises(AssertionError):
        replace(alice, **broken)


def test_only_the_living_claim_their_email(customer: MakeCustomer) -> None:
    alice = customer(email="alice@example.com", reference="A-1", request_id=REQUEST_ID)
    whole = UniqueKeys(EmailAddress("alice@example.com"), Reference("A-1"), alice.request_id)
    assert alice.claim == whole
    assert alice.delete("", LATER).claim == replace(whole, email=None)
    assert alice.erase("", LATER).claim == replace(whole, email=None)


def test_the_same_request_gets_the_customer_as_it_is_now(
    registration: MakeRegistration,
) -> None:
    asked = registration(request_id=REQUEST_ID)
    now = Customer.registered(UUID(int=1), asked, NOON).update({"state": State.BLOCKED}, "", LATER)
    assert now.answer(asked) is now


@pytest.mark.parametrize(
    "other",
    [
        {"display_name": "Bob"},
        {"email": "ALICE@example.com"},
        {"phone": "+49302"},
        {"reference": "A-2"},
        {"metadata": {"colour": "blue"}},
        {"metadata": {"colourred": ""}},
        {"metadata": {}},
        {"state": State.BLOCKED},
    ],
    ids=str,
)
def test_the_same_request_id_with_another_content_is_refused(
    registration: MakeRegistration, other: dict[str, object]
) -> None:
    said = {
        "email": "alice@example.com",
        "phone": "+49301",
        "reference": "A-1",
        "metadata": {"colour": "red"},
        "request_id": REQUEST_ID,
    }
    alice = Customer.registered(UUID(int=1), registration(**said), NOON)
    with pytest.raises(RequestIdReused) as refused:
        alice.answer(registration(**said | other))
    assert refused.value.customer == alice.name


def test_after_the_erasure_the_request_id_alone_decides(registration: MakeRegistration) -> None:
    asked = registration(request_id=REQUEST_ID)
    erased = Customer.registered(UUID(int=1), asked, NOON).erase("", LATER)
    assert erased.answer(registration(request_id=REQUEST_ID, display_name="Bob")) is erased


def test_a_fingerprint_does_not_depend_on_the_order_of_metadata(
    registration: MakeRegistration,
) -> None:
    said = {"email": "a@example.com", "request_id": REQUEST_ID}
    one = registration(metadata={"a": "1", "b": "2"}, **said)
    other = registration(metadata={"b": "2", "a": "1"}, **said)
    assert one.fingerprint == other.fingerprint


def test_a_fingerprint_stays_the_same_in_every_release(registration: MakeRegistration) -> None:
    """Else a request that is repeated after an upgrade would be refused."""
    said = {"phone": "+49301", "reference": "A-1", "metadata": {"a": "ü"}, "state": State.BLOCKED}
    asked = registration(email="a@example.com", request_id=REQUEST_ID, **said)
    content = rb'[1, "Alice", "a@example.com", "+49301", "A-1", [["a", "\u00fc"]], "BLOCKED"]'
    assert asked.fingerprint == hashlib.sha256(content).digest()


def test_without_a_request_id_there_is_no_fingerprint(registration: MakeRegistration) -> None:
    assert registration().fingerprint is None


@pytest.mark.parametrize(
    ("said", "refusal"),
    [
        ({"email": "ALICE@EXAMPLE.COM"}, EmailTaken),
        ({"email": "alice@example.com", "reference": "A-1"}, EmailTaken),
        ({"reference": "A-1"}, ReferenceTaken),
        ({"reference": "A-1", "request_id": OTHER_REQUEST_ID}, ReferenceTaken),
    ],
    ids=str,
)
def test_a_stranger_that_claims_the_same_is_refused(
    registration: MakeRegistration, said: dict[str, str], refusal: type[Exception]
) -> None:
    asked = registration(email="alice@example.com", reference="A-1", request_id=REQUEST_ID)
    alice = Customer.registered(UUID(int=1), asked, NOON)
    with pytest.raises(refusal) as refused:
        alice.answer(registration(**said))
    assert refused.value.customer == alice.name  # type: ignore[attr-defined]


def test_two_registrations_without_request_id_are_not_the_same(
    registration: MakeRegistration,
) -> None:
    alice = Customer.registered(UUID(int=1), registration(email="a@example.com"), NOON)
    with pytest.raises(EmailTaken):
        alice.answer(registration(email="a@example.com"))
