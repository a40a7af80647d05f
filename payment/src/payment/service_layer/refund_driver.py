"""The driver of refunds. A step is: list, post, apply.

Before a refund is posted again it is looked for in the processor's whole list. Neither "not listed"
alone nor a 500 makes it FAILED. This is the one place where safety depends on time: a POST leaves
within 10 s of the list that did not name the refund (payment.domain.refund.POST_WITHIN).
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from chassis.aip.resources import Snapshot
from payment.domain.events import refund_event_for
from payment.domain.evidence import (
    IdempotencyKeyConflict,
    OutcomeUnknown,
    ProcessorRefund,
    Rejection,
    is_unreachable,
)
from payment.domain.refund import FAIL_WITHIN, POST_WITHIN, Refund
from payment.domain.schedule import StepResult
from payment.domain.values import Failure
from payment.service_layer.alerts import Alert
from payment.service_layer.driver import Driver
from payment.service_layer.ports import Elapsed, RefundRepository


@dataclass(frozen=True, slots=True)
class RefundDriver(Driver[Refund]):
    """Drives refunds, by the rules of `payment.domain.refund`."""

    OVERDUE: ClassVar = Alert.REFUND_OVERDUE

    repository: RefundRepository
    elapsed: Elapsed = field(kw_only=True)

    async def step(
        self, read: Snapshot[Refund], not_listed_at: float | None = None
    ) -> StepResult[Refund]:
        """Bring a refund forward.

        Args:
            not_listed_at: when it was certain, on the `elapsed` clock, that the processor did not
                have it yet; None: it has to be looked for.
        """
        refund, now = read.resource, read.now
        if not_listed_at is not None:
            return await self._post(refund, now, not_listed_at)
        listing_at = self.elapsed()
        listed = await self.processor.refunds(refund.intent_id)
        if isinstance(listed, OutcomeUnknown):
            return StepResult(refund, now, answered=False, unreachable=listed.unreachable)
        if found := refund.find_in(listed):
            return StepResult(await self._apply(refund, found), now)
        if refund.processor_id:
            self._report_incident(refund, "a refund is no longer listed")
            return StepResult(refund, now)
        return await self._post(refund, now, listing_at)

    async def _post(
        self, refund: Refund, now: datetime, not_listed_at: float
    ) -> StepResult[Refund]:
        """Post the refund, if there is still time. A 500 and no answer leave it PENDING.

        It is read once more before: a suspended replica may hold one that was refused meanwhile and
        FAILED, and whose amount was then refunded again.
        """
        current = await self.repository.get(refund.payment_id, refund.id)
        if current.version != refund.version:
            return StepResult(current, now)
        if self.elapsed() - not_listed_at > POST_WITHIN.total_seconds():
            return StepResult(refund, now)
        reply = await self.processor.refund(refund)
        match reply:
            case ProcessorRefund() if reply.refund_id != refund.id:
                self._report_incident(refund, "the processor answered with another refund")
            case ProcessorRefund():
                return StepResult(await self._apply(refund, reply), now)
            case Rejection():
                return StepResult(await self._fail(refund, now, reply), now)
            case IdempotencyKeyConflict():
                words = "its idempotency key was used with other parameters"
                self._report_incident(refund, words)
        return StepResult(refund, now, unreachable=is_unreachable(reply))

    async def _fail(self, refund: Refund, now: datetime, reply: Rejection) -> Refund:
        """A refusal counts only if the complete list, read after it, does not name the refund (an
        earlier copy of the call may have succeeded), and if it is stored in time.
        """
        listed = await self.processor.refunds(refund.intent_id)
        if isinstance(listed, OutcomeUnknown):
            return refund
        if found := refund.find_in(listed):
            return await self._apply(refund, found)
        failed = refund.fail(Failure(reply.code, message=reply.message))
        return await self._save(refund, failed, by=now + FAIL_WITHIN)

    async def _apply(self, refund: Refund, reported: ProcessorRefund) -> Refund:
        if reported.amount != refund.amount:
            self._report_incident(refund, "the processor refunded another amount")
            return refund
        return await self._save(refund, refund.apply(reported))

    async def _save(self, before: Refund, after: Refund, by: datetime | None = None) -> Refund:
        event = refund_event_for(before, after)
        if event is None:
            return before
        saved = await self.repository.save(before, after, event, by)
        return saved or await self.repository.get(before.payment_id, before.id)

    def _report_incident(self, refund: Refund, words: str) -> None:
        self.alert(Alert.REFUND_INCIDENT, str(refund.name), words)
