"""The gRPC service around a baseline design: what both designs share."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
import stripe
from grpc import StatusCode, aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from oncepay.payment.v1.payment_pb2 import Money, Payment
from oncepay.payment.v1.payment_service_pb2 import CreatePaymentRequest, GetPaymentRequest
from oncepay.payment.v1.payment_service_pb2_grpc import (
    PaymentServiceServicer,
    add_PaymentServiceServicer_to_server,
)

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Context: TypeAlias = "aio.ServicerContext[Any, Payment]"
TIMEOUT_SECONDS = 20


class BaselineService(PaymentServiceServicer):
    """What both designs have. `create` is where they differ."""

    def __init__(self, pool: Pool, processor: stripe.StripeClient) -> None:
        self.pool = pool
        self.processor = processor

    async def create(self, request: CreatePaymentRequest, context: Context) -> asyncpg.Record:
        """The row of the payment."""
        raise NotImplementedError

    async def CreatePayment(  # noqa: N802 - gRPC's name
        self, request: CreatePaymentRequest, context: Context
    ) -> Payment:
        return payment_of(await self.create(request, context))

    async def GetPayment(  # noqa: N802 - gRPC's name
        self, request: GetPaymentRequest, context: Context
    ) -> Payment:
        name = request.name.removeprefix("payments/")
        row = await self.pool.fetchrow("SELECT * FROM payments WHERE id = $1", name)
        if row is None:
            await context.abort(StatusCode.NOT_FOUND, "there is no such payment")
        return payment_of(row)

    async def charge(
        self, request: CreatePaymentRequest, key: str | None = None
    ) -> stripe.PaymentIntent:
        """Take the money. Raises stripe.CardError where it is declined."""
        amount = request.payment.amount
        return await self.processor.v1.payment_intents.create_async(
            {
                "amount": amount.minor_units,
                "currency": amount.currency_code.lower(),
                "payment_method": request.payment.payment_method,
                "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
                "confirm": True,
                "metadata": {"request_id": request.request_id},
            },
            {"idempotency_key": key} if key else {},
        )


def payment_of(row: asyncpg.Record) -> Payment:
    """A row, as the contract shows it."""
    money = Money(currency_code=row["currency"], minor_units=row["amount"])
    payment = Payment(name=f"payments/{row['id']}", amount=money, reference=row["reference"])
    payment.state = Payment.State.Value(row["state"])
    if payment.state == Payment.SUCCEEDED:
        payment.amount_captured.CopyFrom(money)
    return payment


async def serve(
    design: Callable[[Pool, stripe.StripeClient], BaselineService],
    background: Callable[[Pool], Awaitable[None]] | None,
) -> None:
    """Until it is killed. `background` runs next to the calls."""
    pool = await asyncpg.create_pool(
        os.environ["DATABASE_URL"],
        password=Path(os.environ["DATABASE_PASSWORD_FILE"]).read_text().strip(),  # noqa: ASYNC240
        min_size=0,
        command_timeout=8,
    )
    processor = stripe.StripeClient(
        os.environ["STRIPE_API_KEY"],
        base_addresses={"api": os.environ["STRIPE_BASE_ADDRESS"]},
        http_client=stripe.AIOHTTPClient(timeout=TIMEOUT_SECONDS),
    )
    server = aio.server(options=(("grpc.so_reuseport", 0),))
    add_PaymentServiceServicer_to_server(design(pool, processor), server)
    healthy = health.aio.HealthServicer()
    await healthy.set("readiness", health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    server.add_insecure_port(os.environ["LISTEN_ADDRESS"])
    await server.start()
    if background is not None:
        await asyncio.gather(server.wait_for_termination(), background(pool))
    await server.wait_for_termination()
