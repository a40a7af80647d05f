"""Creates a refund: reserve the amount in one commit, then post it."""

from dataclasses import dataclass

from chassis.aip.resources import Snapshot
from payment.domain.errors import RefusedByProcessor
from payment.domain.payment import Payment
from payment.domain.refund import Refund, RefundRequest, refundable
from payment.domain.values import RequestPart
from payment.service_layer.idempotent_requests import IdempotentRequests
from payment.service_layer.ports import (
    Bulkhead,
    NewId,
    PaymentRepository,
    RequestRecord,
)
from payment.service_layer.refund_driver import RefundDriver


@dataclass(frozen=True, slots=True)
class CreateRefund:
    """Creates refunds. One object serves all calls."""

    payments: PaymentRepository
    driver: RefundDriver
    requests: IdempotentRequests
    bulkhead: Bulkhead
    new_id: NewId

    async def __call__(self, request: RefundRequest) -> Refund:
        """The refund in the state it has reached.

        Raises:
            PaymentNotFound, WrongState, PaymentHeld, AmountTooLarge, RefusedByProcessor,
            RequestIdReused, TryAgain.
        """
        if request.amount is not None and not self.driver.processor.supports_amount(request.amount):
            raise RefusedByProcessor(RequestPart.AMOUNT, "amount_not_payable", "refund")
        sent_at = 0.0

        async def reserve() -> Refund | None:
            nonlocal sent_at
            refund = self._new_refund(await self.payments.get(request.payment.id), request)
            record = RequestRecord(
                request.request_id, request.fingerprint, refund.payment_id, refund.id
            )
            sent_at = self.driver.elapsed()
            return await self.driver.repository.insert(refund, record)

        inserted = await self.requests.run_once(request.request_id, request.fingerprint, reserve)
        if isinstance(inserted, RequestRecord):
            assert inserted.refund_id is not None, "the fingerprint is a refund's"  # noqa: S101
            return await self.driver.repository.get(inserted.payment_id, inserted.refund_id)
        read = Snapshot(inserted, inserted.create_time)
        async with self.bulkhead.slot() as is_free:
            if not is_free:
                return await self.driver.leave(read)
            return await self.driver.end(await self.driver.step(read, not_listed_at=sent_at))

    def _new_refund(self, read: Snapshot[Payment], request: RefundRequest) -> Refund:
        payment = read.resource
        return Refund(
            id=self.new_id(),
            payment_id=payment.id,
            intent_id=payment.intent_id,
            amount=refundable(payment, request.amount),
            currency_code=payment.request.amount.currency_code,
            reason=request.reason,
            create_time=read.now,
            update_time=read.now,
        )
