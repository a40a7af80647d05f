"""The customer: its creation, its changes, and the invariants of both."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from chassis.values import Metadata, Reference
from customer.domain.customer import Customer, CustomerChanges, State, UniqueKeys
from customer.domain.errors import (
    CustomerDeleted,
    CustomerErased,
    EmailTaken,
    EtagMismatch,
    ReferenceTaken,
    RequestIdReused,
)
from customer.domain.values import DisplayName, EmailAddress, PhoneNumber
from customer.repository.memory import first_version

from ..conftest import NOON, OTHER_REQUEST_ID, REQUEST_ID, MakeRequest

LATER = NOON + timedelta(days=1)

MakeCustomer = Callable[..., Customer]


@pytest.fixture
def customer(make_request: MakeRequest) -> MakeCustomer:
    def make(number: int = 1, **content: object) -> Customer:
        return first_version(UUID(int=number), make_request(**content), NOON)

    return make


def test_a_created_customer_is_what_was_request_for_in_version_1(customer: MakeCustomer) -> None:
    alice = customer(display_name="Alice", email="Alice@example.com", reference="A-1")
    assert alice.details is not None
    assert (str(alice.details.display_name), str(alice.details.email)) == (
        "Alice",
        "Alice@example.com",
    )
    assert (alice.state, alice.etag, alice.create_time) == (State.ACTIVE, '"1"', NOON)
    assert str(alice.name) == "customers/00000000-0000-0000-0000-000000000001"
    assert alice.delete_time is alice.erase_time is None


NEW_VALUES: list[CustomerChanges] = [
    {"display_name": DisplayName("Bob")},
    {"email": EmailAddress("bob@example.com")},
    {"phone": PhoneNumber("+4930123456")},
    {"reference": Reference("B-1")},
    {"metadata": Metadata.of({"colour": "blue"})},
    {"state": State.BLOCKED},
]


def values_of(customer: Customer) -> dict[str, object]:
    """The values of the fields that an update can change."""
    assert customer.details is not None
    details = ("display_name", "email", "phone", "metadata")
    return {
        **{name: getattr(customer.details, name) for name in details},
        "reference": customer.reference,
        "state": customer.state,
    }


@pytest.mark.parametrize("changes", NEW_VALUES, ids=lambda changes: next(iter(changes)))
def test_an_update_changes_the_named_field_and_no_other(
    customer: MakeCustomer, changes: CustomerChanges
) -> None:
    alice = customer(phone="+49301", reference="A-1", metadata={"colour": "red"})
    after = alice.update(changes)
    assert values_of(after) == values_of(alice) | changes
    assert (after.id, after.create_time) == (alice.id, alice.create_time)


def test_optional_fields_can_be_emptied(customer: MakeCustomer) -> None:
    alice = customer(phone="+49301", reference="A-1")
    after = alice.update({"phone": None, "reference": None})
    assert after.details is not None
    assert after.details.phone is None
    assert after.reference is None


@pytest.mark.parametrize(
    "changes", [{}, {"display_name": DisplayName("Alice")}, {"phone": None, "state": State.ACTIVE}]
)
def test_an_update_to_the_same_values_changes_nothing(
    customer: MakeCustomer, changes: CustomerChanges
) -> None:
    alice = customer()
    assert alice.update(changes) == alice


def test_deleting_and_undeleting_change_nothing_but_delete_time(customer: MakeCustomer) -> None:
    alice = customer(reference="A-1")
    deleted = alice.delete(LATER)
    assert deleted == replace(alice, delete_time=LATER)
    assert deleted.undelete() == alice


def test_a_repeated_change_changes_nothing(customer: MakeCustomer) -> None:
    alice = customer()
    deleted, erased = alice.delete(NOON), alice.erase(NOON)
    assert alice.undelete() == alice
    assert deleted.delete(LATER) == deleted
    assert erased.erase(LATER) == erased
    assert erased.delete(LATER) == erased


def test_the_version_and_its_time_are_left_to_the_repository(customer: MakeCustomer) -> None:
    alice = customer()
    for after in (
        alice.update({"state": State.BLOCKED}),
        alice.delete(LATER),
        alice.delete(LATER).undelete(),
        alice.erase(LATER),
    ):
        assert (after.version, after.update_time) == (alice.version, alice.update_time)


def test_the_erasure_removes_the_person_and_keeps_what_payments_refer_to(
    customer: MakeCustomer,
) -> None:
    alice = customer(reference="A-1", request_id=REQUEST_ID, state=State.BLOCKED)
    erased = alice.erase(LATER)
    assert erased.details is None
    assert erased.fingerprint is None
    assert (erased.id, erased.reference, erased.state) == (alice.id, alice.reference, alice.state)
    assert (erased.request_id, erased.create_time) == (alice.request_id, NOON)
    assert erased.delete_time == erased.erase_time == LATER


def test_the_erasure_of_a_deleted_customer_keeps_its_delete_time(customer: MakeCustomer) -> None:
    erased = customer().delete(NOON).erase(LATER)
    assert (erased.delete_time, erased.erase_time) == (NOON, LATER)


def test_a_deleted_customer_cannot_be_updated(customer: MakeCustomer) -> None:
    deleted = customer().delete(LATER)
    with pytest.raises(CustomerDeleted) as refused:
        deleted.update({})
    assert refused.value.name == deleted.name


def test_an_erased_customer_cannot_be_updated_or_undeleted(customer: MakeCustomer) -> None:
    erased = customer().erase(LATER)
    with pytest.raises(CustomerErased):
        erased.update({})
    with pytest.raises(CustomerErased):
        erased.undelete()


def test_an_etag_stands_for_one_version_and_the_empty_one_for_any(customer: MakeCustomer) -> None:
    alice = customer()
    alice.check_etag(alice.etag)
    alice.check_etag("")
    for etag in ('"7"', "1", '"01"', 'W/"1"'):
        with pytest.raises(EtagMismatch) as refused:
            alice.check_etag(etag)
        assert refused.value.name == alice.name


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
def test_a_customer_that_violates_an_invariant_cannot_be_made(
    customer: MakeCustomer, broken: dict[str, Any]
) -> None:
    alice = customer(request_id=REQUEST_ID)
    with pytest.raises(AssertionError):
        replace(alice, **broken)


def test_a_deleted_customer_gives_its_email_up(customer: MakeCustomer) -> None:
    alice = customer(email="alice@example.com", reference="A-1", request_id=REQUEST_ID)
    whole = UniqueKeys(EmailAddress("alice@example.com"), Reference("A-1"), alice.request_id)
    assert alice.unique_keys == whole
    assert alice.delete(LATER).unique_keys == replace(whole, email=None)
    assert alice.erase(LATER).unique_keys == replace(whole, email=None)


def test_the_same_request_gets_the_customer_as_it_is_now(
    make_request: MakeRequest,
) -> None:
    request = make_request(request_id=REQUEST_ID)
    now = first_version(UUID(int=1), request, NOON).update({"state": State.BLOCKED})
    assert now.answer_to(request) is now


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
    make_request: MakeRequest, other: dict[str, object]
) -> None:
    content = {
        "email": "alice@example.com",
        "phone": "+49301",
        "reference": "A-1",
        "metadata": {"colour": "red"},
        "request_id": REQUEST_ID,
    }
    alice = first_version(UUID(int=1), make_request(**content), NOON)
    with pytest.raises(RequestIdReused) as refused:
        alice.answer_to(make_request(**content | other))
    assert refused.value.name == alice.name


def test_after_the_erasure_the_request_id_alone_decides(make_request: MakeRequest) -> None:
    request = make_request(request_id=REQUEST_ID)
    erased = first_version(UUID(int=1), request, NOON).erase(LATER)
    assert erased.answer_to(make_request(request_id=REQUEST_ID, display_name="Bob")) is erased


def test_a_fingerprint_does_not_depend_on_the_order_of_metadata(
    make_request: MakeRequest,
) -> None:
    content = {"email": "a@example.com", "request_id": REQUEST_ID}
    one = make_request(metadata={"a": "1", "b": "2"}, **content)
    other = make_request(metadata={"b": "2", "a": "1"}, **content)
    assert one.fingerprint == other.fingerprint


def test_a_fingerprint_stays_the_same_in_every_release(make_request: MakeRequest) -> None:
    """Else a request that is repeated after an upgrade would be refused."""
    content = {
        "phone": "+49301",
        "reference": "A-1",
        "metadata": {"a": "ü"},
        "state": State.BLOCKED,
    }
    request = make_request(email="a@example.com", request_id=REQUEST_ID, **content)
    fingerprinted = rb'[1, "Alice", "a@example.com", "+49301", "A-1", [["a", "\u00fc"]], "BLOCKED"]'
    assert request.fingerprint == hashlib.sha256(fingerprinted).digest()


def test_without_a_request_id_there_is_no_fingerprint(make_request: MakeRequest) -> None:
    assert make_request().fingerprint is None


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ({"email": "ALICE@EXAMPLE.COM"}, EmailTaken),
        ({"email": "alice@example.com", "reference": "A-1"}, EmailTaken),
        ({"reference": "A-1"}, ReferenceTaken),
        ({"reference": "A-1", "request_id": OTHER_REQUEST_ID}, ReferenceTaken),
    ],
    ids=str,
)
def test_another_request_for_the_same_email_or_reference_is_refused(
    make_request: MakeRequest, content: dict[str, str], error: type[EmailTaken | ReferenceTaken]
) -> None:
    request = make_request(email="alice@example.com", reference="A-1", request_id=REQUEST_ID)
    alice = first_version(UUID(int=1), request, NOON)
    with pytest.raises(error) as refused:
        alice.answer_to(make_request(**content))
    assert refused.value.name == alice.name


def test_two_requests_without_a_request_id_are_not_the_same(
    make_request: MakeRequest,
) -> None:
    alice = first_version(UUID(int=1), make_request(email="a@example.com"), NOON)
    with pytest.raises(EmailTaken):
        alice.answer_to(make_request(email="a@example.com"))
