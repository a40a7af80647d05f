"""Creates a payment: the way from the request to its first answer.

    find conflicts, ask Customer -> create the intent, unconfirmed -> commit 1: the payment, with its
    intent -> confirm -> commit 2 -> answer

Before commit 1 a failure leaves at worst an unconfirmed intent, which moves no money. After it the
payment goes to its final state, whatever becomes of the caller.
"""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

from chassis.aip.resources import Snapshot
from payment.domain.creation import (
    CreationAttempt,
    CreationFailed,
    DuplicateRequest,
    OwnRow,
    build_payment,
    resolve_conflict,
)
from payment.domain.errors import (
    InvariantViolation,
    PaymentError,
    ProcessorUnavailable,
    ReferenceTaken,
    RequestIdReused,
    TryAgain,
)
from payment.domain.evidence import IntentStatus
from payment.domain.machine import Operation, Post
from payment.domain.payment import Payment, PaymentRequest
from payment.service_layer.alerts import Alert
from payment.service_layer.payment_driver import PaymentDriver
from payment.service_layer.ports import (
    Bulkhead,
    Caller,
    CommitUnknown,
    Customers,
    Elapsed,
    NewId,
    PaymentRepository,
)

First = TypeVar("First")
Second = TypeVar("Second")

MAX_INSERTS = 3
"""How often the insert is sent. A row that was not yet visible is visible to one more (measured)."""
CONFIRM_WITHIN = 10.0
"""Seconds from sending the insert, after which the new payment is not confirmed without asking first:
a commit can hang far longer than a statement may, and recovery may have worked on it.
"""


@dataclass(frozen=True, slots=True)
class CreatePayment:
    """Creates payments. One object serves all calls; it holds no state of any."""

    payments: PaymentRepository
    customers: Customers
    driver: PaymentDriver
    bulkhead: Bulkhead
    new_id: NewId
    elapsed: Elapsed
    installation: str

    async def __call__(self, request: PaymentRequest, caller: Caller) -> Payment:
        """The payment in the state it has reached.

        Raises:
            PaymentError: there is none, or its outcome is unknown (the class says which).
        """
        conflicts, customer = await both(
            self.payments.find_conflicts(request.request_id, request.reference),
            self.customers.find(request.customer),
        )
        if conflicts.same_request is not None:
            return same(conflicts.same_request, request)
        if conflicts.request_id_is_used:
            raise RequestIdReused(str(request.request_id))
        if found := conflicts.same_reference:
            raise ReferenceTaken(str(request.reference), str(found.name))
        attempt = CreationAttempt(self.new_id(), request, customer.etag, conflicts.now)
        try:
            customer.check_may_pay(request.customer)
        except PaymentError as error:
            return await self._created_by_another(request, error)
        async with self.bulkhead.slot() as is_free:
            if not is_free:
                return await self._created_by_another(request, ProcessorUnavailable())
            return await self._execute(attempt, caller)

    async def _execute(self, attempt: CreationAttempt, caller: Caller) -> Payment:
        """Create the intent and, with it, the payment."""
        reply = await self.driver.processor.create(attempt)
        try:
            payment = build_payment(attempt, reply, self.installation)
        except PaymentError as error:
            return await self._created_by_another(attempt.request, error)
        if caller.is_gone():
            await self._cancel_orphan(payment)
            raise TryAgain("the caller left before the payment was recorded")
        return await self._record(payment, attempt, caller)

    async def _record(self, payment: Payment, attempt: CreationAttempt, caller: Caller) -> Payment:
        """Commit 1, and what follows from its answer. An insert without an answer is settled by
        sending it again, never by a look-up: that would not see a copy that is still running.
        """
        request, ambiguous = payment.request, False
        sent_at = self.elapsed()
        for _ in range(MAX_INSERTS):
            try:
                row = await self.payments.insert(payment, attempt.insert_by)
            except CommitUnknown:
                ambiguous = True
                continue
            if row is not None:
                caller.on_created(row)
                return await self._confirm(Snapshot(row, row.create_time), sent_at)
            conflicts = await self.payments.find_conflicts(
                request.request_id, request.reference, payment.id
            )
            # In the remaining case, RetryInsert, the insert is sent again.
            match resolve_conflict(payment, conflicts, attempt.insert_by, ambiguous=ambiguous):
                case OwnRow(own):
                    caller.on_created(own)
                    return await self.driver.attempt(Snapshot(own, conflicts.now))
                case DuplicateRequest(other):
                    await self._cancel_orphan(payment)
                    return other
                case CreationFailed(error):
                    if not ambiguous or conflicts.same_request is not None:
                        await self._cancel_orphan(payment)
                    raise self._reported(error)
        if ambiguous:
            raise TryAgain("the database did not say whether the payment was recorded")
        words = "a new payment could not be recorded, and nothing conflicts with it"
        raise self._reported(InvariantViolation(words))

    async def _confirm(self, read: Snapshot[Payment], sent_at: float) -> Payment:
        """The first step: its intent requires confirmation, since it was created just now."""
        if self.elapsed() - sent_at > CONFIRM_WITHIN:
            return await self.driver.attempt(await self.payments.get(read.resource.id))
        status = IntentStatus.REQUIRES_CONFIRMATION
        return await self.driver.end(await self.driver.call(read, status, idempotency_counter=0))

    async def _created_by_another(self, request: PaymentRequest, error: PaymentError) -> Payment:
        """A concurrent attempt may have succeeded: look the request up again before raising."""
        conflicts = await self.payments.find_conflicts(request.request_id)
        if conflicts.same_request is not None:
            return same(conflicts.same_request, request)
        raise self._reported(error)

    async def _cancel_orphan(self, payment: Payment) -> None:
        """Cancel an intent that no payment will ever be bound to, whatever the answer: left alone it
        moves no money either.
        """
        await self.driver.processor.post(payment, Post(Operation.CANCEL, idempotency_counter=0))

    def _reported(self, error: PaymentError) -> PaymentError:
        if isinstance(error, InvariantViolation):
            self.driver.alert(Alert.INVARIANT_VIOLATED, "", error.what)
        return error


def same(payment: Payment, request: PaymentRequest) -> Payment:
    """The payment of a request that came before, if its content was the same.

    Raises:
        RequestIdReused.
    """
    if payment.fingerprint != request.fingerprint:
        raise RequestIdReused(str(request.request_id))
    return payment


async def both(first: Awaitable[First], second: Awaitable[Second]) -> tuple[First, Second]:
    """Waits for two independent calls at once."""
    return await asyncio.gather(first, second)
