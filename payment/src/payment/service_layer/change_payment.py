"""What people ask of a payment: capture, cancel, update, delete, undelete, release.

Each is the same short story: fetch, check, ask the domain, save; where money moves, then a step.
A capture and a cancellation keep their request_id in the statement that does what they ask, so
that a repeated call finds its own work and is not told that the state forbids it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from chassis.values import Metadata, Reference, RequestId
from payment.domain.creation import fingerprint
from payment.domain.errors import (
    PaymentError,
    ProcessorUnavailable,
    ReferenceTaken,
    RefusedByProcessor,
    RequestIdReused,
    TryAgain,
)
from payment.domain.events import event_for
from payment.domain.evidence import Intent
from payment.domain.machine import apply
from payment.domain.payment import Payment
from payment.domain.values import Money, PaymentName
from payment.service_layer.ports import PaymentRepository, Processor, RequestRecord
from payment.service_layer.step import Steps

TRIES = 5
"""How often a change is tried that others keep overtaking."""


@dataclass(frozen=True, slots=True)
class PaymentChanges:
    """New values for what about a payment is no money; None leaves one as it is."""

    description: str | None = None
    metadata: Metadata | None = None
    reference: Reference | None = None
    clears_reference: bool = False


@dataclass(frozen=True, slots=True)
class ChangePayment:
    """The changes of a payment. One object serves all calls."""

    payments: PaymentRepository
    processor: Processor
    steps: Steps

    async def capture(
        self, name: PaymentName, request_id: RequestId, amount: Money | None, etag: str = ""
    ) -> Payment:
        """Take the money of an authorised payment, all of it or `amount`."""
        if amount is not None and not self.processor.supports_amount(amount):
            raise RefusedByProcessor("capture_amount", "amount_not_payable")
        asked = (str(amount.minor_units), amount.currency_code) if amount else ()
        content = fingerprint("capture", str(name), *asked)
        return await self._request(
            name, request_id, content, etag, lambda payment: payment.capture(amount)
        )

    async def cancel(self, name: PaymentName, request_id: RequestId, etag: str = "") -> Payment:
        """Call a payment off. Raises WrongState where the card was charged before."""
        content = fingerprint("cancel", str(name))
        payment = await self._request(name, request_id, content, etag, Payment.cancel)
        payment.check_canceled()
        return payment

    async def update(self, name: PaymentName, changes: PaymentChanges, etag: str = "") -> Payment:
        """Change what is no money. Raises ReferenceTaken, ReferenceSet, PaymentDeleted."""

        def change(payment: Payment) -> Payment:
            kept = payment.request
            reference = None if changes.clears_reference else kept.reference
            return payment.update(
                description=(
                    kept.description if changes.description is None else changes.description
                ),
                metadata=kept.metadata if changes.metadata is None else changes.metadata,
                reference=changes.reference or reference,
            )

        return await self._change(name, etag, change)

    async def delete(self, name: PaymentName, etag: str = "") -> Payment:
        """Delete a payment that ended without money; a deleted one is returned as it is."""
        seen = await self.payments.get(name.id)
        if seen.payment.delete_time is not None:
            return seen.payment
        return await self._change(name, etag, lambda payment: payment.delete(seen.now))

    async def undelete(self, name: PaymentName, etag: str = "") -> Payment:
        return await self._change(name, etag, Payment.undelete)

    async def release(self, name: PaymentName, note: str, etag: str = "") -> Payment:
        """Take a held payment up again, on what the processor says now. Where that still does not
        fit the payment, it is held anew. Raises ProcessorUnavailable: then it stays as it is.
        """
        seen = await self.payments.get(name.id)
        seen.payment.check_etag(etag)
        released = seen.payment.release()
        reply = await self.processor.retrieve(released.intent_id)
        if not isinstance(reply, Intent):
            raise ProcessorUnavailable
        after = apply(released, reply, seen.now, accepting=True)
        saved = await self.payments.save(seen.payment, after, event_for(seen.payment, after, note))
        if saved is None:
            raise TryAgain("the payment changed meanwhile")
        return await self.steps.attempt(saved.id)

    async def _request(
        self,
        name: PaymentName,
        request_id: RequestId,
        content: bytes,
        etag: str,
        ask: Callable[[Payment], Payment],
    ) -> Payment:
        """Do what a request with an id asks, once, then take the step that follows from it."""
        record = RequestRecord(request_id, content, name.id)
        for _ in range(TRIES):
            if found := await self.payments.find_request(request_id):
                if found != record:
                    raise RequestIdReused(str(request_id))
                return (await self.payments.get(name.id)).payment
            payment = (await self.payments.get(name.id)).payment
            try:
                payment.check_etag(etag)
                after = ask(payment)
            except PaymentError:
                # Read after the look-up: what stands in the way may be this request's own work.
                if await self.payments.find_request(request_id) is None:
                    raise
                continue
            what = event_for(payment, after)
            if await self.payments.save(payment, after, what, record) is not None:
                return await self.steps.attempt(name.id)
        raise TryAgain("the payment kept changing meanwhile")

    async def _change(
        self, name: PaymentName, etag: str, change: Callable[[Payment], Payment]
    ) -> Payment:
        """Change what is no money. A change that changes nothing writes nothing."""
        for _ in range(TRIES):
            payment = (await self.payments.get(name.id)).payment
            payment.check_etag(etag)
            after = change(payment)
            if after == payment:
                return payment
            await self._check_reference(payment, after)
            saved = await self.payments.save(payment, after, event_for(payment, after))
            if saved is not None:
                return saved
        raise TryAgain("the payment kept changing meanwhile")

    async def _check_reference(self, payment: Payment, after: Payment) -> None:
        reference = after.request.reference
        if reference is None or reference == payment.request.reference:
            return
        holder = (await self.payments.look_up(payment.request.request_id, reference)).same_reference
        if holder is not None and holder.id != payment.id:
            raise ReferenceTaken(str(reference), str(holder.name))
