"""The stream of events: pages of it, and a stream that goes on."""

import asyncio
from uuid import uuid4

import pytest
from small_world import SmallWorld

from payment.domain.errors import PaymentNotFound
from payment.domain.events import EventType
from payment.domain.values import PaymentName
from payment.service_layer import read_events


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> SmallWorld:
    monkeypatch.setattr(read_events, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(read_events, "BATCH", 3)
    return SmallWorld()


async def test_the_events_of_a_payment_are_read_in_pages(world: SmallWorld) -> None:
    payment = await world.pay()
    await world.pay(reference=None)
    first = await world.events.of_payment(payment.name, 1, 0)
    rest = await world.events.of_payment(payment.name, 10, first[0].sequence)
    assert [event.type for event in (*first, *rest)] == [EventType.CREATED, EventType.SUCCEEDED]
    with pytest.raises(PaymentNotFound):
        await world.events.of_payment(PaymentName(uuid4()), 1, 0)


async def test_all_events_are_read_from_a_cursor_on(world: SmallWorld) -> None:
    for _ in range(2):
        await world.pay(reference=None)
    first = await world.events.of_all(3, "")
    rest = await world.events.of_all(10, first[-1].cursor)
    assert (len(first), len(rest)) == (3, 1)


async def test_a_watcher_gets_what_was_and_what_comes_once_each(world: SmallWorld) -> None:
    await world.pay(reference=None)
    seen = []
    watching = world.events.watch(None, "")
    async for event in watching:
        seen.append(event)
        if len(seen) == 2:
            await asyncio.gather(*(world.pay(reference=None) for _ in range(3)))
        if len(seen) == 8:
            break
    assert seen == list(world.store.events)


async def test_a_watcher_of_one_payment_is_not_told_of_others(world: SmallWorld) -> None:
    await world.pay(reference=None)
    payment = await world.pay(reference=None)
    told = []
    async for event in world.events.watch(payment.name, ""):
        told.append(event)
        if len(told) == 2:
            break
    assert {event.payment_id for event in told} == {payment.id}
    with pytest.raises(PaymentNotFound):
        await anext(world.events.watch(PaymentName(uuid4()), ""))
