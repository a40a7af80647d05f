"""Work of callers that gets no slot at the processor: what is refused, and what recovery does instead."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from support.faults import UNREACHABLE
from support.use_case_world import (
    StubCaller,
    StubCustomers,
    UseCaseWorld,
    new_request,
    new_request_id,
)

from payment.domain.customer import Customer, CustomerStatus
from payment.domain.errors import ProcessorUnavailable
from payment.domain.events import EventType
from payment.domain.evidence import IdempotencyKeyConflict
from payment.domain.payment import CaptureMethod, Payment, State
from payment.domain.refund import RefundState
from payment.domain.values import CustomerName
from payment.service_layer import bulkhead
from payment.service_layer.bulkhead import ProcessorBulkhead


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> UseCaseWorld:
    """Callers have one slot between them, and hardly wait for it. Recovery needs none."""
    monkeypatch.setattr(bulkhead, "WAIT_SECONDS", 0.01)
    return UseCaseWorld(ProcessorBulkhead(slots=1))


@asynccontextmanager
async def slot_taken(world: UseCaseWorld) -> AsyncIterator[None]:
    """The only slot is taken, by a payment whose confirmation goes on until the block ends."""
    confirming, may_end = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        confirming.set()
        await may_end.wait()

    world.processor.faults.plan("confirm", wait)
    creation = asyncio.create_task(world.pay(reference=None))
    await confirming.wait()
    yield
    may_end.set()
    assert (await creation).state is State.SUCCEEDED


async def test_a_payment_without_a_slot_is_refused_before_anything_is_recorded(
    world: UseCaseWorld,
) -> None:
    async with slot_taken(world):
        before = len(world.store.payments), len(world.processor.calls)
        with pytest.raises(ProcessorUnavailable):
            await world.pay(reference=None)
        assert (len(world.store.payments), len(world.processor.calls)) == before
    assert (await world.pay(reference=None)).state is State.SUCCEEDED


async def test_a_payment_without_a_slot_is_found_if_a_concurrent_call_created_it(
    world: UseCaseWorld,
) -> None:
    request, created = new_request(reference=None), list[Payment]()
    elsewhere = replace(
        world.create_payment, bulkhead=ProcessorBulkhead(slots=1), customers=StubCustomers()
    )

    class CreatedMeanwhile:
        """The Customer service: it answers after another replica has created the payment."""

        async def find(self, _name: CustomerName) -> Customer:
            created.append(await elsewhere(request, StubCaller()))
            return Customer(CustomerStatus.ACTIVE, '"7"')

    create_payment = replace(world.create_payment, customers=CreatedMeanwhile())
    async with slot_taken(world):
        assert [await create_payment(request, StubCaller())] == created
    assert len(created) == 1


async def test_a_payment_keeps_its_slot_from_its_creation_to_its_confirmation(
    world: UseCaseWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulkhead, "WAIT_SECONDS", 3600.0)
    await asyncio.gather(*(world.pay(reference=None) for _ in range(3)))
    assert world.processor.calls == ["create", "confirm"] * 3


async def test_a_repeated_request_needs_no_slot_for_its_answer(world: UseCaseWorld) -> None:
    request = new_request(reference=None)
    payment = await world.create_payment(request, world.caller)
    async with slot_taken(world):
        assert await world.create_payment(request, world.caller) == payment


async def test_a_creation_gives_its_slot_back_however_it_ends(world: UseCaseWorld) -> None:
    async def fail() -> None:
        raise RuntimeError

    async def be_canceled() -> None:
        raise asyncio.CancelledError

    world.processor.faults.plan("create", fail, be_canceled, UNREACHABLE)
    for error in (RuntimeError, asyncio.CancelledError, ProcessorUnavailable):
        with pytest.raises(error):
            await world.pay(reference=None)
    assert (await world.pay(reference=None)).state is State.SUCCEEDED


async def test_a_capture_without_a_slot_is_recorded_and_made_by_recovery_a_second_later(
    world: UseCaseWorld,
) -> None:
    payment = await world.pay(capture_method=CaptureMethod.MANUAL)
    async with slot_taken(world):
        calls = len(world.processor.calls)
        captured = await world.change_payment.capture(payment.name, new_request_id(), None)
        assert captured.state is State.CAPTURING
        assert len(world.processor.calls) == calls
        world.advance(seconds=1)
        await world.run_recovery()
        assert (await world.current(payment)).state is State.SUCCEEDED


async def test_a_refund_without_a_slot_is_recorded_and_made_by_recovery_a_second_later(
    world: UseCaseWorld,
) -> None:
    payment = await world.pay(reference=None)
    async with slot_taken(world):
        calls = len(world.processor.calls)
        refund = await world.refund(payment)
        assert refund.state is RefundState.PENDING
        assert len(world.processor.calls) == calls
        world.advance(seconds=1)
        await world.run_recovery()
        assert (await world.current_refund(refund)).state is RefundState.SUCCEEDED


async def test_a_release_without_a_slot_leaves_the_payment_held(world: UseCaseWorld) -> None:
    world.processor.faults.plan("confirm", IdempotencyKeyConflict())
    held = await world.pay(reference=None)
    async with slot_taken(world):
        with pytest.raises(ProcessorUnavailable):
            await world.change_payment.release(held.name, "checked")
    assert await world.current(held) == held
    assert EventType.RELEASED not in world.event_types()
