"""The world that performs calls: the store in memory, the sandbox's decision, one clock for both.

Each call is atomic, as a statement is in PostgreSQL. The world is deterministic: the same calls at
the same times lead to the same world.
"""

from collections.abc import Coroutine
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from payment.domain.customer import Customer, CustomerStatus
from payment.repository.memory import (
    MemoryEvents,
    MemoryNotifications,
    MemoryPayments,
    MemoryRefunds,
    Store,
)
from sandbox.actions import InjectedFailure
from sandbox.world import View
from verification.processor import SimulatedProcessor
from verification.world.calls import Call
from verification.world.faults import CallFault

if TYPE_CHECKING:
    from payment.domain.creation import Conflicts
    from payment.domain.payment import Payment

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
"""Second 0 of every world."""
INSTALLATION = "installation"
ACTIVE_CUSTOMER = Customer(CustomerStatus.ACTIVE, '"1"')


class ActiveCustomers:
    """A Customer service in which every customer is active."""

    async def find(self, _name: Any) -> Customer:
        return ACTIVE_CUSTOMER


class World:
    """A store and a processor.

    Attributes:
        now: seconds since `EPOCH`. The driver moves it, never back.
        database_offset: seconds by which the database's clock differs from the processor's.
    """

    def __init__(self, view: View, now: float = 0) -> None:
        self.now = now
        self.database_offset = 0.0
        self.store = Store(self.clock)
        self.processor = SimulatedProcessor(INSTALLATION, self.unix, view)
        self._ports: dict[str, Any] = {
            "payments": MemoryPayments(self.store),
            "refunds": MemoryRefunds(self.store),
            "events": MemoryEvents(self.store),
            "notifications": MemoryNotifications(self.store),
            "processor": self.processor,
            "customers": ActiveCustomers(),
        }

    def clock(self) -> datetime:
        """The database's clock."""
        return EPOCH + timedelta(seconds=self.now + self.database_offset)

    def unix(self) -> int:
        """The processor's clock, in whole seconds."""
        return int(EPOCH.timestamp() + self.now)

    def perform(self, call: Call, fault: CallFault = CallFault.NONE) -> Any:
        """Perform a call with a fault. Returns what its caller would get, if a reply came.

        SERVER_ERROR_BEFORE_EFFECT leaves the effect out: `perform_late` brings it.
        """
        self.processor.fault = SANDBOX_FAULTS.get(fault)
        try:
            return completed(getattr(self._ports[call.port], call.name)(*call.arguments))
        finally:
            self.processor.fault = None

    def perform_late(self, call: Call, fault: CallFault) -> None:
        """Perform the late effect of a call: the call as it was sent, or what a 500 has left. No
        idempotency key guards the latter, since the key already replays the 500.
        """
        self.processor.ignores_keys = fault is CallFault.SERVER_ERROR_BEFORE_EFFECT
        try:
            self.perform(call)
        finally:
            self.processor.ignores_keys = False

    def would_insert(self, insert: Call) -> bool:
        """Whether an insert would make a row now: only then has it a commit that can hang."""
        payment, insert_by = insert.arguments
        unique = (payment.request.request_id, payment.request.reference, payment.id)
        conflicts: Conflicts = self.perform(Call("payments", "find_conflicts", unique))
        taken = conflicts.same_request or conflicts.same_id or conflicts.same_reference
        return taken is None and conflicts.now < insert_by

    def commit(self, insert: Call) -> None:
        """Commit an insert that hung. It was in time when it was sent, so it has no deadline now."""
        payment: Payment = insert.arguments[0]
        no_deadline = datetime.max.replace(tzinfo=UTC)
        self.perform(replace(insert, arguments=(payment, no_deadline)))


def is_blocked_by(call: Call, hung: Call, now: datetime) -> bool:
    """Whether a call waits for an insert whose commit hangs. An insert waits that wants the same
    entry of a unique index; one behind its own deadline wants none.
    """
    if (call.port, call.name) != ("payments", "insert") or now >= call.arguments[1]:
        return False
    wanted, held = call.arguments[0], hung.arguments[0]
    reference = wanted.request.reference
    return (
        wanted.id == held.id
        or wanted.request.request_id == held.request.request_id
        or (reference is not None and reference == held.request.reference)
    )


SANDBOX_FAULTS = {
    CallFault.SERVER_ERROR: InjectedFailure.FAILS_BEFORE,
    CallFault.SERVER_ERROR_AFTER_EFFECT: InjectedFailure.FAILS_AFTER,
    CallFault.SERVER_ERROR_BEFORE_EFFECT: InjectedFailure.FAILS_BEFORE,
    CallFault.REJECTED: InjectedFailure.NO_BALANCE,
}
"""The faults that the sandbox itself injects, by our names."""


def completed(work: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that never suspends."""
    try:
        work.send(None)
    except StopIteration as end:
        return end.value
    work.close()
    raise AssertionError("a call on the world never suspends")
