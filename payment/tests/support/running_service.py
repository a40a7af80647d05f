"""The service as `python -m payment` composes it, in this process: over gRPC, on PostgreSQL, with the
sandbox over HTTP and a stub of the Customer service.
"""

import asyncio
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
from support.customer_service import CustomerServiceStub
from support.waiting import LONG_SECONDS
from support.webhook_sender import SECRET

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

FINAL_STATES = {pb.Payment.SUCCEEDED, pb.Payment.FAILED, pb.Payment.CANCELED}
ALL_PAYMENTS = "payments/-"


class CallError:
    """The status of a failed call with its details, as a client reads it."""

    def __init__(self, error: aio.AioRpcError) -> None:
        status = rpc_status.from_call(error)  # type: ignore[arg-type]
        assert status is not None, "every error has a status with details"
        self.code = error.code()
        self.message = status.message
        self.info = details.ErrorInfo()
        self.resource = details.ResourceInfo()
        bad_request, self.retry = details.BadRequest(), details.RetryInfo()
        for detail in status.details:
            for message in (self.info, self.resource, bad_request, self.retry):
                detail.Unpack(message)
        self.fields = [(each.field, each.reason) for each in bad_request.field_violations]
        assert self.info.domain == "oncepay.payment"

    @property
    def may_be_repeated(self) -> bool:
        return bool(self.retry.retry_delay.seconds)


async def error_of(call: Awaitable[object]) -> CallError:
    """The error of a call that fails."""
    with pytest.raises(aio.AioRpcError) as error:
        await call
    return CallError(error.value)


async def code_and_reason(call: Awaitable[object]) -> tuple[StatusCode, str]:
    """The code of a call that fails, and the reason of its ErrorInfo."""
    error = await error_of(call)
    return error.code, error.info.reason


@dataclass
class RunningService:
    """The service, a client of it, and the services that it calls.

    Attributes:
        stub: the client.
        customers: the Customer service.
        faults: what goes wrong at the processor.
        serving: the task that ends when the service stops.
        customer: one who may pay.
        database: that of the fixture payment_database.
    """

    stub: Any
    customers: CustomerServiceStub
    faults: Faults
    processor_address: str
    serving: asyncio.Task[None]
    customer: CustomerName
    database: Any

    # ------------------------------------------------------------ calls

    def create_request(
        self, request_id: str = "", **fields: Any
    ) -> service_pb.CreatePaymentRequest:
        """A request to pay EUR 10 with a good card, with a request_id of its own."""
        payment: dict[str, Any] = {
            "customer": str(self.customer),
            "amount": pb.Money(minor_units=1000, currency_code="EUR"),
            "payment_method": "pm_card_visa",
        }
        return service_pb.CreatePaymentRequest(
            payment=pb.Payment(**payment | fields), request_id=request_id or str(uuid4())
        )

    async def pay(self, **fields: Any) -> pb.Payment:
        payment: pb.Payment = await self.stub.CreatePayment(self.create_request(**fields))
        return payment

    async def get(self, payment: pb.Payment) -> pb.Payment:
        current: pb.Payment = await self.stub.GetPayment(
            service_pb.GetPaymentRequest(name=payment.name)
        )
        return current

    async def wait_for_state(
        self, payment: pb.Payment, *states: pb.Payment.State.ValueType
    ) -> pb.Payment:
        """The payment once it is in one of these states; without any, in a final one."""
        watching = self.watch(payment.name)
        async for response in watching:
            if response.payment_event.state in (states or FINAL_STATES):
                break
        watching.cancel()
        return await self.get(payment)

    def watch(self, parent: str = ALL_PAYMENTS, cursor: str = "") -> Any:
        """The stream of events, until it is canceled."""
        request = service_pb.WatchPaymentEventsRequest(parent=parent, cursor=cursor)
        return self.stub.WatchPaymentEvents(request, timeout=LONG_SECONDS)

    async def first_events(
        self, count: int, parent: str = ALL_PAYMENTS, cursor: str = ""
    ) -> list[pb.PaymentEvent]:
        """So many events of the stream after a cursor."""
        watching = self.watch(parent, cursor)
        events = [(await watching.read()).payment_event for _ in range(count)]
        watching.cancel()
        return events

    async def event_types(self, payment: pb.Payment) -> list[str]:
        request = service_pb.ListPaymentEventsRequest(parent=payment.name, page_size=1000)
        response = await self.stub.ListPaymentEvents(request)
        return [event.type for event in response.payment_events]

    # ------------------------------------------------------------ around the service

    async def query(self, statement: str, payment: pb.Payment | None = None) -> Any:
        """Run a statement as the database's superuser, with the payment's id as $1. Returns the first
        value.
        """
        connection = await asyncpg.connect(self.database.superuser_url)
        try:
            ids = [payment.name.removeprefix("payments/")] if payment else []
            return await connection.fetchval(statement, *ids)
        finally:
            await connection.close()

    async def make_due(self, payment: pb.Payment) -> None:
        """Let recovery attempt the payment now."""
        await self.query("UPDATE payments SET due_time = now() WHERE id = $1", payment)

    def plan_fault(self, kind: Kind, match: str, **options: Any) -> None:
        """Plan what goes wrong at the processor: once, unless `times` says otherwise."""
        self.faults.plan(Fault(kind, match, **options))


@asynccontextmanager
async def running_service(
    database: Any,
    address: str,
    folder: Path,
    drain_seconds: float = 0,
    webhooks: str = "",
    **settings: Any,
) -> AsyncIterator[RunningService]:
    """Run the service until the block ends.

    Args:
        database: an empty one.
        folder: where the processor keeps its data.
        webhooks: the address to which the processor sends webhooks; it sends none where this is empty.
    """
    customers, faults = CustomerServiceStub(), Faults()
    customer = CustomerName(uuid7())
    customers.add(customer)
    sandbox = Sandbox(folder, Rules(), webhooks=bool(webhooks))
    runner, processor_address = await listening(application(sandbox, faults), "127.0.0.1", 0)
    sender = Webhooks(
        sandbox, faults, f"http://{webhooks}/webhooks/stripe", [SECRET], processor_address
    )
    if webhooks:
        secret = Secret(SECRET)
        settings |= {"webhook_listen_address": webhooks, "stripe_webhook_secret": secret}
    async with customers.serve():
        serving = asyncio.create_task(
            serve(
                Settings(
                    listen_address=address,
                    database_url=database.url,
                    database_password=Secret(database.password),
                    customer_target=f"ipv4:{customers.address}",
                    stripe_api_key=Secret("sk_test_any"),
                    stripe_base_address=processor_address,
                    drain_seconds=drain_seconds,
                    **settings,
                )
            )
        )
        sending = asyncio.create_task(sender.run() if webhooks else asyncio.sleep(0))
        try:
            async with aio.insecure_channel(address) as channel:
                await wait_until_ready(channel)
                stub = PaymentServiceStub(channel)
                yield RunningService(
                    stub, customers, faults, processor_address, serving, customer, database
                )
        finally:
            for task in (serving, sending):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            await runner.cleanup()
            await sandbox.close()


async def wait_until_ready(channel: aio.Channel) -> None:
    request = health_pb2.HealthCheckRequest(service="readiness")
    stub: Any = health_pb2_grpc.HealthStub(channel)
    async for health in stub.Watch(request, wait_for_ready=True, timeout=LONG_SECONDS):
        if health.status == health_pb2.HealthCheckResponse.SERVING:
            return
