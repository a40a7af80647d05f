"""The end of a server: gRPC is told to stop once, which nothing holds up and no process dies of."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from chassis.server import NOTICE_SECONDS, Server

PROCESS = Path(__file__).with_name("stopped_servers.py")
WATCH = health_pb2.HealthCheckRequest(service="liveness")
QUESTION = reflection_pb2.ServerReflectionRequest(list_services="")


@asynccontextmanager
async def running() -> AsyncIterator[tuple[Server, aio.Channel]]:
    server = Server(
        listen="127.0.0.1:0", names=(), domain="test", translate=lambda _: None, drain_seconds=30
    )
    async with server, aio.insecure_channel(f"ipv4:{server.address}") as channel:
        yield server, channel


async def open_streams(channel: aio.Channel) -> tuple[Any, Any]:
    """A health watch and a reflection, whose client waits for more."""
    health: Any = health_pb2_grpc.HealthStub(channel)
    watch = health.Watch(WATCH)
    await watch.read()
    reflection: Any = reflection_pb2_grpc.ServerReflectionStub(channel)  # type: ignore[arg-type]
    shown = reflection.ServerReflectionInfo()
    await shown.write(QUESTION)
    await shown.read()
    return watch, shown


async def ending(stream: Any) -> tuple[grpc.StatusCode, str | None]:
    with pytest.raises(aio.AioRpcError) as caught:
        await stream.read()
    return caught.value.code(), caught.value.details()


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
async def test_no_process_dies_of_stopping_its_servers(loop: str) -> None:
    """Whether the time is up long before, with, or long after what runs and what is cut off."""
    around = [NOTICE_SECONDS + more for more in (0, 0.001, 0.05)]
    times = [str(seconds) for seconds in (0, 0.05, *around, *around, 30)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-X", "faulthandler", str(PROCESS), loop, *times, stdout=-1, stderr=-1
    )
    printed, errors = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, errors.decode()[-4_000:]
    assert int(printed) == 60 * len(times)
    assert b"Traceback" not in errors


async def test_grpc_is_told_to_stop_once(monkeypatch: pytest.MonkeyPatch) -> None:
    graces: list[float | None] = []

    async with running() as (server, channel):
        stop = server._server.stop

        async def counted(grace: float | None) -> None:
            graces.append(grace)
            await stop(grace)

        monkeypatch.setattr(server._server, "stop", counted)
        await open_streams(channel)
    assert graces == [30]


async def test_health_watches_and_reflection_do_not_hold_the_stop() -> None:
    stopped = (grpc.StatusCode.UNAVAILABLE, "the service stops; call another replica")
    async with running() as (server, channel):
        watch, shown = await open_streams(channel)
        await asyncio.wait_for(server.__aexit__(None, None, None), 10)
        assert await ending(watch) == stopped
        assert await ending(shown) == stopped


async def test_a_watch_that_comes_when_they_were_cut_off_is_cut_off_at_once() -> None:
    async with running() as (server, channel):
        server._interceptor.other_streams.close()
        health: Any = health_pb2_grpc.HealthStub(channel)
        code, _ = await ending(health.Watch(WATCH))
        assert code is grpc.StatusCode.UNAVAILABLE


async def test_a_watch_whose_client_leaves_is_forgotten() -> None:
    async with running() as (server, channel):
        watch, shown = await open_streams(channel)
        watch.cancel()
        await shown.done_writing()
        assert await shown.read() == aio.EOF
        async with asyncio.timeout(10):
            while len(server._interceptor.other_streams):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
