"""The virtual loop runs what asyncio's own loop runs; a seed decides the order, timers the time."""

import asyncio
from collections.abc import Coroutine
from itertools import count
from random import Random
from typing import Any

import pytest

from verification.simulator.loop import Deadlock, TooManyCallbacks, VirtualLoop


def run(work: Coroutine[Any, Any, Any], seed: int = 0) -> tuple[Any, VirtualLoop]:
    """The result of a coroutine, and the loop that ran it."""
    loop = VirtualLoop(Random(seed))  # type: ignore[abstract]
    return loop.run_until_complete(work), loop


def test_a_week_passes_without_waiting() -> None:
    async def sleep() -> float:
        await asyncio.sleep(7 * 24 * 3600)
        return asyncio.get_running_loop().time()

    assert run(sleep())[0] == 7 * 24 * 3600


def test_timers_fire_in_order_of_time() -> None:
    fired: list[float] = []

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds)
        fired.append(seconds)

    async def sleep_all() -> None:
        await asyncio.gather(*map(sleep, [3, 0.5, 2, 1, 2.5]))

    run(sleep_all())
    assert fired == [0.5, 1, 2, 2.5, 3]


async def order_of_ready_tasks(count: int) -> list[int]:
    order: list[int] = []

    async def append(number: int) -> None:
        await asyncio.sleep(0)
        order.append(number)

    await asyncio.gather(*map(append, range(count)))
    return order


def test_a_seed_has_one_order_of_ready_tasks_and_seeds_differ() -> None:
    orders = [tuple(run(order_of_ready_tasks(6), seed)[0]) for seed in range(50)]
    assert orders == [tuple(run(order_of_ready_tasks(6), seed)[0]) for seed in range(50)]
    assert len(set(orders)) > 40


def test_a_future_that_nothing_resolves_is_a_deadlock() -> None:
    async def wait() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(Deadlock):
        run(wait())


def test_a_run_that_never_ends_is_stopped() -> None:
    async def spin() -> None:
        for _ in count():
            await asyncio.sleep(1)

    with pytest.raises(TooManyCallbacks):
        run(spin())


def test_a_cancelled_timer_does_not_move_time() -> None:
    async def cancel() -> float:
        loop = asyncio.get_running_loop()
        loop.call_later(1000, print).cancel()
        await asyncio.sleep(1)
        return loop.time()

    assert run(cancel())[0] == 1


def test_a_timeout_cancels_what_it_encloses() -> None:
    async def late() -> str:
        try:
            async with asyncio.timeout(5):
                await asyncio.sleep(50)
        except TimeoutError:
            return f"after {asyncio.get_running_loop().time():.0f} s"
        return "never"

    assert run(late())[0] == "after 5 s"


def test_an_error_that_is_never_retrieved_is_kept() -> None:
    async def fail() -> None:
        raise ValueError("never retrieved")

    async def leave() -> None:
        task = asyncio.get_running_loop().create_task(fail())
        await asyncio.sleep(1)
        del task
        await asyncio.sleep(1)

    _, loop = run(leave())
    assert [repr(each) for each in loop.failures] == ["ValueError('never retrieved')"]


def test_threads_and_sockets_are_not_there() -> None:
    async def read_a_file() -> None:
        await asyncio.to_thread(print)

    with pytest.raises(NotImplementedError):
        run(read_a_file())
