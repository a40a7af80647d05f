"""What becomes of work whose caller leaves: its deadline and its hanging up, over real gRPC."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
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

CREATION = service_pb.CreatePaymentRequest(
    payment=pb.Payment(
        customer=str(REQUEST.customer),
        amount=pb.Money(minor_units=1000, currency_code="EUR"),
        payment_method="pm_card_visa",
    ),
    request_id=str(REQUEST.request_id),
)
CAPTURE = service_pb.CapturePaymentRequest(
    name=str(a_payment().name), request_id=str(REQUEST.request_id)
)


@dataclass
class SlowWork:
    """A use case that goes on only when the test lets it."""

    is_born: bool = True
    error: Exception | None = None
    may_be_born: asyncio.Event = field(default_factory=asyncio.Event)
    may_end: asyncio.Event = field(default_factory=asyncio.Event)
    began: asyncio.Event = field(default_factory=asyncio.Event)
    done: asyncio.Event = field(default_factory=asyncio.Event)
    caller: Caller | None = None
    call_id: str | None = None
    seconds_left: float = 0
    cancelled: bool = False

    async def create(self, _request: PaymentRequest, caller: Caller) -> Payment:
        self.caller, self.call_id, self.seconds_left = caller, call.call_id(), call.remaining(60)
        await self.may_be_born.wait()
        if self.is_born:
            caller.on_created(a_payment(State.CONFIRMING))
        return await self.capture()

    async def capture(self, *_: object) -> Payment:
        self.began.set()
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        finally:
            self.done.set()
        if self.error:
            raise self.error
        return a_payment(State.SUCCEEDED)


@dataclass
class Service:
    work: SlowWork
    background_tasks: BackgroundTasks
    stub: Any


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    work, background_tasks = SlowWork(), BackgroundTasks()
    work.may_be_born.set()

    class Changes:
        capture = work.capture

    nothing: Any = None
    servicer = PaymentServicer(
        payments=nothing,
        refunds=nothing,
        create_payment=cast("Any", work.create),
        change_payment=cast("Any", Changes()),
        create_refund=nothing,
        read_events=nothing,
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
        yield Service(work, background_tasks, PaymentServiceStub(channel))
        work.may_end.set()
        await background_tasks.drain(5)


async def code_of(reply: Awaitable[object]) -> StatusCode:
    with pytest.raises(aio.AioRpcError) as error:
        await reply
    return error.value.code()


async def until(holds: Callable[[], bool]) -> None:
    """Waits for what must come; the test's own time is its limit."""
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 (a caller that left tells nobody)
            await asyncio.sleep(0.01)


async def test_a_caller_with_time_gets_the_end(service: Service) -> None:
    service.work.may_end.set()
    payment = await service.stub.CreatePayment(CREATION, timeout=10)
    assert payment.state == pb.Payment.SUCCEEDED


@pytest.mark.usefixtures("callers_are_told_early")
async def test_shortly_before_its_deadline_a_caller_is_told_of_a_payment_that_is_born(
    service: Service,
) -> None:
    payment = await service.stub.CreatePayment(CREATION, timeout=1.5)
    assert payment.state == pb.Payment.PROCESSING
    assert not service.work.done.is_set(), "the payment goes on"
    service.work.may_end.set()
    await service.work.done.wait()
    assert not service.work.cancelled


async def test_a_payment_born_in_the_last_moment_is_told_of(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REPLY_SECONDS", 5)
    service.work.may_be_born.clear()
    reply = service.stub.CreatePayment(CREATION, timeout=5)
    await until(lambda: service.work.caller is not None)
    service.work.may_be_born.set()
    assert (await reply).state == pb.Payment.PROCESSING


async def test_where_nothing_is_born_the_deadline_passes_and_the_work_goes_on(
    service: Service,
) -> None:
    service.work.is_born = False
    assert await code_of(service.stub.CreatePayment(CREATION, timeout=0.3)) is (
        StatusCode.DEADLINE_EXCEEDED
    )
    caller = service.work.caller
    assert caller is not None
    await until(caller.is_gone)
    service.work.may_end.set()
    await service.work.done.wait()
    assert not service.work.cancelled


async def test_a_caller_that_hangs_up_is_gone_and_its_payment_goes_on(service: Service) -> None:
    reply = service.stub.CreatePayment(CREATION, timeout=10)
    await service.work.began.wait()
    caller = service.work.caller
    assert caller is not None
    assert not caller.is_gone()
    reply.cancel()
    await until(caller.is_gone)
    service.work.may_end.set()
    await service.work.done.wait()
    assert not service.work.cancelled


async def test_what_is_asked_of_a_payment_goes_on_without_its_caller_too(service: Service) -> None:
    reply = service.stub.CapturePayment(CAPTURE, timeout=0.3)
    assert await code_of(reply) is StatusCode.DEADLINE_EXCEEDED
    service.work.may_end.set()
    await service.work.done.wait()
    assert not service.work.cancelled


async def test_the_work_keeps_the_id_of_the_call_and_not_its_deadline(service: Service) -> None:
    service.work.may_end.set()
    metadata = (("x-request-id", "a1b2c3d4e5f60718"),)
    await service.stub.CreatePayment(CREATION, metadata=metadata, timeout=5)
    assert service.work.call_id == "a1b2c3d4e5f60718"
    assert service.work.seconds_left == 60


async def test_a_refusal_reaches_a_caller_that_waits(service: Service) -> None:
    service.work.error = ReferenceTaken("A-1", "payments/01939c5e-0000-7000-8000-000000000002")
    service.work.may_end.set()
    assert await code_of(service.stub.CreatePayment(CREATION)) is StatusCode.ALREADY_EXISTS


@pytest.mark.parametrize(
    ("error", "event"),
    [
        (ValueError("x"), "background_task_failed"),
        (ConnectionResetError("x"), "database_unavailable"),
        (ReferenceTaken("A-1", "payments/x"), None),
    ],
)
async def test_what_fails_after_its_caller_left_is_told_to_the_log(
    service: Service, capfd: pytest.CaptureFixture[str], error: Exception, event: str | None
) -> None:
    service.work.error = error
    reply = service.stub.CreatePayment(CREATION, timeout=10)
    await service.work.began.wait()
    caller = service.work.caller
    assert caller is not None
    reply.cancel()
    await until(caller.is_gone)
    service.work.may_end.set()
    await service.background_tasks.drain(5)
    said = "".join(capfd.readouterr())
    told = {each for each in ("background_task_failed", "database_unavailable") if each in said}
    assert told == ({event} if event else set())


async def test_more_work_than_can_be_held_is_refused(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_CALLS", 1)
    first = service.stub.CreatePayment(CREATION, timeout=10)
    await service.work.began.wait()
    assert await code_of(service.stub.CreatePayment(CREATION)) is StatusCode.UNAVAILABLE
    service.work.may_end.set()
    assert (await first).state == pb.Payment.SUCCEEDED


@pytest.mark.usefixtures("callers_are_told_early")
async def test_a_drain_lets_the_work_finish(service: Service) -> None:
    await service.stub.CreatePayment(CREATION, timeout=1.5)
    draining = asyncio.create_task(service.background_tasks.drain(10))
    await asyncio.sleep(0.05)
    assert not draining.done()
    service.work.may_end.set()
    await draining
    assert service.work.done.is_set()
    assert not service.work.cancelled


@pytest.mark.usefixtures("callers_are_told_early")
async def test_a_drain_leaves_to_recovery_what_takes_too_long(
    service: Service, capfd: pytest.CaptureFixture[str]
) -> None:
    await service.stub.CreatePayment(CREATION, timeout=1.5)
    async with asyncio.timeout(5):
        await service.background_tasks.drain(0.05)
    assert service.work.cancelled
    assert "payments_left_to_recovery" in "".join(capfd.readouterr())
