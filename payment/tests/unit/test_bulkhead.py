"""ProcessorBulkhead: so many slots, each free again when its work ends, however it ends."""

import asyncio

import pytest

from payment.service_layer import bulkhead
from payment.service_layer.bulkhead import ProcessorBulkhead


@pytest.fixture(autouse=True)
def _short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work that gets no slot hardly waits for it."""
    monkeypatch.setattr(bulkhead, "WAIT_SECONDS", 0.01)


async def is_free(slots: ProcessorBulkhead) -> bool:
    async with slots.slot() as free:
        return free


async def test_so_much_work_gets_a_slot_and_no_more() -> None:
    slots = ProcessorBulkhead(slots=2)
    async with slots.slot() as first, slots.slot() as second, slots.slot() as third:
        assert (first, second, third) == (True, True, False)


async def test_a_slot_that_becomes_free_in_time_is_given_to_who_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bulkhead, "WAIT_SECONDS", 3600.0)
    slots = ProcessorBulkhead(slots=1)
    async with slots.slot():
        waiting = asyncio.create_task(is_free(slots))
        await asyncio.sleep(0)
        assert not waiting.done()
    assert await waiting


async def test_a_slot_is_free_again_after_an_error() -> None:
    slots = ProcessorBulkhead(slots=1)
    with pytest.raises(RuntimeError):
        async with slots.slot():
            raise RuntimeError
    assert await is_free(slots)


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
    assert await is_free(slots)


async def test_work_that_got_no_slot_gives_none_back() -> None:
    slots = ProcessorBulkhead(slots=1)
    async with slots.slot():
        assert not await is_free(slots)
        assert not await is_free(slots)
    assert await is_free(slots)


async def test_work_that_is_canceled_while_it_waits_takes_no_slot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bulkhead, "WAIT_SECONDS", 3600.0)
    slots = ProcessorBulkhead(slots=1)
    async with slots.slot():
        waiting = asyncio.create_task(is_free(slots))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert await is_free(slots)
