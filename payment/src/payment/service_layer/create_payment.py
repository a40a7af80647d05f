"""The way of a payment, from the request to its first answer.

    look up, ask Customer -> create the intent, unconfirmed -> commit 1: the row, build_payment with its
    intent -> confirm -> commit 2 -> answer

Before commit 1 a failure leaves at worst an unconfirmed intent, which moves no money. After it
the payment goes to its end, whatever becomes of the caller.
"""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

from payment.domain.creation import (
    CreationAttempt,
    CreationFailed,
    DuplicateRequest,
    OwnRow,
    after_conflict,
    build_payment,
    fingerprint_of,
)
from payment.domain.errors import (
    InvariantViolation,
    PaymentError,
    ReferenceTaken,
    RequestIdReused,
    TryAgain,
)
from payment.domain.evidence import IntentStatus
from payment.domain.machine import Operation, Post
from payment.domain.payment import Payment, PaymentRequest
from payment.service_layer.ports import (
    Alarms,
    Caller,
    CommitUnknown,
    Customers,
    Elapsed,
    NewId,
    PaymentRepository,
    Processor,
    Snapshot,
)
from payment.service_layer.step import Steps

One = TypeVar("One")
Other = TypeVar("Other")

INSERTS = 3
"""How often the insert is sent: the visibility hole closes after one more (measured)."""
CONFIRM_WITHIN = 10.0
"""Seconds from sending the insert, after which the fresh row is no longer ours to confirm blindly:
a commit can hang far longer than a statement may, and recovery may have been there.
"""


@dataclass(frozen=True, slots=True)
class CreatePayment:
    """Executes a payment. One object serves all calls; it holds no state of any."""

    payments: PaymentRepository
    customers: Customers
    processor: Processor
    steps: Steps
    alarm: Alarms
    new_id: NewId
    elapsed: Elapsed
    installation: str

    async def __call__(self, request: PaymentRequest, caller: Caller) -> Payment:
        """The payment in the state it has reached. Raises a PaymentError where there is none."""
        holders, standing = await side_by_side(
            self.payments.look_up(request.request_id, request.reference),
            self.customers.standing(request.customer),
        )
        if holders.same_request is not None:
            return same(holders.same_request, request)
        if holders.is_used:
            raise RequestIdReused(str(request.request_id))
        if holders.same_reference is not None:
            raise ReferenceTaken(str(request.reference), str(holders.same_reference.name))
        try:
            standing.require_may_pay(request.customer)
        except PaymentError as error:
            return await self._made_by_another(request, error)
        attempt = CreationAttempt(self.new_id(), request, standing.etag, holders.now)
        reply = await self.processor.create(attempt)
        try:
            payment = build_payment(attempt, reply, self.installation)
        except PaymentError as error:
            return await self._made_by_another(request, error)
        if caller.is_gone():
            await self._cancel_orphan(payment)
            raise TryAgain("the caller left before the payment was recorded")
        return await self._record(payment, attempt, caller)

    async def _record(self, payment: Payment, attempt: CreationAttempt, caller: Caller) -> Payment:
        """Commit 1, and what follows from its answer. An insert without an answer is settled by
        sending it again, never by a look-up: that would not see a copy still under way.
        """
        ambiguous = False
        sent_at = self.elapsed()
        for _ in range(INSERTS):
            try:
                row = await self.payments.insert(payment, attempt.insert_by)
            except CommitUnknown:
                ambiguous = True
                continue
            if row is not None:
                caller.build_payment(row)
                return await self._confirm(Snapshot(row, attempt.now), sent_at)
            holders = await self.payments.holders(payment)
            # Neither of these: nobody is to be seen yet, so the insert is sent again.
            match after_conflict(payment, holders, attempt.insert_by, ambiguous=ambiguous):
                case OwnRow(own):
                    caller.build_payment(own)
                    return await self.steps.attempt(own.id)
                case DuplicateRequest(other):
                    await self._cancel_orphan(payment)
                    return other
                case CreationFailed(error):
                    if not ambiguous or holders.same_request is not None:
                        await self._cancel_orphan(payment)
                    raise self._told(error)
        if ambiguous:
            raise TryAgain("the database did not say whether the payment was recorded")
        raise self._told(
            InvariantViolation("a new payment could not be recorded, and nothing holds it")
        )

    async def _confirm(self, seen: Snapshot, sent_at: float) -> Payment:
        """The handler's own step: the intent is known to require confirmation, if that was just
        now.
        """
        if self.elapsed() - sent_at > CONFIRM_WITHIN:
            return await self.steps.attempt(seen.payment.id)
        stepped = await self.steps.call(
            seen, IntentStatus.REQUIRES_CONFIRMATION, idempotency_counter=0
        )
        return await self.steps.rest(stepped, attempt=1)

    async def _made_by_another(self, request: PaymentRequest, error: PaymentError) -> Payment:
        """An error speaks for its attempt only: another one may have made the payment."""
        holders = await self.payments.look_up(request.request_id, None)
        if holders.same_request is not None:
            return same(holders.same_request, request)
        raise self._told(error)

    async def _cancel_orphan(self, payment: Payment) -> None:
        """Tidy up an intent that no row will ever be bound to. A courtesy, whatever the answer:
        left alone it moves no money.
        """
        await self.processor.post(payment, Post(Operation.CANCEL, idempotency_counter=0))

    def _told(self, error: PaymentError) -> PaymentError:
        if isinstance(error, InvariantViolation):
            self.alarm("rule_broken", "", error.what)
        return error


def same(payment: Payment, request: PaymentRequest) -> Payment:
    """The payment of a request that came before, if it said the same. Raises RequestIdReused."""
    if payment.fingerprint != fingerprint_of(request):
        raise RequestIdReused(str(request.request_id))
    return payment


async def side_by_side(one: Awaitable[One], other: Awaitable[Other]) -> tuple[One, Other]:
    """Waits for both at once: neither depends on the other."""
    return await asyncio.gather(one, other)
