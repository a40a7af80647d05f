"""The probe of a container's health check, as its own process, at a real server."""

import asyncio
import os
import sys
from collections.abc import Callable

from chassis.server import Server


def server() -> Server:
    return Server(
        listen="127.0.0.1:0",
        names=("test.v1.Service",),
        domain="oncepay.test",
        translate=lambda _error: None,
        drain_seconds=1,
    )


async def probe(*arguments: str) -> tuple[int | None, str]:
    """Its exit code and its output, in an environment that names a proxy."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "chassis.probe", *arguments),
        env=os.environ | {"http_proxy": "http://127.0.0.1:9", "no_proxy": ""},
        stderr=asyncio.subprocess.PIPE,
    )
    _, output = await process.communicate()
    return process.returncode, output.decode()


async def test_a_service_that_is_ready_is_healthy() -> None:
    async with server() as running:
        running.ready_when(lambda: True)
        assert await probe(running.address, "--wait", "10") == (0, "")


async def test_a_service_whose_database_is_away_is_not_healthy_and_the_probe_says_its_state() -> (
    None
):
    async with server() as running:
        running.ready_when(lambda: False)
        code, output = await probe(running.address)
        assert code == 1
        assert "NOT_SERVING" in output


async def test_a_service_that_does_not_run_is_not_healthy(free_port: Callable[[], int]) -> None:
    code, output = await probe(f"127.0.0.1:{free_port()}")
    assert code == 1
    assert "UNAVAILABLE" in output


async def test_the_probe_can_wait_until_the_service_is_ready() -> None:
    is_ready = False
    async with server() as running:
        running.ready_when(lambda: is_ready)
        waiting = asyncio.create_task(probe(running.address, "--wait", "30"))
        await asyncio.sleep(1)  # it asks at least once
        assert not waiting.done()
        is_ready = True
        assert await waiting == (0, "")
