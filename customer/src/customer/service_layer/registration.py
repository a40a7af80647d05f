"""A new customer: once, however often its request is sent."""

from collections.abc import Callable
from uuid import UUID

from customer.domain.customer import Customer, Registration
from customer.domain.errors import TryAgain
from customer.service_layer.ports import CustomerRepository

# Who stood in the way of an insert can be gone when it is looked for, having been deleted or
# changed between the two. Then the way may be free; that it happens time and again is no accident.
MAX_ATTEMPTS = 3


async def register(
    registration: Registration, *, customers: CustomerRepository, new_id: Callable[[], UUID]
) -> Customer:
    """Registers a customer, or returns the one that the same request registered before.

    The insert is the only fence: nothing is looked up before it, for that would prove nothing.

    Raises:
        RequestIdReused, EmailTaken, ReferenceTaken, TryAgain.
    """
    for _ in range(MAX_ATTEMPTS):
        customer = await customers.insert(new_id(), registration)
        if customer is not None:
            return customer
        holder = await customers.find_holder(registration.claim)
        if holder is not None:
            return holder.answer(registration)
    raise TryAgain
