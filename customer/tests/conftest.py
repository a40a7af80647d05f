"""What the tests of Customer have in common."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chassis.values import Metadata, Reference, RequestId
from customer.domain.customer import CustomerRequest, PersonalDetails, State
from customer.domain.values import DisplayName, EmailAddress, PhoneNumber
from customer.repository.memory import MemoryCustomers

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
REQUEST_ID = "0192e0c4-5c8e-7d3a-9f6b-2b1c8d4e5f60"
OTHER_REQUEST_ID = "0192e0c4-5c8e-7d3a-9f6b-000000000000"

MakeRequest = Callable[..., CustomerRequest]


@pytest.fixture
def make_request() -> MakeRequest:
    """Makes a request out of plain texts; each has an email of its own, unless one is given."""
    numbers = itertools.count(1)

    def make(**content: Any) -> CustomerRequest:
        return CustomerRequest(
            details=PersonalDetails(
                display_name=DisplayName(content.get("display_name", "Alice")),
                email=EmailAddress(content.get("email", f"alice{next(numbers)}@example.com")),
                phone=PhoneNumber(content["phone"]) if "phone" in content else None,
                metadata=Metadata.of(content.get("metadata", {})),
            ),
            reference=Reference(content["reference"]) if "reference" in content else None,
            state=content.get("state", State.ACTIVE),
            request_id=RequestId(content["request_id"]) if "request_id" in content else None,
        )

    return make


@pytest.fixture
def clock() -> Callable[[], datetime]:
    """A clock that begins at noon and goes on by a second whenever it is read."""
    seconds = itertools.count()
    return lambda: NOON + timedelta(seconds=next(seconds))


@pytest.fixture
def memory(clock: Callable[[], datetime]) -> MemoryCustomers:
    return MemoryCustomers(clock)
