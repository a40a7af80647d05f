"""The virtual loop runs what asyncio's own loop runs, in an order and at times that a seed decides."""

import asyncio
from collections.abc import Coroutine
from random import Random
from typing import Any

import pytest

from verification.simulator.loop import Deadlock, VirtualLoop


def run(work: Coroutine[Any, Any, Any], seed: int = 0) -> tuple[Any, VirtualLoop]:
    loop = VirtualLoop(Random(seed))  # type: ignore[abstract]
    return loop.run_until_complete(work), loop


def test_a_week_passes_at_once() -> None:
    async def sleep() -> float:
        await asyncio.sleep(7 * 24 * 3600)
        return asyncio.get_running_loop().time()

    assert run(sleep())[0] == 7 * 24 * 3600


def test_timers_fire_in_their_order() -> None:
    fired: list[float] = []

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds)
        fired.append(seconds)

    async def all_of_them() -> None:
        await asyncio.gather(*map(sleep, [3, 0.5, 2, 1, 2.5]))

    run(all_of_them())
    assert fired == [0.5, 1, 2, 2.5, 3]


async def order_of(number: int) -> list[int]:
    """In which order tasks get on that are ready at once."""
    order: list[int] = []

    async def get_on(mine: int) -> None:
        await asyncio.sleep(0)
        order.append(mine)

    await asyncio.gather(*map(get_on, range(number)))
    return order


def test_the_same_seed_is_the_same_order_and_others_are_others() -> None:
    orders = [tuple(run(order_of(6), seed)[0]) for seed in range(50)]
    assert orders == [tuple(run(order_of(6), seed)[0]) for seed in range(50)]
    assert len(set(orders)) > 40


def test_waiting_for_what_nobody_will_do_is_a_deadlock() -> None:
    async def wait() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(Deadlock):
        run(wait())


def test_a_cancelled_timer_moves_no_time() -> None:
    async def cancel() -> float:
        loop = asyncio.get_running_loop()
        loop.call_later(1000, print).cancel()
        await asyncio.sleep(1)
        return loop.time()

    assert run(cancel())[0] == 1


def test_a_deadline_ends_waiting_and_cancellation_reaches_whoever_sleeps() -> None:
    async def late() -> str:
        try:
            async with asyncio.timeout(5):
                await asyncio.sleep(50)
        except TimeoutError:
            return f"after {asyncio.get_running_loop().time():.0f} s"
        return "never"

    assert run(late())[0] == "after 5 s"


def test_an_error_that_nobody_takes_is_kept() -> None:
    async def fail() -> None:
        raise ValueError("unseen")

    async def leave() -> None:
        task = asyncio.get_running_loop().create_task(fail())
        await asyncio.sleep(1)
        del task
        await asyncio.sleep(1)

    _, loop = run(leave())
    assert [repr(each) for each in loop.failures] == ["ValueError('unseen')"]


def test_what_would_need_a_thread_or_a_socket_fails() -> None:
    async def read_a_file() -> None:
        await asyncio.to_thread(print)

    with pytest.raises(NotImplementedError):
        run(read_a_file())
