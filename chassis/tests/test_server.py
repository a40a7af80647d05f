"""The life of a server as its clients see it: start, health, reflection, drain, signals."""

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.longrunning import operations_pb2  # noqa: F401 - its descriptor is shown
from google.protobuf.wrappers_pb2 import StringValue
from grpc import aio
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from chassis.server import ListenError, Server

from .echo_server import (
    NAME,
    NOT_SERVING,
    SERVING,
    RawMethod,
    add_echo,
    failure,
    running,
    translate,
)


async def test_until_its_service_is_there_the_server_lives_and_answers_that_it_starts() -> None:
    async with running(started=False) as at:
        for made in (at.reply("hello"), at.stream("one").read()):
            error = await failure(made)
            assert error.code is grpc.StatusCode.UNAVAILABLE
            assert error.reason == "STARTING"
            assert "starts" in error.message
            assert error.details["RetryInfo"].retry_delay.seconds == 1
        assert await at.health("liveness") == SERVING
        for name in ("readiness", NAME, ""):
            assert await at.health(name) == NOT_SERVING
        at.server.add(add_echo, at.echo)
        await at.reply("hello")
        assert (await at.stream("one").read()).value == "one"


async def test_readiness_follows_the_database_both_ways_and_liveness_does_not() -> None:
    async with running() as at:
        ready = True
        at.server.ready_when(lambda: ready)
        for name in ("readiness", NAME, ""):
            await at.until_health(name, SERVING)
        ready = False
        for name in ("readiness", NAME, ""):
            await at.until_health(name, NOT_SERVING)
        assert await at.health("liveness") == SERVING
        ready = True
        await at.until_health("readiness", SERVING)


async def test_the_health_of_an_unknown_service_is_not_found() -> None:
    async with running() as at:
        error = await failure(at.health("other.v1.Service"))
        assert error.code is grpc.StatusCode.NOT_FOUND


async def test_reflection_lists_the_service_and_shows_its_file() -> None:
    async with running(started=False) as at:
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(at.channel)  # type: ignore[arg-type]
        requests = [
            reflection_pb2.ServerReflectionRequest(list_services=""),
            reflection_pb2.ServerReflectionRequest(file_containing_symbol=NAME),
        ]
        listed, shown = [reply async for reply in stub.ServerReflectionInfo(iter(requests))]
    names = {service.name for service in listed.list_services_response.service}
    assert {NAME, "grpc.health.v1.Health"} <= names
    assert shown.file_descriptor_response.file_descriptor_proto


async def test_a_second_server_on_the_same_port_is_refused_with_a_message() -> None:
    async with running() as at:
        second = Server(
            listen=at.server.address, names=(), domain="test", translate=translate, drain_seconds=1
        )
        with pytest.raises(ListenError, match=r"another process has the port"):
            await second.__aenter__()


async def test_a_drain_turns_health_ends_streams_and_lets_running_calls_finish() -> None:
    async with running() as at:
        at.server.ready_when(lambda: True)
        await at.until_health("readiness", SERVING)
        watch = at.watch("readiness")
        assert (await watch.read()).status == SERVING
        streamed = at.stream("")
        await at.echo.entered.wait()
        at.echo.entered.clear()
        running_call = asyncio.ensure_future(at.reply("wait"))
        await at.echo.entered.wait()
        stop_begun = asyncio.Event()
        serving = asyncio.create_task(at.server.serve(on_stop=stop_begun.set))
        await asyncio.sleep(0)
        at.server.stop()
        assert (await watch.read()).status == NOT_SERVING
        assert stop_begun.is_set()
        error = await failure(streamed.read())
        assert error.code is grpc.StatusCode.UNAVAILABLE
        assert error.reason == "DRAINING"
        # A call that is under way while the server shuts is cancelled by gRPC itself, before it
        # reaches us (grpc/grpc issue 41785); every later one finds no listener.
        error = await failure(at.reply("hello"))
        assert error.code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
        assert not serving.done()
        at.echo.release.set()
        assert StringValue.FromString(await running_call).value == "wait"
        # The watch, which never ends by itself, does not hold the drain.
        await asyncio.wait_for(serving, 10)


async def test_a_drain_ends_within_its_time_whatever_runs() -> None:
    async with running(drain_seconds=0.1) as at:
        made = at.reply("wait")
        await at.echo.entered.wait()
        serving = asyncio.create_task(at.server.serve())
        await asyncio.sleep(0)
        at.server.stop()
        await asyncio.wait_for(serving, 5)
        assert (await failure(made)).code is grpc.StatusCode.UNAVAILABLE


PROCESS = Path(__file__).with_name("drained_process.py")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("when", ["serving", "starting"])
async def test_a_signal_drains_a_real_process_and_it_exits_with_0(
    number: signal.Signals, when: str
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(PROCESS), when, stdout=-1, stderr=-1, env={**os.environ}
    )
    assert process.stdout is not None
    address = (await asyncio.wait_for(process.stdout.readline(), 20)).decode().strip()
    async with aio.insecure_channel(f"ipv4:{address}") as channel:
        method: RawMethod = channel.unary_unary("/test.v1.Slow/Reply")
        running_call = None
        if when == "serving":
            await method(b"0")
            running_call = method(b"1")
            assert await asyncio.wait_for(process.stdout.readline(), 20) == b"entered\n"
        process.send_signal(number)
        if running_call is not None:
            assert await running_call == b"done"
        assert await asyncio.wait_for(process.wait(), 20) == 0, await process.communicate()


async def test_a_start_that_is_refused_is_one_message_and_exit_code_1() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(PROCESS), "serving", str(port), stdout=-1, stderr=-1
        )
        _, errors = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 1
    assert f"LISTEN_ADDRESS 127.0.0.1:{port} cannot be listened on".encode() in errors
    assert b"Traceback" not in errors
