"""The callers' share of the calls to a processor: so much of their work at once, and no more."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import uuid4

import pytest
from small_world import SILENCE, SmallWorld, a_request

from chassis.values import RequestId
from payment.domain.errors import ProcessorUnavailable
from payment.domain.payment import CaptureMethod, Payment, State
from payment.domain.refund import RefundRequest, RefundState
from payment.processors import bulkhead
from payment.processors.bulkhead import ProcessorBulkhead


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> SmallWorld:
    """Callers have one place between them; recovery works on the bare processor."""
    monkeypatch.setattr(bulkhead, "WAIT_SECONDS", 0.05)
    world = SmallWorld()
    callers = ProcessorBulkhead(world.processor, places=1)
    steps = replace(world.steps, processor=callers)
    world.create = replace(world.create, processor=callers, steps=steps)
    world.change = replace(world.change, processor=callers, steps=steps)
    recovers = world.refunds
    world.refunds = replace(world.refunds, processor=callers)
    world.recovery = replace(world.recovery, refunds=recovers)
    return world


@asynccontextmanager
async def taken(world: SmallWorld) -> AsyncIterator[asyncio.Task[Payment]]:
    """The one place is taken, by a payment whose confirm goes on until the end."""
    under_way, may_end = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        under_way.set()
        await may_end.wait()

    world.processor.troubles["confirm"].append(hang)
    paying = asyncio.create_task(world.pay(reference=None))
    async with asyncio.timeout(10):
        await under_way.wait()
    yield paying
    may_end.set()
    assert (await paying).state is State.SUCCEEDED


async def pay(world: SmallWorld) -> Payment:
    """In a task of its own, as all work of callers is done."""
    return await asyncio.create_task(world.pay(reference=None))


async def test_a_payment_that_finds_no_place_is_refused_before_anything_was_recorded(
    world: SmallWorld,
) -> None:
    async with taken(world):
        before = len(world.store.payments), len(world.processor.made)
        with pytest.raises(ProcessorUnavailable):
            await pay(world)
        assert (len(world.store.payments), len(world.processor.made)) == before
    assert (await pay(world)).state is State.SUCCEEDED


async def test_a_payment_that_is_in_never_waits_with_its_confirm(world: SmallWorld) -> None:
    await asyncio.gather(*(pay(world) for _ in range(3)))
    assert world.processor.made == ["create", "confirm"] * 3


async def test_a_request_that_came_before_needs_no_place_for_its_answer(world: SmallWorld) -> None:
    request = a_request(reference=None)
    payment = await asyncio.create_task(world.create(request, world.caller))
    async with taken(world):
        assert await world.create(request, world.caller) == payment


async def test_a_place_is_free_again_whatever_became_of_the_work(world: SmallWorld) -> None:
    async def fails() -> None:
        raise RuntimeError

    async def leaves() -> None:
        raise asyncio.CancelledError

    world.processor.troubles["create"] = [fails, leaves, SILENCE]
    for error in (RuntimeError, asyncio.CancelledError, ProcessorUnavailable):
        with pytest.raises(error):
            await pay(world)
    assert (await pay(world)).state is State.SUCCEEDED


async def test_a_capture_that_finds_no_place_is_kept_and_left_to_recovery(
    world: SmallWorld,
) -> None:
    payment = await asyncio.create_task(world.pay(capture_method=CaptureMethod.MANUAL))
    async with taken(world):
        capture = world.change.capture(payment.name, RequestId(str(uuid4())), None)
        assert (await asyncio.create_task(capture)).state is State.CAPTURING
        world.later(seconds=1)
        await world.recover()
        assert (await world.payment(payment.id)).state is State.SUCCEEDED


async def test_a_refund_that_finds_no_place_is_kept_and_left_to_recovery(
    world: SmallWorld,
) -> None:
    payment = await pay(world)
    async with taken(world):
        request = RefundRequest(RequestId(str(uuid4())), payment.name)
        refund = await asyncio.create_task(world.refunds.create(request))
        assert refund.state is RefundState.PENDING
        world.later(seconds=1)
        await world.recover()
        assert (await world.refunds.get(refund.name)).state is RefundState.SUCCEEDED
