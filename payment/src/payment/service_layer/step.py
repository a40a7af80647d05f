"""The one driver of an unfinished payment: read, ask, apply, call, apply.

The handler and recovery both use it, side by side if it so happens: no lock is held across a call,
and no lease is trusted. What makes that safe is the order: the idempotency counter is read before the
intent is asked for, and each write tests that the row is as it was read.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from payment.domain.events import event_for
from payment.domain.evidence import Intent, IntentStatus, OutcomeUnknown, Reply
from payment.domain.machine import Operation, answer, apply, expire, incident_of, next_post
from payment.domain.payment import Payment, State
from payment.domain.schedule import attempts_ended, until_next_look
from payment.service_layer.ports import Alarms, Jitter, PaymentRepository, Processor, Snapshot


@dataclass(frozen=True, slots=True)
class StepResult:
    """Where a step left a payment. `answered`: the processor said what there is of it; `unreachable`:
    it did not answer at all.
    """

    payment: Payment
    now: datetime
    answered: bool = True
    unreachable: bool = False


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps of payments, by the rules of `payment.domain.machine`. One object serves all."""

    payments: PaymentRepository
    processor: Processor
    alarm: Alarms
    jitter: Jitter

    async def attempt(self, payment_id: UUID) -> Payment:
        """The first step that follows from a request, to its end."""
        return await self.rest(await self.step(payment_id), attempt=1)

    async def step(self, payment_id: UUID) -> StepResult:
        """Bring a payment forward as far as one question and one call can. Raises
        PaymentNotFound.
        """
        seen = await self.payments.get(payment_id)
        if seen.payment.is_settled:
            return StepResult(seen.payment, seen.now)
        reply = await self.processor.retrieve(seen.payment.intent_id)
        if not isinstance(reply, Intent):
            unreachable = is_unreachable(reply)
            return StepResult(seen.payment, seen.now, answered=False, unreachable=unreachable)
        if reply.id != seen.payment.intent_id:
            self._tell_incident(seen.payment, reply)
            return StepResult(seen.payment, seen.now, answered=False)
        after = expire(apply(seen.payment, reply, seen.now), reply.status, seen.now)
        saved = await self._save(seen.payment, after)
        if saved is None:
            return await self._as_it_is_now(payment_id)
        self._tell_incident(seen.payment, reply)
        return await self.call(
            Snapshot(saved, seen.now), reply.status, seen.payment.idempotency_counter
        )

    async def rest(self, stepped: StepResult, attempt: int) -> Payment:
        """End an attempt: set when the payment is looked at again, if it has to be."""
        payment = stepped.payment
        wait = until_next_look(
            payment,
            attempt,
            stepped.now,
            answered=stepped.answered,
            unreachable=stepped.unreachable,
            jitter=self.jitter(),
        )
        if wait is not None:
            number = attempts_ended(attempt, unreachable=stepped.unreachable)
            await self.payments.reschedule(payment, wait, number)
        return payment

    async def call(
        self, seen: Snapshot, status: IntentStatus, idempotency_counter: int
    ) -> StepResult:
        """Make the one call that may follow, and take its answer. `idempotency_counter` is the one that was read
        before the status was asked for.

        A confirm that was declined may go on with the cancel at once, under the same counter: the one
        exception to one call a step.
        """
        payment = seen.payment
        post = next_post(payment, status, idempotency_counter)
        if post is None:
            return StepResult(payment, seen.now)
        reply = await self.processor.post(payment, post)
        after = answer(payment, post, reply, seen.now)
        saved = payment if after == payment else await self._save(payment, after)
        if saved is None:
            return await self._as_it_is_now(payment.id)
        if isinstance(reply, Intent):
            self._tell_incident(payment, reply)
        if after == payment:
            return StepResult(payment, seen.now, unreachable=is_unreachable(reply))
        declined = post.operation is Operation.CONFIRM and saved.state is State.CANCELING
        if declined and isinstance(reply, Intent):
            return await self.call(Snapshot(saved, seen.now), reply.status, idempotency_counter)
        return StepResult(saved, seen.now)

    async def _save(self, before: Payment, after: Payment) -> Payment | None:
        what = event_for(before, after)
        saved = await self.payments.save(before, after, what)
        if saved is not None and saved.held is not None and before.held is None:
            self.alarm("payment_held", str(saved.name), saved.held.reason)
        return saved

    def _tell_incident(self, payment: Payment, intent: Intent) -> None:
        """Once the row has proven to be as it was read: what contradicts an older one may be our
        own work, of another replica.
        """
        if words := incident_of(payment, intent):
            self.alarm("payment_incident", str(payment.name), words)

    async def _as_it_is_now(self, payment_id: UUID) -> StepResult:
        """Somebody was faster: theirs is the truth, and the end of this step."""
        seen = await self.payments.get(payment_id)
        return StepResult(seen.payment, seen.now)


def is_unreachable(reply: Reply) -> bool:
    return isinstance(reply, OutcomeUnknown) and reply.unreachable
