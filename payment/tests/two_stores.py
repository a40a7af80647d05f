"""Two stores that are asked the same, and have to answer the same: memory and PostgreSQL.

Each call runs in a transaction of its own, whose `now()` is read first and is the time of the store
in memory, too: so even the times in the answers are equal.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from stores import in_transaction

from chassis.database import Pool
from chassis.values import InvalidValue
from payment.domain.errors import BrokenRule
from payment.domain.events import PaymentEvent
from payment.repository.memory import MemoryEvents, MemoryPayments, MemoryRefunds, Store
from payment.repository.postgresql import PostgresEvents, PostgresPayments, PostgresRefunds
from payment.service_layer.ports import EventRepository, PaymentRepository, RefundRepository

Answer = TypeVar("Answer")


@dataclass
class Side:
    """One store. `cursors` are the places in its stream that it has named, in that order."""

    payments: PaymentRepository
    refunds: RefundRepository
    events: EventRepository
    cursors: list[str] = field(default_factory=lambda: ["", "no cursor"])

    async def stream(self, payment_id: Any, limit: int, place: int) -> list[PaymentEvent]:
        """A page of the stream behind a place that was met before."""
        cursor = self.cursors[place % len(self.cursors)]
        page = [*await self.events.stream(payment_id, limit, cursor)]
        self.cursors += [event.cursor for event in page]
        return page


class TwoStores:
    """Both stores. The one in memory is new, the other's tables have to be empty."""

    def __init__(self, pool: Pool, era: int) -> None:
        self._pool = pool
        self._era = era
        self._now = datetime(2026, 1, 1, tzinfo=UTC)
        store = Store(lambda: self._now)
        self._memory = Side(MemoryPayments(store), MemoryRefunds(store), MemoryEvents(store))
        self._postgres_cursors = [*self._memory.cursors]

    async def ask(self, call: Callable[[Side], Awaitable[Answer]]) -> Answer | None:
        """What both stores answer; None where both refuse with the same error."""
        async with in_transaction(self._pool) as connection:
            self._now = (await connection.fetchrow("SELECT now()"))["now"]
            postgres = Side(
                PostgresPayments(connection),
                PostgresRefunds(connection),
                PostgresEvents(connection, self._era),
                self._postgres_cursors,
            )
            real, refusal = await outcome(call(postgres))
        assert (real, refusal) == await outcome(call(self._memory))
        return real

    async def settled(self) -> None:
        """Waits until no transaction is open, of anybody in the cluster, below which the stream in
        PostgreSQL would end: statistics are gathered in one, now and then.
        """
        bound = "SELECT pg_snapshot_xmin(s) = pg_snapshot_xmax(s) FROM pg_current_snapshot() AS s"
        while not await self._pool.fetchval(bound):  # noqa: ASYNC110 (the database tells nobody)
            await asyncio.sleep(0.01)


async def outcome(work: Awaitable[Answer]) -> tuple[Answer | None, str]:
    """An answer, without what may differ between the stores, or the refusal in its place."""
    try:
        answer: Any = await work
    except (BrokenRule, InvalidValue) as error:
        return None, repr(error)
    if isinstance(answer, list) and answer and isinstance(answer[0], PaymentEvent):
        answer = [without_cursor(event) for event in answer]
    return answer, ""


def without_cursor(event: PaymentEvent) -> Any:
    """An event, but not its place: transactions have other numbers than a list's entries."""
    return tuple(getattr(event, name) for name in PaymentEvent.__slots__ if name != "cursor")
