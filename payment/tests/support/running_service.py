"""Payment as `python -m payment` composes it: over gRPC, on PostgreSQL, with the sandbox over HTTP
and a Customer service that says what a test wants.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from google.rpc import error_details_pb2 as details
from grpc import StatusCode, aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status
from oncepay.payment.v1 import payment_pb2 as pb
from oncepay.payment.v1 import payment_service_pb2 as service_pb
from oncepay.payment.v1.payment_service_pb2_grpc import PaymentServiceStub
from support.customer_service import CustomerStub

from chassis.identifiers import uuid7
from chassis.settings import Secret
from payment.__main__ import serve
from payment.domain.values import CustomerName
from payment.settings import Settings
from sandbox.application import application, listening
from sandbox.faults import Fault, Faults, Kind
from sandbox.sandbox import Sandbox
from sandbox.webhooks import Webhooks
from sandbox.world import Rules

FINAL = {pb.Payment.SUCCEEDED, pb.Payment.FAILED, pb.Payment.CANCELED}
WEBHOOK_SECRET = "whsec_of_a_test_and_long_enough"
_numbers = itertools.count(1)


class Rejection:
    """A refusal as a client reads it."""

    def __init__(self, error: aio.AioRpcError) -> None:
        status = rpc_status.from_call(error)  # type: ignore[arg-type]
        assert status is not None, "every refusal has a status with details"
        self.code = error.code()
        self.message = status.message
        self.info = details.ErrorInfo()
        self.resource = details.ResourceInfo()
        bad, self.retry = details.BadRequest(), details.RetryInfo()
        for each in status.details:
            for kind in (self.info, self.resource, bad, self.retry):
                each.Unpack(kind)
        self.fields = [(each.field, each.reason) for each in bad.field_violations]
        assert self.info.domain == "oncepay.payment"

    @property
    def is_worth_repeating(self) -> bool:
        return bool(self.retry.retry_delay.seconds)


async def refusal(call: Awaitable[object]) -> Rejection:
    with pytest.raises(aio.AioRpcError) as error:
        await call
    return Rejection(error.value)


async def refused(call: Awaitable[object]) -> tuple[StatusCode, str]:
    """The code and the reason."""
    error = await refusal(call)
    return error.code, error.info.reason


@dataclass
class RunningService:
    """The service, and the world around it.

    Attributes:
        stub: a client; see the contract.
        alice: a customer who may pay.
        database: see the fixture payment_database.
    """

    stub: Any
    customers: CustomerStub
    faults: Faults
    processor_address: str
    serving: asyncio.Task[None]
    alice: CustomerName
    database: Any

    def creation(self, request_id: str = "", **said: Any) -> service_pb.CreatePaymentRequest:
        """A request for EUR 10 by a good card; each with an id of its own."""
        payment: dict[str, Any] = {
            "customer": str(self.alice),
            "amount": pb.Money(minor_units=1000, currency_code="EUR"),
            "payment_method": "pm_card_visa",
        }
        return service_pb.CreatePaymentRequest(
            payment=pb.Payment(**payment | said), request_id=request_id or str(uuid4())
        )

    async def pay(self, **said: Any) -> pb.Payment:
        payment: pb.Payment = await self.stub.CreatePayment(self.creation(**said))
        return payment

    async def get(self, payment: pb.Payment) -> pb.Payment:
        found: pb.Payment = await self.stub.GetPayment(
            service_pb.GetPaymentRequest(name=payment.name)
        )
        return found

    async def seen(self, payment: pb.Payment, *states: pb.Payment.State.ValueType) -> pb.Payment:
        """The payment once it is in one of these states (a final one, where none is named)."""
        watching = self.stub.WatchPaymentEvents(
            service_pb.WatchPaymentEventsRequest(parent=payment.name), timeout=30
        )
        async for each in watching:
            if each.payment_event.state in (states or FINAL):
                break
        watching.cancel()
        return await self.get(payment)

    async def behind_its_back(self, statement: str, payment: pb.Payment) -> None:
        """Runs a statement about the payment $1 as the database's superuser."""
        connection = await asyncpg.connect(self.database.superuser_url)
        await connection.execute(statement, payment.name.removeprefix("payments/"))
        await connection.close()

    async def look_now(self, payment: pb.Payment) -> None:
        """Lets recovery take the payment up at once, and not when it is due."""
        await self.behind_its_back("UPDATE payments SET due_time = now() WHERE id = $1", payment)

    async def event_types(self, payment: pb.Payment) -> list[str]:
        found = await self.stub.ListPaymentEvents(
            service_pb.ListPaymentEventsRequest(parent=payment.name, page_size=1000)
        )
        return [event.type for event in found.payment_events]

    def plan(self, kind: Kind, match: str, **said: Any) -> None:
        """What goes wrong at the processor: once, unless it is said otherwise."""
        self.faults.plan(Fault(kind, match, **said))


@asynccontextmanager
async def running_service(
    database: Any,
    address: str,
    folder: Path,
    drain_seconds: float = 0,
    webhooks: str = "",
    **more: Any,
) -> AsyncIterator[RunningService]:
    """The whole service on a fresh database, with `more` settings; all of it is gone at the end.

    Args:
        webhooks: where the processor tells the service what happens; it does not, where empty.
    """
    customers, faults = CustomerStub(), Faults()
    alice = CustomerName(uuid7())
    customers.keep(alice)
    sandbox = Sandbox(folder, Rules(), webhooks=bool(webhooks))
    runner, processor_address = await listening(application(sandbox, faults), "127.0.0.1", 0)
    telling = Webhooks(
        sandbox, faults, f"http://{webhooks}/webhooks/stripe", [WEBHOOK_SECRET], processor_address
    )
    if webhooks:
        more |= {
            "webhook_listen_address": webhooks,
            "stripe_webhook_secret": Secret(WEBHOOK_SECRET),
        }
    async with customers.serve():
        settings = Settings(
            listen_address=address,
            database_url=database.url,
            database_password=Secret(database.password),
            customer_target=f"ipv4:{customers.address}",
            stripe_api_key=Secret("sk_test_any"),
            stripe_base_address=processor_address,
            drain_seconds=drain_seconds,
            **more,
        )
        serving = asyncio.create_task(serve(settings))
        told = asyncio.create_task(telling.run() if webhooks else asyncio.sleep(0))
        try:
            async with aio.insecure_channel(address) as channel:
                await ready(channel)
                stub = PaymentServiceStub(channel)
                yield RunningService(
                    stub, customers, faults, processor_address, serving, alice, database
                )
        finally:
            serving.cancel()
            told.cancel()
            for each in (serving, told):
                with suppress(asyncio.CancelledError):
                    await each
            await runner.cleanup()
            await sandbox.close()


async def ready(channel: aio.Channel) -> None:
    request = health_pb2.HealthCheckRequest(service="readiness")
    stub: Any = health_pb2_grpc.HealthStub(channel)
    watching = stub.Watch(request, wait_for_ready=True, timeout=30)
    async for health in watching:
        if health.status == health_pb2.HealthCheckResponse.SERVING:
            return
