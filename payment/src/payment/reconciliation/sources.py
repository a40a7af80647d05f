"""The records of both sides, read page by page."""

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
from payment.reconciliation.comparison import ListedIntent, ListedRefund, PaymentRecords
from payment.reconciliation.ports import InternalRecords, ProcessorListing
from payment.service_layer.ports import PaymentQuery, PaymentRepository, Processor, RefundRepository

PAGE_SIZE = 500  # rows of the internal records
MAX_TRIES = 5
"""How often the processor is asked, with pauses of 1, 2, 4 and 8 s: one lost reply ends no
reconciliation.
"""
MAX_READS = 3
"""How often a payment that changes while both sides are read is read again."""

Answer = TypeVar("Answer")
Listed = TypeVar("Listed", ListedIntent, ListedRefund)


class SourceUnavailable(Exception):
    """A side did not answer: nothing can be said."""


@dataclass(frozen=True, slots=True)
class ReconciliationSources:
    """Reads both sides. `pause` waits for so many seconds."""

    payments: PaymentRepository
    refunds: RefundRepository
    records: InternalRecords
    processor: Processor
    listing: ProcessorListing
    pause: Callable[[float], Awaitable[None]]

    # ------------------------------------------------------------ what was created in a time

    def listed_intents(
        self, since: datetime, until: datetime
    ) -> AsyncIterator[Sequence[ListedIntent]]:
        """The processor's intents, in pages."""
        return self._pages(self.listing.intents, since, until)

    def listed_refunds(
        self, since: datetime, until: datetime
    ) -> AsyncIterator[Sequence[ListedRefund]]:
        """The processor's refunds, in pages."""
        return self._pages(self.listing.refunds_made, since, until)

    async def payments_created(self, since: datetime, until: datetime) -> AsyncIterator[Payment]:
        """The payments, deleted ones too."""
        query = PaymentQuery(
            limit=PAGE_SIZE,
            newest_first=False,
            show_deleted=True,
            create_time=((Comparison.FROM, since), (Comparison.BEFORE, until)),
        )
        while page := await self.payments.list(query):
            for payment in page:
                yield payment
            query = replace(query, after=Position(page[-1].create_time, page[-1].id))

    async def refunds_created(self, since: datetime, until: datetime) -> AsyncIterator[Refund]:
        """The refunds."""
        after: UUID | None = None
        while page := await self.records.refunds_created(since, until, after, PAGE_SIZE):
            for refund in page:
                yield refund
            after = page[-1].id

    # ------------------------------------------------------------ single records, as they are now

    async def payments_of(self, intent_ids: Sequence[str]) -> dict[str, Payment]:
        """The payments by their intents."""
        return {each.intent_id: each for each in await self.records.payments_of(intent_ids)}

    async def payment(self, payment_id: UUID) -> Payment:
        """A payment."""
        return (await self.payments.get(payment_id)).resource

    async def same_reference(self, payment: Payment) -> Payment | None:
        """The payment that has the reference of one that ended without money."""
        request = payment.request
        if request.reference is None:
            return None
        found = await self.payments.find_conflicts(request.request_id, request.reference)
        return found.same_reference

    async def payment_records(self, payment: Payment) -> PaymentRecords:
        """Both sides' records of a payment. They are read again while the payment changes meanwhile."""
        for _ in range(MAX_READS):
            intent = await self.intent(payment.intent_id)
            processor_refunds = await self.processor_refunds(payment.intent_id) if intent else []
            refunds = await self._refunds(payment.id)
            read = await self.payments.get(payment.id)
            changed = read.resource.version != payment.version
            payment = read.resource
            if not changed:
                break
        return PaymentRecords(payment, refunds, intent, processor_refunds, read.now, changed)

    async def intent(self, intent_id: str) -> Intent | None:
        """An intent; None where the processor has none."""
        reply = await self._ask(partial(self.processor.retrieve, intent_id))
        if isinstance(reply, Intent):
            return reply
        if isinstance(reply, NotFound):
            return None
        raise SourceUnavailable(f"the processor does not say what became of the intent {intent_id}")

    async def processor_refunds(self, intent_id: str) -> Sequence[ProcessorRefund] | None:
        """All refunds of an intent; None where one of them cannot be read."""
        found = await self._ask(partial(self.processor.refunds, intent_id))
        if isinstance(found, OutcomeUnknown):
            if found.unreachable:
                raise SourceUnavailable(f"the refunds of {intent_id} cannot be had: {found.why}")
            return None
        return found

    async def _refunds(self, payment_id: UUID) -> list[Refund]:
        found: list[Refund] = []
        while True:
            after = Position(found[-1].create_time, found[-1].id) if found else None
            page = await self.refunds.list(payment_id, PAGE_SIZE, after)
            found += page
            if len(page) < PAGE_SIZE:
                return found

    # ------------------------------------------------------------ the processor's replies

    async def _pages(
        self,
        list_page: Callable[[datetime, datetime, str], Awaitable[Page[Listed] | OutcomeUnknown]],
        since: datetime,
        until: datetime,
    ) -> AsyncIterator[Sequence[Listed]]:
        after: str | None = ""
        while after is not None:
            page = await self._ask(partial(list_page, since, until, after))
            if isinstance(page, OutcomeUnknown):
                raise SourceUnavailable(f"the processor's listing cannot be had: {page.why}")
            if page.has_more and not page.items:
                raise SourceUnavailable("the processor's listing has an empty page before its end")
            yield page.items
            after = page.items[-1].id if page.has_more else None

    async def _ask(self, call: Callable[[], Awaitable[Answer]]) -> Answer:
        """The first reply that says something, or the last one that does not."""
        reply = await call()
        for number in range(MAX_TRIES - 1):
            if not isinstance(reply, OutcomeUnknown):
                break
            await self.pause(2.0**number)
            reply = await call()
        return reply
