"""Baseline: charge first, save after, the design of most tutorials at its best.

The request_id is the processor's idempotency key, so a repetition is charged once for as long as
the processor keeps the key. What it lacks: a record of its own of what it has asked for.
"""

from uuid import uuid4

import asyncpg
import stripe
from grpc import StatusCode
from oncepay.payment.v1.payment_service_pb2 import CreatePaymentRequest

from verification.baselines.service import BaselineService, Context

KNOWN = """
SELECT * FROM payments
 WHERE request_id = $1 OR reference <> '' AND reference = $2 AND state <> 'FAILED'
 ORDER BY request_id = $1 DESC LIMIT 1
"""
SAVE = """
INSERT INTO payments (id, request_id, reference, amount, currency, state, intent_id)
VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING *
"""


class ChargeFirst(BaselineService):
    """Look it up, charge, save, answer."""

    async def create(
        self,
        request: CreatePaymentRequest,
        context: Context,
    ) -> asyncpg.Record:
        known = await self._known(request)
        if known is not None:
            if str(known["request_id"]) != request.request_id:
                await context.abort(StatusCode.ALREADY_EXISTS, "the reference is paid already")
            return known
        state, intent_id = "SUCCEEDED", None
        try:
            intent_id = (await self.charge(request, key=request.request_id)).id
        except stripe.CardError:
            state = "FAILED"
        except stripe.StripeError:
            await context.abort(StatusCode.UNAVAILABLE, "the processor does not answer, try again")
        return await self._save(request, state, intent_id)

    async def _known(self, request: CreatePaymentRequest) -> asyncpg.Record | None:
        return await self.pool.fetchrow(KNOWN, request.request_id, request.payment.reference)

    async def _save(
        self, request: CreatePaymentRequest, state: str, intent_id: str | None
    ) -> asyncpg.Record:
        money, reference = request.payment.amount, request.payment.reference
        what = (money.minor_units, money.currency_code, state, intent_id)
        try:
            saved = await self.pool.fetchrow(SAVE, uuid4(), request.request_id, reference, *what)
        except asyncpg.UniqueViolationError:
            saved = await self._known(request)  # the same request, at the same time
        if saved is None:
            raise RuntimeError("a payment that was just there is gone")
        return saved
