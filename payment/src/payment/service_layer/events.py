"""Reads the stream of events: pages of it, and a stream that goes on."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from payment.domain.events import PaymentEvent
from payment.domain.values import PaymentName
from payment.service_layer.ports import EventRepository, PaymentRepository

BATCH = 100
"""How many events are read at once for a stream: what a slow reader makes us hold."""
POLL_SECONDS = 0.2
"""The pause at the end of the stream. Polling, because a NOTIFY in a payment's transaction takes a
global lock at commit (measured: half the throughput).
"""


@dataclass(frozen=True, slots=True)
class Events:
    """The events of payments. `None` for a payment means all of them."""

    payments: PaymentRepository
    events: EventRepository

    async def of_payment(
        self, payment: PaymentName, limit: int, after: int
    ) -> Sequence[PaymentEvent]:
        """A payment's events from the sequence `after` on. Raises PaymentNotFound."""
        await self.payments.get(payment.id)
        return await self.events.of_payment(payment.id, limit, after)

    async def of_all(self, limit: int, cursor: str) -> Sequence[PaymentEvent]:
        """All events after a cursor, in the order of the stream."""
        return await self.events.stream(None, limit, cursor)

    async def watch(self, payment: PaymentName | None, cursor: str) -> AsyncIterator[PaymentEvent]:
        """All events after a cursor as they are committed; none missed, none twice. It reads on
        only when the reader has taken what was read: a slow one holds up nobody else. Raises
        PaymentNotFound.
        """
        if payment is not None:
            await self.payments.get(payment.id)
        payment_id = payment.id if payment else None
        while True:
            page = await self.events.stream(payment_id, BATCH, cursor)
            for event in page:
                yield event
                cursor = event.cursor
            if len(page) < BATCH:
                await asyncio.sleep(POLL_SECONDS)
