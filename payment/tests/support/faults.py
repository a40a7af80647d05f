"""Ports that fail as a test says: the processor and the repositories, with planned faults."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from typing import Any, TypeVar

from payment.domain.creation import CreationAttempt
from payment.domain.evidence import OutcomeUnknown, ProcessorRefund, RefundReply, Reply
from payment.domain.machine import Post
from payment.domain.payment import Payment
from payment.domain.refund import Refund
from payment.domain.values import Money
from payment.repository.memory import MemoryPayments, MemoryRefunds, Store
from payment.service_layer.ports import CommitUnknown, Processor, RequestRecord

Result = TypeVar("Result")

UNREACHABLE = OutcomeUnknown("time-out", unreachable=True)
"""The reply of a processor that was not reached."""


class LostReply(Enum):
    """The call takes effect at the processor, and its reply is lost."""

    LOST_REPLY = auto()


class DatabaseFault(Enum):
    """What happens to an insert.

    Attributes:
        FAILS_BEFORE_COMMIT: the connection breaks, and nothing is committed.
        FAILS_AFTER_COMMIT: the row is committed, and the connection breaks.
        CONFLICT_NOT_VISIBLE: it conflicts with a row that other statements cannot see yet.
    """

    FAILS_BEFORE_COMMIT = auto()
    FAILS_AFTER_COMMIT = auto()
    CONFLICT_NOT_VISIBLE = auto()


LOST_REPLY = LostReply.LOST_REPLY
FAILS_BEFORE_COMMIT = DatabaseFault.FAILS_BEFORE_COMMIT
FAILS_AFTER_COMMIT = DatabaseFault.FAILS_AFTER_COMMIT
CONFLICT_NOT_VISIBLE = DatabaseFault.CONFLICT_NOT_VISIBLE


class Faults:
    """Planned faults by the name of the call, each used once, in order."""

    def __init__(self) -> None:
        self._planned: dict[str, list[object]] = defaultdict(list)

    def plan(self, call: str, *faults: object) -> None:
        """Plan what happens to the next calls of this name.

        A fault is LOST_REPLY, a DatabaseFault, a reply to give without calling, or an async function that
        runs before the call (where it returns a reply, that is given instead of calling).
        """
        self._planned[call].extend(faults)

    def next(self, call: str) -> Any:
        """The fault of this call; None where none is planned."""
        return self._planned[call].pop(0) if self._planned[call] else None


@dataclass
class FaultyProcessor:
    """A processor with planned faults. `calls` holds the names of all calls made so far."""

    inner: Processor
    faults: Faults = field(default_factory=Faults)
    calls: list[str] = field(default_factory=list)

    async def _call(self, name: str, call: Callable[[], Awaitable[Result]]) -> Any:
        self.calls.append(name)
        fault = self.faults.next(name)
        if fault is LOST_REPLY:
            await call()
            return UNREACHABLE
        reply = await fault() if callable(fault) else fault
        return await call() if reply is None else reply

    def supports_amount(self, amount: Money) -> bool:
        return self.inner.supports_amount(amount)

    async def create(self, attempt: CreationAttempt) -> Reply:
        reply: Reply = await self._call("create", lambda: self.inner.create(attempt))
        return reply

    async def retrieve(self, intent_id: str) -> Reply:
        reply: Reply = await self._call("retrieve", lambda: self.inner.retrieve(intent_id))
        return reply

    async def post(self, payment: Payment, post: Post) -> Reply:
        name = post.operation.value
        reply: Reply = await self._call(name, lambda: self.inner.post(payment, post))
        return reply

    async def refund(self, refund: Refund) -> RefundReply:
        reply: RefundReply = await self._call("refund", lambda: self.inner.refund(refund))
        return reply

    async def refunds(self, intent_id: str) -> Sequence[ProcessorRefund] | OutcomeUnknown:
        listed: Sequence[ProcessorRefund] | OutcomeUnknown = await self._call(
            "refunds", lambda: self.inner.refunds(intent_id)
        )
        return listed


async def insert_with(fault: Any, insert: Callable[[], Awaitable[Result | None]]) -> Result | None:
    """Run an insert with a fault."""
    match fault:
        case DatabaseFault.FAILS_BEFORE_COMMIT:
            raise CommitUnknown
        case DatabaseFault.FAILS_AFTER_COMMIT:
            await insert()
            raise CommitUnknown
        case DatabaseFault.CONFLICT_NOT_VISIBLE:
            return None
    if fault is not None:
        await fault()
    return await insert()


class FaultyPayments(MemoryPayments):
    """Payments in memory, with faults of the calls "insert" and "save"."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.faults = Faults()
        self.insert_count = 0

    async def insert(self, payment: Payment, insert_by: datetime) -> Payment | None:
        self.insert_count += 1
        insert = super().insert
        return await insert_with(self.faults.next("insert"), lambda: insert(payment, insert_by))

    async def save(self, before: Payment, after: Payment, *rest: Any) -> Payment | None:
        if fault := self.faults.next("save"):
            await fault()
        return await super().save(before, after, *rest)


class FaultyRefunds(MemoryRefunds):
    """Refunds in memory, with faults of the call "insert"."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.faults = Faults()

    async def insert(self, refund: Refund, request: RequestRecord) -> Refund | None:
        insert = super().insert
        return await insert_with(self.faults.next("insert"), lambda: insert(refund, request))
