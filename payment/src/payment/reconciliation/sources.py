"""The processor's books and ours, read page by page, for reconciliation. Nothing is judged here."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TypeVar
from uuid import UUID

from chassis.aip.filters import Comparison
from chassis.aip.pages import Position
from payment.domain.evidence import Intent, NotFound, OutcomeUnknown, Page, ProcessorRefund
from payment.domain.payment import Payment
from payment.domain.refund import Refund
from payment.reconciliation.comparison import ListedIntent, ListedRefund
from payment.reconciliation.ports import InternalRecords, ProcessorListing
from payment.service_layer.ports import PaymentQuery, PaymentRepository, Processor, RefundRepository

ROWS = 500  # of ours, a page
TRIES = 5
"""How often the processor is asked, with pauses of 1, 2, 4, 8 s: one lost answer ends no comparison."""

Answer = TypeVar("Answer")
Listed = TypeVar("Listed", ListedIntent, ListedRefund)


class CouldNotCompare(Exception):
    """Nothing can be said: one of the two sides did not answer."""


@dataclass(frozen=True, slots=True)
class ReconciliationSources:
    """What the comparison reads. `pause` waits for so many seconds."""

    payments: PaymentRepository
    refund_repository: RefundRepository
    records: InternalRecords
    processor: Processor
    listing: ProcessorListing
    pause: Callable[[float], Awaitable[None]]

    def intents(self, since: datetime, until: datetime) -> AsyncIterator[Sequence[ListedIntent]]:
        return self._pages(self.listing.intents, since, until)

    def refunds_made(
        self, since: datetime, until: datetime
    ) -> AsyncIterator[Sequence[ListedRefund]]:
        return self._pages(self.listing.refunds_made, since, until)

    async def rows(self, since: datetime, until: datetime) -> AsyncIterator[Sequence[Payment]]:
        """Our payments of a time, the deleted among them."""
        query = PaymentQuery(
            limit=ROWS,
            newest_first=False,
            show_deleted=True,
            create_time=((Comparison.FROM, since), (Comparison.BEFORE, until)),
        )
        while rows := await self.payments.list(query):
            yield rows
            query = replace(query, after=Position(rows[-1].create_time, rows[-1].id))

    async def refund_rows(
        self, since: datetime, until: datetime
    ) -> AsyncIterator[Sequence[Refund]]:
        after: UUID | None = None
        while rows := await self.records.refunds_created(since, until, after, ROWS):
            yield rows
            after = rows[-1].id

    async def intent(self, intent_id: str) -> Intent | None:
        """As it is now; None where the processor says that there is none."""
        reply = await self._answer(partial(self.processor.retrieve, intent_id))
        if isinstance(reply, Intent):
            return reply
        if isinstance(reply, NotFound):
            return None
        raise CouldNotCompare(f"the processor does not say what became of the intent {intent_id}")

    async def their_refunds(self, intent_id: str) -> Sequence[ProcessorRefund] | None:
        """All of an intent, as they are now; None where one of them cannot be read."""
        refunds = await self._answer(partial(self.processor.refunds, intent_id))
        if isinstance(refunds, OutcomeUnknown):
            if refunds.unreachable:
                raise CouldNotCompare(f"the refunds of {intent_id} do not come: {refunds.why}")
            return None
        return refunds

    async def our_refunds(self, payment_id: UUID) -> list[Refund]:
        found: list[Refund] = []
        while True:
            after = Position(found[-1].create_time, found[-1].id) if found else None
            page = await self.refund_repository.list(payment_id, ROWS, after)
            found += page
            if len(page) < ROWS:
                return found

    async def _pages(
        self,
        page: Callable[[datetime, datetime, str], Awaitable[Page[Listed] | OutcomeUnknown]],
        since: datetime,
        until: datetime,
    ) -> AsyncIterator[Sequence[Listed]]:
        after: str | None = ""
        while after is not None:
            found = await self._answer(partial(page, since, until, after))
            if isinstance(found, OutcomeUnknown):
                raise CouldNotCompare(f"the processor's list does not come: {found.why}")
            if found.has_more and not found.items:
                raise CouldNotCompare("the processor's list has an empty page that is not the last")
            yield found.items
            after = found.items[-1].id if found.has_more else None

    async def _answer(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """The first answer that says something, or the last that says nothing."""
        answer = await ask()
        for number in range(TRIES - 1):
            if not isinstance(answer, OutcomeUnknown):
                break
            await self.pause(2.0**number)
            answer = await ask()
        return answer
