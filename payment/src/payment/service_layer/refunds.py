"""Money back, and the driver of an unfinished refund: list, post, apply.

Before a refund is posted again it is looked for in the processor's whole list; "not listed" alone
never makes it FAILED, and neither does a 500. It is the one place where time enters safety: what
is posted leaves within 10 s of the list that did not name it (payment.domain.refund.POST_WITHIN).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.aip.pages import Position
from payment.domain.creation import fingerprint
from payment.domain.errors import PaymentError, RefusedByProcessor, RequestIdReused, TryAgain
from payment.domain.events import refund_event_for
from payment.domain.evidence import (
    IdempotencyKeyConflict,
    OutcomeUnknown,
    ProcessorRefund,
    Rejection,
)
from payment.domain.payment import Failure
from payment.domain.refund import POST_WITHIN, REFUSED_WITHIN, Refund, RefundRequest, refundable
from payment.domain.schedule import attempts_ended, until_next_look_at_refund
from payment.domain.values import PaymentName, RefundName
from payment.service_layer.change_payment import TRIES
from payment.service_layer.ports import (
    Alarms,
    CommitUnknown,
    Elapsed,
    Jitter,
    NewId,
    PaymentRepository,
    Processor,
    RefundRepository,
    RequestRecord,
    Snapshot,
)


@dataclass(frozen=True, slots=True)
class RefundStepResult:
    """Where a step left a refund. `answered`: the processor said what there is of it; `unreachable`:
    it did not answer at all.
    """

    refund: Refund
    answered: bool = True
    unreachable: bool = False


@dataclass(frozen=True, slots=True)
class Refunds:
    """The refunds of payments. One object serves all calls."""

    payments: PaymentRepository
    refund_repository: RefundRepository
    processor: Processor
    alarm: Alarms
    new_id: NewId
    elapsed: Elapsed
    jitter: Jitter

    async def create(self, request: RefundRequest) -> Refund:
        """Reserve the amount, then send it. Raises PaymentNotFound, WrongState, PaymentHeld,
        AmountTooLarge, RefusedByProcessor, RequestIdReused.
        """
        if request.amount is not None and not self.processor.supports_amount(request.amount):
            raise RefusedByProcessor("refund_amount", "amount_not_payable")
        content = fingerprint_of(request)
        for _ in range(TRIES):
            if found := await self.payments.find_request(request.request_id):
                return await self._same(found, request, content)
            seen = await self.payments.get(request.payment.id)
            try:
                refund = self._refund(seen, request)
            except PaymentError:
                # Read after the look-up: what stands in the way may be this request's own work.
                if await self.payments.find_request(request.request_id) is None:
                    raise
                continue
            record = RequestRecord(request.request_id, content, refund.payment_id, refund.id)
            sent_at = self.elapsed()
            try:
                row = await self.refund_repository.insert(refund, record)
            except CommitUnknown:
                continue
            if row is not None:
                stepped = await self.step(row, row.create_time, not_listed_at=sent_at)
                return await self.rest(stepped, attempt=1, now=row.create_time)
        raise TryAgain("the payment's refunds kept changing meanwhile")

    def _refund(self, seen: Snapshot, request: RefundRequest) -> Refund:
        payment = seen.payment
        return Refund(
            id=self.new_id(),
            payment_id=payment.id,
            intent_id=payment.intent_id,
            amount=refundable(payment, request.amount),
            currency_code=payment.request.amount.currency_code,
            reason=request.reason,
            create_time=seen.now,
            update_time=seen.now,
        )

    async def get(self, name: RefundName) -> Refund:
        """Raises RefundNotFound."""
        return await self.refund_repository.get(name.payment_id, name.id)

    async def list(
        self, payment: PaymentName, limit: int, after: Position | None
    ) -> Sequence[Refund]:
        """Raises PaymentNotFound."""
        await self.payments.get(payment.id)
        return await self.refund_repository.list(payment.id, limit, after)

    async def step(
        self, refund: Refund, now: datetime, not_listed_at: float | None = None
    ) -> RefundStepResult:
        """Bring a refund forward, which was read at `now`. `not_listed_at`: when it was last known,
        on the `elapsed` clock, that the processor cannot have it yet; None: nobody knows.
        """
        if not_listed_at is not None:
            return await self._send(refund, now, not_listed_at)
        listing_at = self.elapsed()
        listed = await self.processor.refunds(refund.intent_id)
        if isinstance(listed, OutcomeUnknown):
            return RefundStepResult(refund, answered=False, unreachable=listed.unreachable)
        if word := word_on(refund, listed):
            return RefundStepResult(await self._take(refund, word))
        if refund.processor_id:
            self._tell_incident(refund, "a refund is no longer listed")
            return RefundStepResult(refund)
        return await self._send(refund, now, listing_at)

    async def rest(self, stepped: RefundStepResult, attempt: int, now: datetime) -> Refund:
        """End an attempt: set when the refund is looked at again, if it has to be."""
        refund = stepped.refund
        wait = until_next_look_at_refund(
            refund,
            attempt,
            now,
            answered=stepped.answered,
            unreachable=stepped.unreachable,
            jitter=self.jitter(),
        )
        number = attempts_ended(attempt, unreachable=stepped.unreachable)
        await self.refund_repository.reschedule(refund, wait, number)
        return refund

    async def _send(self, refund: Refund, now: datetime, not_listed_at: float) -> RefundStepResult:
        """Post it, if that can still be done in time. A 500 and silence leave it open.

        It is read once more before: a replica that slept may hold what was refused meanwhile and
        FAILED, and whose amount was then refunded anew.
        """
        as_it_is = await self.get(refund.name)
        if as_it_is.version != refund.version:
            return RefundStepResult(as_it_is)
        if self.elapsed() - not_listed_at > POST_WITHIN.total_seconds():
            return RefundStepResult(refund)
        reply = await self.processor.refund(refund)
        match reply:
            case ProcessorRefund() if reply.refund_id != refund.id:
                self._tell_incident(refund, "the processor answered with another refund")
            case ProcessorRefund():
                return RefundStepResult(await self._take(refund, reply))
            case Rejection():
                return RefundStepResult(await self._refused(refund, now, reply))
            case OutcomeUnknown(unreachable=unreachable):
                return RefundStepResult(refund, unreachable=unreachable)
            case IdempotencyKeyConflict():
                self._tell_incident(refund, "its idempotency key was used with other parameters")
        return RefundStepResult(refund)

    async def _refused(self, refund: Refund, now: datetime, reply: Rejection) -> Refund:
        """A refusal counts only when the complete list, read after it, does not name the refund (an
        earlier copy of the call may have worked), and when it is written down in time.
        """
        listed = await self.processor.refunds(refund.intent_id)
        if isinstance(listed, OutcomeUnknown):
            return refund
        if word := word_on(refund, listed):
            return await self._take(refund, word)
        failed = refund.fail(Failure(reply.code, message=reply.message))
        return await self._save(refund, failed, by=now + REFUSED_WITHIN)

    async def _take(self, refund: Refund, word: ProcessorRefund) -> Refund:
        if word.amount != refund.amount:
            self._tell_incident(refund, "the processor refunded another amount")
            return refund
        return await self._save(refund, refund.apply(word))

    async def _save(self, before: Refund, after: Refund, by: datetime | None = None) -> Refund:
        what = refund_event_for(before, after)
        if what is None:
            return before
        saved = await self.refund_repository.save(before, after, what, by)
        return saved or await self.get(before.name)

    def _tell_incident(self, refund: Refund, words: str) -> None:
        self.alarm("refund_incident", str(refund.name), words)

    async def _same(self, found: RequestRecord, request: RefundRequest, content: bytes) -> Refund:
        if found.fingerprint != content or found.refund_id is None:
            raise RequestIdReused(str(request.request_id))
        return await self.get(RefundName(found.payment_id, found.refund_id))


def fingerprint_of(request: RefundRequest) -> bytes:
    amount = request.amount
    return fingerprint(
        "refund",
        str(request.payment),
        str(amount.minor_units) if amount else "",
        amount.currency_code if amount else "",
        request.reason.value if request.reason else "",
    )


def word_on(refund: Refund, listed: Sequence[ProcessorRefund]) -> ProcessorRefund | None:
    """What the processor has of a refund: by its own id, once that is known. Ours is in the
    metadata, which people may edit.
    """
    if refund.processor_id:
        return next((word for word in listed if word.id == refund.processor_id), None)
    return next((word for word in listed if word.refund_id == refund.id), None)
