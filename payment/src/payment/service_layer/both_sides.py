"""The processor's books and ours, read page by page, for reconciliation. Nothing is judged here."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from chassis.filters import Comparison
from chassis.pages import Position
from payment.domain.evidence import Intent, ProcessorRefund, Reply, Unknown
from payment.domain.payment import Payment
from payment.domain.reconciliation import ListedIntent, ListedRefund
from payment.domain.refund import Refund
from payment.service_layer.ports import (
    Books,
    IntentPage,
    PaymentQuery,
    PaymentRepository,
    Processor,
    RefundPage,
    RefundRepository,
    Statement,
)

ROWS = 500  # of ours, a page
TRIES = 5
"""How often the processor is asked, with pauses of 1, 2, 4, 8 s: one lost answer ends no comparison."""
NOT_THERE = "HTTP 404"
"""The one answer that says that there is none. To the machine it proves nothing; a report may say it."""
EMPTY_PAGE = "the processor's list has an empty page that is not the last"

Answer = TypeVar("Answer")


class CouldNotCompare(Exception):
    """Nothing can be said: one of the two sides did not answer."""


@dataclass(frozen=True, slots=True)
class BothSides:
    """What the comparison reads. `pause` waits for so many seconds."""

    payments: PaymentRepository
    refunds: RefundRepository
    books: Books
    processor: Processor
    statement: Statement
    pause: Callable[[float], Awaitable[None]]

    async def intents(
        self, since: datetime, until: datetime
    ) -> AsyncIterator[Sequence[ListedIntent]]:
        page = IntentPage([], has_more=True)
        while page.has_more:
            after = page.intents[-1].id if page.intents else ""
            page = await self._page(self.statement.intents, since, until, after)
            if page.has_more and not page.intents:
                raise CouldNotCompare(EMPTY_PAGE)
            yield page.intents

    async def refunds_made(
        self, since: datetime, until: datetime
    ) -> AsyncIterator[Sequence[ListedRefund]]:
        page = RefundPage([], has_more=True)
        while page.has_more:
            after = page.refunds[-1].id if page.refunds else ""
            page = await self._page(self.statement.refunds_made, since, until, after)
            if page.has_more and not page.refunds:
                raise CouldNotCompare(EMPTY_PAGE)
            yield page.refunds

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
        while rows := await self.books.refunds_created(since, until, after, ROWS):
            yield rows
            after = rows[-1].id

    async def intent(self, intent_id: str) -> Intent | None:
        """As it is now; None where the processor says that there is none."""

        async def ask() -> Reply:
            return await self.processor.retrieve(intent_id)

        reply = await self._answer(ask)
        if isinstance(reply, Intent):
            return reply
        if isinstance(reply, Unknown) and reply.why == NOT_THERE:
            return None
        raise CouldNotCompare(f"the processor does not say what became of the intent {intent_id}")

    async def their_refunds(self, intent_id: str) -> Sequence[ProcessorRefund] | None:
        """All of an intent, as they are now; None where one of them cannot be read."""

        async def ask() -> Sequence[ProcessorRefund] | Unknown:
            return await self.processor.refunds(intent_id)

        refunds = await self._answer(ask)
        if isinstance(refunds, Unknown):
            if refunds.unreachable:
                raise CouldNotCompare(f"the refunds of {intent_id} do not come: {refunds.why}")
            return None
        return refunds

    async def our_refunds(self, payment_id: UUID) -> list[Refund]:
        found: list[Refund] = []
        while True:
            after = Position(found[-1].create_time, found[-1].id) if found else None
            page = await self.refunds.list(payment_id, ROWS, after)
            found += page
            if len(page) < ROWS:
                return found

    async def _page(
        self,
        ask: Callable[[datetime, datetime, str], Awaitable[Answer | Unknown]],
        since: datetime,
        until: datetime,
        after: str,
    ) -> Answer:
        page = await self._answer(lambda: ask(since, until, after))
        if isinstance(page, Unknown):
            raise CouldNotCompare(f"the processor's list does not come: {page.why}")
        return page

    async def _answer(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """The first answer that says something, or the last that says nothing."""
        answer = await ask()
        for seconds in pauses():
            if not isinstance(answer, Unknown) or answer.why == NOT_THERE:
                break
            await self.pause(seconds)
            answer = await ask()
        return answer


def pauses() -> Iterator[float]:
    """Seconds between the tries."""
    return (2.0**number for number in range(TRIES - 1))
