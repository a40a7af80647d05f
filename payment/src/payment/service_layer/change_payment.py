"""Changes of a payment: capture, cancel, update, delete, undelete, release.

Each is the same short story: fetch, check, ask the domain, save; then a step, where money moves. A
capture and a cancellation keep their request_id in the statement that does what they ask, so that a
repeated call finds its own work and is not told that the state forbids it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from chassis.aip.resources import Snapshot
from chassis.values import Metadata, Reference, RequestId
from payment.domain.errors import ProcessorUnavailable, ReferenceTaken, RefusedByProcessor, TryAgain
from payment.domain.events import event_for
from payment.domain.evidence import Intent
from payment.domain.machine import apply
from payment.domain.payment import Payment
from payment.domain.values import Money, PaymentName, RequestPart, fingerprint
from payment.service_layer.idempotent_requests import MAX_TRIES, IdempotentRequests
from payment.service_layer.payment_driver import PaymentDriver
from payment.service_layer.ports import Bulkhead, PaymentRepository, RequestRecord


@dataclass(frozen=True, slots=True)
class PaymentChanges:
    """New values for what moves no money; None leaves one as it is."""

    description: str | None = None
    metadata: Metadata | None = None
    reference: Reference | None = None
    clears_reference: bool = False


@dataclass(frozen=True, slots=True)
class ChangePayment:
    """Changes payments. One object serves all calls."""

    payments: PaymentRepository
    driver: PaymentDriver
    requests: IdempotentRequests
    bulkhead: Bulkhead

    async def capture(
        self, name: PaymentName, request_id: RequestId, amount: Money | None, etag: str = ""
    ) -> Payment:
        """Capture an authorized payment, all of it or `amount`."""
        if amount is not None and not self.driver.processor.supports_amount(amount):
            raise RefusedByProcessor(RequestPart.AMOUNT, "amount_not_payable", "capture")
        asked = (str(amount.minor_units), amount.currency_code) if amount else ()
        content = fingerprint("capture", str(name), *asked)
        return await self._execute_once(
            name, request_id, content, etag, lambda payment: payment.capture(amount)
        )

    async def cancel(self, name: PaymentName, request_id: RequestId, etag: str = "") -> Payment:
        """Cancel a payment.

        Raises:
            WrongState: the card was charged before.
        """
        content = fingerprint("cancel", str(name))
        payment = await self._execute_once(name, request_id, content, etag, Payment.cancel)
        payment.check_canceled()
        return payment

    async def update(self, name: PaymentName, changes: PaymentChanges, etag: str = "") -> Payment:
        """Change what moves no money.

        Raises:
            ReferenceTaken, ReferenceSet, PaymentDeleted.
        """

        def change(read: Snapshot[Payment]) -> Payment:
            kept = read.resource.request
            reference = None if changes.clears_reference else kept.reference
            return read.resource.update(
                description=(
                    kept.description if changes.description is None else changes.description
                ),
                metadata=kept.metadata if changes.metadata is None else changes.metadata,
                reference=changes.reference or reference,
            )

        return await self._change(name, etag, change)

    async def delete(self, name: PaymentName, etag: str = "") -> Payment:
        """Delete a payment that ended without money; a deleted one is returned as it is."""
        payment = (await self.payments.get(name.id)).resource
        if payment.delete_time is not None:
            return payment
        return await self._change(name, etag, lambda read: read.resource.delete(read.now))

    async def undelete(self, name: PaymentName, etag: str = "") -> Payment:
        """Bring a deleted payment back; another one is returned as it is."""
        return await self._change(name, etag, lambda read: read.resource.undelete())

    async def release(self, name: PaymentName, note: str, etag: str = "") -> Payment:
        """End the manual review of a held payment, on what the processor reports now. Where that still
        contradicts the payment, it is held again.

        Raises:
            ProcessorUnavailable: the payment stays as it is.
        """
        read = await self.payments.get(name.id)
        payment = read.resource
        payment.check_etag(etag)
        released = payment.release()
        async with self.bulkhead.slot() as is_free:
            reply = await self.driver.processor.retrieve(released.intent_id) if is_free else None
            if not isinstance(reply, Intent):
                raise ProcessorUnavailable
            after = apply(released, reply, read.now, accepting=True)
            saved = await self.payments.save(payment, after, event_for(payment, after, note))
            if saved is None:
                raise TryAgain("the payment changed meanwhile")
            return await self.driver.attempt(Snapshot(saved, saved.update_time))

    async def _execute_once(
        self,
        name: PaymentName,
        request_id: RequestId,
        content: bytes,
        etag: str,
        change: Callable[[Payment], Payment],
    ) -> Payment:
        """Save the change once for this request_id, then take the step that follows from it."""
        record = RequestRecord(request_id, content, name.id)

        async def write() -> Payment | None:
            payment = (await self.payments.get(name.id)).resource
            payment.check_etag(etag)
            after = change(payment)
            return await self.payments.save(payment, after, event_for(payment, after), record)

        saved = await self.requests.run_once(request_id, content, write)
        if isinstance(saved, RequestRecord):
            return (await self.payments.get(name.id)).resource
        read = Snapshot(saved, saved.update_time)
        async with self.bulkhead.slot() as is_free:
            return await (self.driver.attempt(read) if is_free else self.driver.leave(read))

    async def _change(
        self, name: PaymentName, etag: str, change: Callable[[Snapshot[Payment]], Payment]
    ) -> Payment:
        """Save a change that moves no money. One that changes nothing writes nothing."""
        for _ in range(MAX_TRIES):
            read = await self.payments.get(name.id)
            payment = read.resource
            payment.check_etag(etag)
            after = change(read)
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
        conflicts = await self.payments.find_conflicts(payment.request.request_id, reference)
        found = conflicts.same_reference
        if found is not None and found.id != payment.id:
            raise ReferenceTaken(str(reference), str(found.name))
