"""Creates a customer, once, however often its request is sent."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from customer.domain.customer import Customer, CustomerRequest
from customer.domain.errors import TryAgain
from customer.service_layer.ports import CustomerRepository

# A customer that prevented the insert can have been deleted or changed before it is looked up.
# Then the insert is tried again; more than twice in a row is no coincidence.
MAX_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class CreateCustomer:
    """The use case of CreateCustomer. One object serves all calls."""

    customers: CustomerRepository
    new_id: Callable[[], UUID]

    async def __call__(self, request: CustomerRequest) -> Customer:
        """Creates a customer, or returns the one that the same request created before.

        Nothing is looked up before the insert: only the insert can prove that a key is free.

        Raises:
            RequestIdReused, EmailTaken, ReferenceTaken, TryAgain.
        """
        for _ in range(MAX_ATTEMPTS):
            created = await self.customers.insert(self.new_id(), request)
            if created is not None:
                return created
            conflict = await self.customers.find_conflict(request.unique_keys)
            if conflict is not None:
                return conflict.answer_to(request)
        raise TryAgain
