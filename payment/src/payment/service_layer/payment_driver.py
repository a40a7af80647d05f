"""The driver of payments. A step is: read, ask, apply, call, apply.

Requests and recovery both take steps, at the same time if it so happens: no lock is held across a call,
and no lease is trusted. Two things make that safe: the idempotency counter is read before the intent
is asked for, and each write tests that the row is as it was read.
"""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from chassis.aip.resources import Snapshot
from payment.domain.events import event_for
from payment.domain.evidence import Intent, IntentStatus, is_unreachable
from payment.domain.machine import Operation, answer, apply, expire, incident_of, next_post
from payment.domain.payment import Payment, State
from payment.domain.schedule import StepResult
from payment.service_layer.alerts import Alert
from payment.service_layer.driver import Driver
from payment.service_layer.ports import PaymentRepository


@dataclass(frozen=True, slots=True)
class PaymentDriver(Driver[Payment]):
    """Drives payments, by the rules of `payment.domain.machine`."""

    OVERDUE: ClassVar = Alert.PAYMENT_OVERDUE

    repository: PaymentRepository

    async def step(self, read: Snapshot[Payment]) -> StepResult[Payment]:
        """Bring a payment forward as far as one question and one call can."""
        payment, now = read.resource, read.now
        if payment.is_settled:
            return StepResult(payment, now)
        reply = await self.processor.retrieve(payment.intent_id)
        if not isinstance(reply, Intent):
            return StepResult(payment, now, answered=False, unreachable=is_unreachable(reply))
        if reply.id != payment.intent_id:
            self._report_incident(payment, reply)
            return StepResult(payment, now, answered=False)
        after = expire(apply(payment, reply, now), reply.status, now)
        saved = await self._save(payment, after)
        if saved is None:
            return await self._current(payment.id)
        self._report_incident(payment, reply)
        return await self.call(Snapshot(saved, now), reply.status, payment.idempotency_counter)

    async def call(
        self, read: Snapshot[Payment], status: IntentStatus, idempotency_counter: int
    ) -> StepResult[Payment]:
        """Make the one call that may follow, and apply its answer.

        A confirmation that was declined may go on with the cancellation at once, under the same
        counter: the one exception to one call a step.

        Args:
            idempotency_counter: as it was read before the status was asked for.
        """
        payment, now = read.resource, read.now
        post = next_post(payment, status, idempotency_counter)
        if post is None:
            return StepResult(payment, now)
        reply = await self.processor.post(payment, post)
        after = answer(payment, post, reply, now)
        saved = payment if after == payment else await self._save(payment, after)
        if saved is None:
            return await self._current(payment.id)
        if isinstance(reply, Intent):
            self._report_incident(payment, reply)
        if after == payment:
            return StepResult(payment, now, unreachable=is_unreachable(reply))
        was_declined = post.operation is Operation.CONFIRM and saved.state is State.CANCELING
        if was_declined and isinstance(reply, Intent):
            return await self.call(Snapshot(saved, now), reply.status, idempotency_counter)
        return StepResult(saved, now)

    async def _save(self, before: Payment, after: Payment) -> Payment | None:
        saved = await self.repository.save(before, after, event_for(before, after))
        if saved is not None and saved.held is not None and before.held is None:
            self.alert(Alert.PAYMENT_HELD, str(saved.name), saved.held.reason)
        return saved

    def _report_incident(self, payment: Payment, intent: Intent) -> None:
        """Called once the row has proven to be as it was read: what contradicts an older one may be
        the work of another replica.
        """
        if words := incident_of(payment, intent):
            self.alert(Alert.PAYMENT_INCIDENT, str(payment.name), words)

    async def _current(self, payment_id: UUID) -> StepResult[Payment]:
        """Another replica was faster: its result ends this step."""
        current = await self.repository.get(payment_id)
        return StepResult(current.resource, current.now)
