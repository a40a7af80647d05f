"""Work whose caller leaves, by its deadline or by canceling, over gRPC."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from grpc import StatusCode, aio
from oncepay.payment.v1 import payment_pb2 as pb
from oncepay.payment.v1 import payment_service_pb2 as service_pb
from oncepay.payment.v1.payment_service_pb2_grpc import (
    PaymentServiceStub,
    add_PaymentServiceServicer_to_server,
)
from support.examples import REQUEST, a_payment
from support.waiting import LONG_SECONDS, until

from chassis import call
from chassis.aip.pages import PageTokens
from chassis.server import Server
from payment.api import background_tasks as module
from payment.api.background_tasks import BackgroundTasks
from payment.api.errors import DOMAIN, translate
from payment.api.servicer import PaymentServicer
from payment.domain.errors import ReferenceTaken
from payment.domain.payment import Payment, PaymentRequest, State
from payment.service_layer.ports import Caller

CREATE_REQUEST = service_pb.CreatePaymentRequest(
    payment=pb.Payment(
        customer=str(REQUEST.customer),
        amount=pb.Money(minor_units=1000, currency_code="EUR"),
        payment_method="pm_card_visa",
    ),
    request_id=str(REQUEST.request_id),
)
CAPTURE_REQUEST = service_pb.CapturePaymentRequest(
    name=str(a_payment().name), request_id=str(REQUEST.request_id)
)


@dataclass
class SlowUseCases:
    """CreatePayment and a capture that go on only when a test lets them.

    Attributes:
        records_payment: whether CreatePayment records a payment before it goes on.
        error: what they raise in the end.
    """

    records_payment: bool = True
    error: Exception | None = None
    may_record: asyncio.Event = field(default_factory=asyncio.Event)
    may_end: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    caller: Caller | None = None
    call_id: str | None = None
    remaining_seconds: float = 0
    was_canceled: bool = False

    async def create_payment(self, _request: PaymentRequest, caller: Caller) -> Payment:
        self.caller, self.call_id = caller, call.call_id()
        self.remaining_seconds = call.remaining(60)
        await self.may_record.wait()
        if self.records_payment:
            caller.on_created(a_payment(State.CONFIRMING))
        return await self.capture()

    async def capture(self, *_: object) -> Payment:
        self.waiting.set()
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.was_canceled = True
            raise
        finally:
            self.ended.set()
        if self.error:
            raise self.error
        return a_payment(State.SUCCEEDED)


@dataclass
class Service:
    """A server of these use cases, and a client of it."""

    use_cases: SlowUseCases
    background_tasks: BackgroundTasks
    stub: Any

    async def caller_is_gone(self) -> None:
        """Return when the service has noticed that its caller left."""
        caller = self.use_cases.caller
        assert caller is not None
        await until(caller.is_gone)

    async def work_goes_on(self) -> None:
        """The work of a caller that left ends by itself, and is not canceled."""
        assert not self.use_cases.ended.is_set()
        self.use_cases.may_end.set()
        await self.use_cases.ended.wait()
        assert not self.use_cases.was_canceled


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    use_cases, background_tasks = SlowUseCases(), BackgroundTasks()
    use_cases.may_record.set()
    unused: Any = None
    servicer = PaymentServicer(
        payments=unused,
        refunds=unused,
        create_payment=cast("Any", use_cases.create_payment),
        change_payment=cast("Any", use_cases),
        create_refund=unused,
        read_events=unused,
        background_tasks=background_tasks,
        tokens=PageTokens(bytes(32)),
    )
    server = Server(
        listen="127.0.0.1:0",
        names=["oncepay.payment.v1.PaymentService"],
        domain=DOMAIN,
        translate=translate,
        drain_seconds=0,
    )
    async with server, aio.insecure_channel(server.address) as channel:
        server.add(add_PaymentServiceServicer_to_server, servicer)
        yield Service(use_cases, background_tasks, PaymentServiceStub(channel))
        use_cases.may_record.set()
        use_cases.may_end.set()
        await background_tasks.drain(LONG_SECONDS)


async def code_of(call: Awaitable[object]) -> StatusCode:
    """The code of a call that fails."""
    with pytest.raises(aio.AioRpcError) as error:
        await call
    return error.value.code()


# ---------------------------------------------------------------- deadlines


async def test_a_caller_with_time_gets_the_final_payment(service: Service) -> None:
    service.use_cases.may_end.set()
    payment = await service.stub.CreatePayment(CREATE_REQUEST, timeout=LONG_SECONDS)
    assert payment.state == pb.Payment.SUCCEEDED


@pytest.mark.usefixtures("answers_callers_at_once")
async def test_a_caller_whose_deadline_is_near_gets_the_payment_as_it_was_recorded(
    service: Service,
) -> None:
    payment = await service.stub.CreatePayment(CREATE_REQUEST, timeout=LONG_SECONDS)
    assert payment.state == pb.Payment.PROCESSING
    await service.work_goes_on()


@pytest.mark.usefixtures("answers_callers_at_once")
async def test_a_caller_whose_deadline_is_near_waits_until_the_payment_is_recorded(
    service: Service,
) -> None:
    service.use_cases.may_record.clear()
    reply = service.stub.CreatePayment(CREATE_REQUEST, timeout=LONG_SECONDS)
    await until(lambda: service.use_cases.caller is not None)
    service.use_cases.may_record.set()
    assert (await reply).state == pb.Payment.PROCESSING


async def test_a_caller_whose_payment_is_not_recorded_in_time_gets_nothing_and_the_work_goes_on(
    service: Service,
) -> None:
    service.use_cases.may_record.clear()
    call_ = service.stub.CreatePayment(CREATE_REQUEST, timeout=0.3)
    assert await code_of(call_) is StatusCode.DEADLINE_EXCEEDED
    service.use_cases.may_record.set()
    service.use_cases.records_payment = False
    await until(lambda: service.use_cases.caller is not None)
    await service.caller_is_gone()
    await service.work_goes_on()


async def test_a_capture_goes_on_after_the_deadline_of_its_caller(service: Service) -> None:
    call_ = service.stub.CapturePayment(CAPTURE_REQUEST, timeout=0.3)
    assert await code_of(call_) is StatusCode.DEADLINE_EXCEEDED
    await service.use_cases.waiting.wait()
    await service.work_goes_on()


async def test_the_work_keeps_the_call_id_and_not_the_deadline_of_its_call(
    service: Service,
) -> None:
    service.use_cases.may_end.set()
    metadata = (("x-request-id", "a1b2c3d4e5f60718"),)
    await service.stub.CreatePayment(CREATE_REQUEST, metadata=metadata, timeout=30)
    assert service.use_cases.call_id == "a1b2c3d4e5f60718"
    assert service.use_cases.remaining_seconds == 60


# ---------------------------------------------------------------- callers that cancel


async def test_a_caller_that_cancels_is_gone_and_its_work_goes_on(service: Service) -> None:
    reply = service.stub.CreatePayment(CREATE_REQUEST, timeout=LONG_SECONDS)
    await service.use_cases.waiting.wait()
    assert service.use_cases.caller is not None
    assert not service.use_cases.caller.is_gone()
    reply.cancel()
    await service.caller_is_gone()
    await service.work_goes_on()


async def test_a_refusal_reaches_a_caller_that_waits(service: Service) -> None:
    service.use_cases.error = ReferenceTaken("A-1", "payments/01939c5e-0000-7000-8000-000000000002")
    service.use_cases.may_end.set()
    call_ = service.stub.CreatePayment(CREATE_REQUEST)
    assert await code_of(call_) is StatusCode.ALREADY_EXISTS


@pytest.mark.parametrize(
    ("error", "event"),
    [
        (ValueError("x"), "background_task_failed"),
        (ConnectionResetError("x"), "database_unavailable"),
        (ReferenceTaken("A-1", "payments/x"), None),
    ],
    ids=["unexpected error", "database error", "refusal"],
)
async def test_an_error_after_the_caller_left_is_logged_unless_it_is_a_refusal(
    service: Service, capfd: pytest.CaptureFixture[str], error: Exception, event: str | None
) -> None:
    service.use_cases.error = error
    reply = service.stub.CreatePayment(CREATE_REQUEST, timeout=LONG_SECONDS)
    await service.use_cases.waiting.wait()
    reply.cancel()
    await service.caller_is_gone()
    service.use_cases.may_end.set()
    await service.background_tasks.drain(LONG_SECONDS)
    log = "".join(capfd.readouterr())
    events = {each for each in ("background_task_failed", "database_unavailable") if each in log}
    assert events == ({event} if event else set())


# ---------------------------------------------------------------- limits


async def test_more_work_than_may_be_in_progress_is_refused(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_CALLS", 1)
    first = service.stub.CreatePayment(CREATE_REQUEST, timeout=LONG_SECONDS)
    await service.use_cases.waiting.wait()
    assert await code_of(service.stub.CreatePayment(CREATE_REQUEST)) is StatusCode.UNAVAILABLE
    service.use_cases.may_end.set()
    assert (await first).state == pb.Payment.SUCCEEDED


@pytest.mark.usefixtures("answers_callers_at_once")
async def test_a_drain_waits_for_the_work_in_progress(service: Service) -> None:
    await service.stub.CreatePayment(CREATE_REQUEST, timeout=LONG_SECONDS)
    draining = asyncio.create_task(service.background_tasks.drain(LONG_SECONDS))
    await asyncio.sleep(0.05)
    assert not draining.done()
    await service.work_goes_on()
    await draining


@pytest.mark.usefixtures("answers_callers_at_once")
async def test_a_drain_cancels_work_that_takes_too_long_and_leaves_it_to_recovery(
    service: Service, capfd: pytest.CaptureFixture[str]
) -> None:
    await service.stub.CreatePayment(CREATE_REQUEST, timeout=LONG_SECONDS)
    await service.background_tasks.drain(0.05)
    assert service.use_cases.was_canceled
    assert "payments_left_to_recovery" in "".join(capfd.readouterr())
