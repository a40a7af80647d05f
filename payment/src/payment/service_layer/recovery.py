"""Takes up what is due, and steps it: part of the service, in every replica, always.

Claims give progress, not safety: two replicas that step one payment at once do no harm. What it
works on is its own: connections to the database and calls to the processor that no caller can take.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from payment.domain.schedule import is_overdue, is_refund_overdue
from payment.service_layer.alert_throttle import AlertThrottle
from payment.service_layer.ports import Alarms, Due, DueRefund
from payment.service_layer.refunds import Refunds
from payment.service_layer.step import Steps

BATCH = 50
"""How many are stepped at once at most, in one process: as many calls are under way."""
MAX_CONCURRENT_REFUNDS = 10
"""How many of them are refunds: neither kind waits for the other."""
POLL_SECONDS = 1.0
"""The pause between two looks: the shortest wait of the schedule."""
WAKE_DEBOUNCE_SECONDS = 0.05
"""The pause where it is woken: hints that come together are one look."""

Work = Coroutine[None, None, None]
Claimed = TypeVar("Claimed")


@dataclass(frozen=True, slots=True)
class Recovery:
    """Steps what is due. `on_unexpected_error` is told of every error: none may end the work."""

    steps: Steps
    refunds: Refunds
    alarm: Alarms
    on_unexpected_error: Callable[[Exception], None]
    reminders: AlertThrottle = field(default_factory=AlertThrottle)
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Works until it is cancelled. A slow one keeps its own place busy, not the others'."""
        payments: set[asyncio.Task[None]] = set()
        refunds: set[asyncio.Task[None]] = set()
        try:
            while True:
                begin(payments, await self.claim(BATCH - MAX_CONCURRENT_REFUNDS - len(payments)))
                begin(refunds, await self.claim_refunds(MAX_CONCURRENT_REFUNDS - len(refunds)))
                await self._pause()
        finally:  # left in the middle like in a crash: the next claim takes them up
            working = payments | refunds
            for task in working:
                task.cancel()
            await asyncio.gather(*working, return_exceptions=True)

    def wake(self) -> None:
        """Something is due now: look at once, not at the end of the pause."""
        self.woken.set()

    async def _pause(self) -> None:
        await asyncio.sleep(WAKE_DEBOUNCE_SECONDS)
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL_SECONDS - WAKE_DEBOUNCE_SECONDS):
                await self.woken.wait()
        self.woken.clear()  # before the look: what is due from here on wakes it again

    async def claim(self, places: int) -> list[Work]:
        """UniqueKeys at most so many payments that are due; returns the work on each."""
        due = await self._claimed(self.steps.payments.claim_due, places)
        return [self._guarded(self.take_up, each) for each in due]

    async def claim_refunds(self, places: int) -> list[Work]:
        """The same of refunds."""
        due = await self._claimed(self.refunds.refund_repository.claim_due, places)
        return [self._guarded(self.take_up_refund, each) for each in due]

    async def _claimed(
        self, claim_due: Callable[[int], Awaitable[Sequence[Claimed]]], places: int
    ) -> Sequence[Claimed]:
        try:
            return await claim_due(places) if places else []
        except Exception as error:  # noqa: BLE001 (the database is away: look again in a second)
            self.on_unexpected_error(error)
            return []

    async def take_up(self, due: Due) -> None:
        """Step one payment, and set when it is looked at again."""
        stepped = await self.steps.step(due.id)
        payment = stepped.payment
        if is_overdue(payment, stepped.now):
            self._remind("payment_overdue", str(payment.name), payment.update_time, stepped.now)
        has_moved = payment.version != due.version
        await self.steps.rest(stepped, 1 if has_moved else due.attempt)

    async def take_up_refund(self, due: DueRefund) -> None:
        """The same for a refund."""
        stepped = await self.refunds.step(due.refund, due.now)
        refund = stepped.refund
        if is_refund_overdue(refund, due.now):
            self._remind("refund_overdue", str(refund.name), refund.create_time, due.now)
        has_moved = refund.version != due.refund.version
        await self.refunds.rest(stepped, 1 if has_moved else due.attempt, due.now)

    def _remind(self, name: str, about: str, since: datetime, now: datetime) -> None:
        if self.reminders.is_time(about, now):
            self.alarm(name, about, f"no outcome since {since:%Y-%m-%d %H:%M:%S} UTC")

    async def _guarded(self, take_up: Callable[[Claimed], Awaitable[None]], due: Claimed) -> None:
        try:
            await take_up(due)
        except Exception as error:  # noqa: BLE001 (whatever it is, the next one is not to blame)
            self.on_unexpected_error(error)


def begin(working: set[asyncio.Task[None]], work: Iterable[Work]) -> None:
    """Do each in a task of its own, which is among the working until it ends."""
    for task in map(asyncio.create_task, work):
        working.add(task)
        task.add_done_callback(working.discard)
