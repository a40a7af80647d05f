"""What tests of Customer begin with."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chassis.values import Metadata, Reference, RequestId
from customer.domain.customer import PersonalDetails, Registration, State
from customer.domain.values import DisplayName, EmailAddress, PhoneNumber
from customer.repository.memory import MemoryCustomers

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
REQUEST_ID = "0192e0c4-5c8e-7d3a-9f6b-2b1c8d4e5f60"
OTHER_REQUEST_ID = "0192e0c4-5c8e-7d3a-9f6b-000000000000"

MakeRegistration = Callable[..., Registration]


@pytest.fixture
def registration() -> MakeRegistration:
    """Makes a registration of plain texts; every one of them has an email of its own."""
    numbers = itertools.count(1)

    def make(**said: Any) -> Registration:
        return Registration(
            details=PersonalDetails(
                display_name=DisplayName(said.get("display_name", "Alice")),
                email=EmailAddress(said.get("email", f"alice{next(numbers)}@example.com")),
                phone=PhoneNumber(said["phone"]) if "phone" in said else None,
                metadata=Metadata.of(said.get("metadata", {})),
            ),
            reference=Reference(said["reference"]) if "reference" in said else None,
            state=said.get("state", State.ACTIVE),
            request_id=RequestId(said["request_id"]) if "request_id" in said else None,
        )

    return make


@pytest.fixture
def clock() -> Callable[[], datetime]:
    """A clock that goes on by a second whenever it is asked, from noon."""
    seconds = itertools.count()
    return lambda: NOON + timedelta(seconds=next(seconds))


@pytest.fixture
def memory(clock: Callable[[], datetime]) -> MemoryCustomers:
    return MemoryCustomers(clock)
