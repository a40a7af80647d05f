"""ReadEvents: pages of events, and a stream that continues."""

import asyncio
from uuid import uuid4

import pytest
from support.use_case_world import UseCaseWorld

from payment.domain.errors import PaymentNotFound
from payment.domain.events import EventType
from payment.domain.values import PaymentName
from payment.service_layer import read_events


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> UseCaseWorld:
    """Pages of three events, and hardly a pause between them."""
    monkeypatch.setattr(read_events, "POLL_SECONDS", 0.001)
    monkeypatch.setattr(read_events, "BATCH", 3)
    return UseCaseWorld()


async def test_the_events_of_a_payment_are_read_in_pages(world: UseCaseWorld) -> None:
    payment = await world.pay()
    await world.pay(reference=None)
    first = await world.read_events.of_payment(payment.name, 1, 0)
    rest = await world.read_events.of_payment(payment.name, 10, first[0].sequence)
    assert [event.type for event in (*first, *rest)] == [EventType.CREATED, EventType.SUCCEEDED]


async def test_the_events_of_an_unknown_payment_are_not_found(world: UseCaseWorld) -> None:
    unknown = PaymentName(uuid4())
    with pytest.raises(PaymentNotFound):
        await world.read_events.of_payment(unknown, 1, 0)
    with pytest.raises(PaymentNotFound):
        await anext(world.read_events.watch(unknown, ""))


async def test_the_events_of_all_payments_are_read_after_a_cursor(world: UseCaseWorld) -> None:
    for _ in range(2):
        await world.pay(reference=None)
    first = await world.read_events.of_all(3, "")
    rest = await world.read_events.of_all(10, first[-1].cursor)
    assert [*first, *rest] == world.store.events
    assert (len(first), len(rest)) == (3, 1)


async def test_a_watch_gives_past_and_future_events_once_each_and_in_order(
    world: UseCaseWorld,
) -> None:
    await world.pay(reference=None)
    received = []
    async for event in world.read_events.watch(None, ""):
        received.append(event)
        if len(received) == 2:
            await asyncio.gather(*(world.pay(reference=None) for _ in range(3)))
        if len(received) == 8:
            break
    assert received == world.store.events


async def test_a_watch_of_one_payment_gives_no_events_of_others(world: UseCaseWorld) -> None:
    await world.pay(reference=None)
    payment = await world.pay(reference=None)
    received = []
    async for event in world.read_events.watch(payment.name, ""):
        received.append(event)
        if len(received) == 2:
            break
    assert {event.payment_id for event in received} == {payment.id}
