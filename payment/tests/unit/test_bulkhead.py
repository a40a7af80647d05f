"""The bulkhead: how much work of callers is at the processor at once, and what waits for recovery."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import uuid4

import pytest
from small_world import SILENCE, Caller, OneCustomer, SmallWorld, a_request

from chassis.values import RequestId
from payment.domain.customer import Customer, CustomerStatus
from payment.domain.errors import ProcessorUnavailable
from payment.domain.events import EventType
from payment.domain.evidence import IdempotencyKeyConflict
from payment.domain.payment import CaptureMethod, Payment, State
from payment.domain.refund import RefundRequest, RefundState
from payment.domain.values import CustomerName
from payment.service_layer import bulkhead
from payment.service_layer.bulkhead import ProcessorBulkhead


@pytest.fixture(autouse=True)
def _short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test is about how long work waits for a slot."""
    monkeypatch.setattr(bulkhead, "WAIT_SECONDS", 0.02)


@pytest.fixture
def world() -> SmallWorld:
    """Callers have one slot between them; recovery needs none."""
    return SmallWorld(ProcessorBulkhead(slots=1))


@asynccontextmanager
async def slot_taken(world: SmallWorld) -> AsyncIterator[None]:
    """The only slot is taken, by a payment whose confirmation goes on until the block ends."""
    confirming, may_end = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        confirming.set()
        await may_end.wait()

    world.processor.troubles["confirm"].append(wait)
    creation = asyncio.create_task(world.pay(reference=None))
    await confirming.wait()
    yield
    may_end.set()
    assert (await creation).state is State.SUCCEEDED


async def test_a_slot_is_given_while_one_is_free() -> None:
    slots = ProcessorBulkhead(slots=2)
    async with slots.slot() as first, slots.slot() as second, slots.slot() as third:
        assert (first, second, third) == (True, True, False)


async def test_a_slot_that_becomes_free_in_time_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulkhead, "WAIT_SECONDS", 3600.0)
    slots = ProcessorBulkhead(slots=1)
    waiting = asyncio.Event()

    async def wait_for_a_slot() -> bool:
        waiting.set()
        async with slots.slot() as is_free:
            return is_free

    async with slots.slot():
        other = asyncio.create_task(wait_for_a_slot())
        await waiting.wait()
    assert await other is True


async def test_a_slot_is_free_again_after_an_error() -> None:
    slots = ProcessorBulkhead(slots=1)
    with pytest.raises(RuntimeError):
        async with slots.slot():
            raise RuntimeError
    async with slots.slot() as is_free:
        assert is_free


async def test_a_slot_is_free_again_after_its_work_was_canceled() -> None:
    slots = ProcessorBulkhead(slots=1)
    working = asyncio.Event()

    async def work() -> None:
        async with slots.slot():
            working.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await working.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with slots.slot() as is_free:
        assert is_free


async def test_work_that_got_no_slot_or_left_while_waiting_takes_none_away() -> None:
    slots = ProcessorBulkhead(slots=1)

    async def wait_for_a_slot() -> None:
        async with slots.slot():
            pass

    async with slots.slot():
        async with slots.slot() as is_free:
            assert not is_free
        task = asyncio.create_task(wait_for_a_slot())
        await asyncio.sleep(0)  # it waits now
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    async with slots.slot() as is_free:
        assert is_free


async def test_a_payment_without_a_slot_is_refused_before_anything_is_recorded(
    world: SmallWorld,
) -> None:
    async with slot_taken(world):
        before = len(world.store.payments), len(world.processor.made)
        with pytest.raises(ProcessorUnavailable):
            await world.pay(reference=None)
        assert (len(world.store.payments), len(world.processor.made)) == before
    assert (await world.pay(reference=None)).state is State.SUCCEEDED


async def test_a_payment_without_a_slot_may_have_been_created_by_a_concurrent_call(
    world: SmallWorld,
) -> None:
    request, created = a_request(reference=None), list[Payment]()
    elsewhere = replace(world.create_payment, bulkhead=ProcessorBulkhead(slots=1))

    class CreatedMeanwhile:
        """The Customer service, which answers when another replica has created the payment."""

        async def find(self, _name: CustomerName) -> Customer:
            created.append(await replace(elsewhere, customers=OneCustomer())(request, Caller()))
            return Customer(CustomerStatus.ACTIVE, '"7"')

    create_payment = replace(world.create_payment, customers=CreatedMeanwhile())
    async with slot_taken(world):
        assert [await create_payment(request, Caller())] == created
    assert len(created) == 1


async def test_a_payment_keeps_its_slot_from_its_creation_to_its_confirmation(
    world: SmallWorld,
) -> None:
    await asyncio.gather(*(world.pay(reference=None) for _ in range(3)))
    assert world.processor.made == ["create", "confirm"] * 3


async def test_a_repeated_request_needs_no_slot_for_its_answer(world: SmallWorld) -> None:
    request = a_request(reference=None)
    payment = await world.create_payment(request, world.caller)
    async with slot_taken(world):
        assert await world.create_payment(request, world.caller) == payment


async def test_a_creation_gives_its_slot_back_however_it_ends(world: SmallWorld) -> None:
    async def fail() -> None:
        raise RuntimeError

    async def leave() -> None:
        raise asyncio.CancelledError

    world.processor.troubles["create"] = [fail, leave, SILENCE]
    for error in (RuntimeError, asyncio.CancelledError, ProcessorUnavailable):
        with pytest.raises(error):
            await world.pay(reference=None)
    assert (await world.pay(reference=None)).state is State.SUCCEEDED


async def test_a_capture_without_a_slot_is_recorded_and_made_by_recovery_a_second_later(
    world: SmallWorld,
) -> None:
    payment = await world.pay(capture_method=CaptureMethod.MANUAL)
    async with slot_taken(world):
        calls = len(world.processor.made)
        captured = await world.change.capture(payment.name, RequestId(str(uuid4())), None)
        assert captured.state is State.CAPTURING
        assert len(world.processor.made) == calls
        world.later(seconds=1)
        await world.recover()
        assert (await world.payment(payment.id)).state is State.SUCCEEDED


async def test_a_refund_without_a_slot_is_recorded_and_made_by_recovery_a_second_later(
    world: SmallWorld,
) -> None:
    payment = await world.pay(reference=None)
    async with slot_taken(world):
        calls = len(world.processor.made)
        refund = await world.create_refund(RefundRequest(RequestId(str(uuid4())), payment.name))
        assert refund.state is RefundState.PENDING
        assert len(world.processor.made) == calls
        world.later(seconds=1)
        await world.recover()
        assert (await world.refund(refund)).state is RefundState.SUCCEEDED


async def test_a_release_without_a_slot_leaves_the_payment_as_it_is(world: SmallWorld) -> None:
    world.processor.troubles["confirm"] = [IdempotencyKeyConflict()]
    held = await world.pay(reference=None)
    async with slot_taken(world):
        with pytest.raises(ProcessorUnavailable):
            await world.change.release(held.name, "checked")
    assert await world.payment(held.id) == held
    assert EventType.RELEASED not in {event.type for event in world.store.events}
