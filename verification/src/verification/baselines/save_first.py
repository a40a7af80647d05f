"""Baseline: save first, then charge, and take a time-out for a failure, the design of many merchants.

Nothing is charged without a row, and a repeated request finds its row. The charge has no key of ours
(the library makes one for each try), and a processor that does not answer counts as a failure; so
does, after a minute, a payment that a crash has left in progress.
"""

import asyncio
from uuid import uuid4

import asyncpg
import stripe
from grpc import StatusCode
from oncepay.payment.v1.payment_service_pb2 import CreatePaymentRequest

from verification.baselines.service import BaselineService, Context, Pool

SAVE = """
INSERT INTO payments (id, request_id, reference, amount, currency, state)
VALUES ($1, $2, $3, $4, $5, 'PROCESSING') ON CONFLICT DO NOTHING RETURNING *
"""
END = "UPDATE payments SET state = $2, intent_id = $3 WHERE id = $1 RETURNING *"
EXPIRE = """
UPDATE payments SET state = 'FAILED'
 WHERE state = 'PROCESSING' AND create_time < now() - interval '60 seconds'
"""
INTERVAL_SECONDS = 10


class SaveFirst(BaselineService):
    """Save, charge, save again, answer."""

    async def create(
        self,
        request: CreatePaymentRequest,
        context: Context,
    ) -> asyncpg.Record:
        money, reference = request.payment.amount, request.payment.reference
        what = (request.request_id, reference, money.minor_units, money.currency_code)
        row = await self.pool.fetchrow(SAVE, uuid4(), *what)
        if row is None:
            return await self._known(request, context)
        state, intent_id = "SUCCEEDED", None
        try:
            intent_id = (await self.charge(request)).id
        except stripe.StripeError:  # declined, or no answer in time: the caller may try again
            state = "FAILED"
        ended = await self.pool.fetchrow(END, row["id"], state, intent_id)
        if ended is None:
            raise RuntimeError("a payment that was just saved is gone")
        return ended

    async def _known(
        self,
        request: CreatePaymentRequest,
        context: Context,
    ) -> asyncpg.Record:
        row = await self.pool.fetchrow(
            "SELECT * FROM payments WHERE request_id = $1", request.request_id
        )
        if row is None:
            await context.abort(StatusCode.ALREADY_EXISTS, "the reference is paid already")
        return row


async def expire_abandoned(pool: Pool) -> None:
    """Mark abandoned payments as failed, every few seconds, until the task is cancelled."""
    while True:
        await asyncio.sleep(INTERVAL_SECONDS)
        try:
            await pool.execute(EXPIRE)
        except (OSError, asyncpg.PostgresError, TimeoutError):
            continue  # the database is away: next time
