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
"""The pause at the end of the stream. It is polled, because a NOTIFY in a payment's transaction takes a
global lock at commit (measured: half the throughput).
"""


@dataclass(frozen=True, slots=True)
class ReadEvents:
    """Reads the events of payments."""

    payments: PaymentRepository
    events: EventRepository

    async def of_payment(
        self, payment: PaymentName, limit: int, after: int
    ) -> Sequence[PaymentEvent]:
        """A payment's events with a sequence above `after`.

        Raises:
            PaymentNotFound.
        """
        await self.payments.get(payment.id)
        return await self.events.of_payment(payment.id, limit, after)

    async def of_all(self, limit: int, cursor: str) -> Sequence[PaymentEvent]:
        """The events of all payments after a cursor, in the order of the stream."""
        return await self.events.stream(None, limit, cursor)

    async def watch(self, payment: PaymentName | None, cursor: str) -> AsyncIterator[PaymentEvent]:
        """The events of a payment, or of all (None), after a cursor as they are committed: none is
        missed and none comes twice. It reads on only when the reader has taken what was read, so that
        a slow reader delays no other.

        Raises:
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
