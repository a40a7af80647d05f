"""The world that does a call: the store in memory, the sandbox's decision, one clock for both.

Each call is one step, as a statement is in PostgreSQL. The same calls at the same times always lead
to the same world.
"""

from collections.abc import Coroutine
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from payment.repository.memory import MemoryEvents, MemoryPayments, MemoryRefunds, Store
from payment.service_layer.ports import CustomerCheck, CustomerStatus
from sandbox.actions import InjectedFailure
from sandbox.world import View
from verification.processor import SimulatedProcessor
from verification.world.calls import Call, Fate

if TYPE_CHECKING:
    from payment.domain.creation import Conflicts
    from payment.domain.payment import Payment

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
INSTALLATION = "installation"
STANDING = CustomerCheck(CustomerStatus.MAY_PAY, '"1"')


class CustomersOfOneMind:
    """A Customer service that lets everybody pay."""

    async def standing(self, _customer: Any) -> CustomerCheck:
        """Whoever it is."""
        return STANDING


class World:
    """`now` in seconds since `BEGINNING`; whoever drives it moves it, never back."""

    def __init__(self, view: View, store: Store | None = None, now: float = 0) -> None:
        self.now = now
        self.store = store or Store(self.clock)
        self.processor = SimulatedProcessor(INSTALLATION, self.unix, view)
        self._ports: dict[str, Any] = {
            "payments": MemoryPayments(self.store),
            "refunds": MemoryRefunds(self.store),
            "events": MemoryEvents(self.store),
            "processor": self.processor,
            "customers": CustomersOfOneMind(),
        }

    def clock(self) -> datetime:
        """The database's."""
        return BEGINNING + timedelta(seconds=self.now)

    def unix(self) -> int:
        """The processor's, in whole seconds."""
        return int(self.clock().timestamp())

    def do(self, call: Call, fate: Fate = Fate.DONE) -> Any:
        """Do a call as its fate says; the answer is what its caller would get, if it got one.

        For FAULTED_LATE the effect is left out: `do_late` brings it.
        """
        self.processor.mishap = MISHAPS.get(fate)
        try:
            return finished(getattr(self._ports[call.port], call.name)(*call.arguments))
        finally:
            self.processor.mishap = None

    def do_late(self, call: Call, fate: Fate) -> None:
        """The late effect of a call: as it was sent (LATE), or what a 500 had left (FAULTED_LATE),
        which no key guards: that one already says 500.
        """
        if fate is Fate.FAULTED_LATE:
            self.processor.keyless = True
            try:
                self.do(call)
            finally:
                self.processor.keyless = False
        else:
            self.do(call)

    def can_hang(self, insert: Call) -> bool:
        """Whether an insert would make a row now: only then has it a commit that could hang."""
        payment, insert_by = insert.arguments
        holders: Conflicts = self.do(Call("payments", "holders", (payment,)))
        taken = holders.same_request or holders.same_id or holders.same_reference
        return taken is None and holders.now < insert_by

    def commit(self, call: Call) -> None:
        """The commit of an insert that hung: its fence was passed when it was sent."""
        payment: Payment = call.arguments[0]
        endless = replace(call, arguments=(payment, datetime.max.replace(tzinfo=UTC)))
        self.do(endless)


def waits_for(call: Call, hung: Call, now: datetime) -> bool:
    """Whether a call has to wait for an insert whose commit hangs: one that wants the same place in
    a unique index does, and finds out then who was first. One that is behind its fence wants none.
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


MISHAPS = {
    Fate.FAULTED: InjectedFailure.FAILS_BEFORE,
    Fate.FAULTED_AFTER: InjectedFailure.FAILS_AFTER,
    Fate.FAULTED_LATE: InjectedFailure.FAILS_BEFORE,
    Fate.REFUSED: InjectedFailure.NO_BALANCE,
}


def finished(work: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as end:
        return end.value
    work.close()
    raise AssertionError("the world answers at once")
