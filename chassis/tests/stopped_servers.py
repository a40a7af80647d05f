"""A process that starts servers, opens everything that a client may have open, and stops them all.

    python stopped_servers.py LOOP DRAIN_SECONDS...       LOOP is asyncio or uvloop

Prints how many it stopped. A process of its own, since a mistake here is a segmentation fault in gRPC.
"""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from typing import Any

import grpc
import uvloop
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from chassis import telemetry
from chassis.server import Server

NAME = "test.v1.Slow"
AT_ONCE = 60
# A drain of this length ends when its calls have; a shorter one may end before.
PATIENT_SECONDS = 30


class Slow:
    """Replies when its server begins to stop; to `never`, never."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.release = asyncio.Event()

    async def reply(self, request: bytes, _context: Any) -> bytes:
        self.entered.set()
        await self.release.wait()
        if request == b"never":
            await asyncio.Event().wait()
        return b"done"

    async def stream(self, _request: bytes, _context: Any) -> AsyncIterator[bytes]:
        yield b"first"
        await asyncio.Event().wait()


def add(servicer: Slow, server: Any) -> None:
    handlers = {
        "Reply": grpc.unary_unary_rpc_method_handler(servicer.reply, bytes, bytes),
        "Stream": grpc.unary_stream_rpc_method_handler(servicer.stream, bytes, bytes),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(NAME, handlers),))


async def stop_one(drain_seconds: float, request: bytes, everybody: asyncio.Barrier) -> None:
    """Stops a server that has a watch, a reflection, a stream and, if there is a request, a call."""
    server = Server(
        listen="127.0.0.1:0",
        names=(NAME,),
        domain="test",
        translate=lambda _: None,
        drain_seconds=drain_seconds,
    )
    slow = Slow()
    async with server, aio.insecure_channel(f"ipv4:{server.address}") as channel:
        server.add(add, slow)
        raw: Any = channel  # the stubs of reflection know no asyncio, and of bytes nothing is known
        health: Any = health_pb2_grpc.HealthStub(channel)
        watch = health.Watch(health_pb2.HealthCheckRequest(service="liveness"))
        await watch.read()
        reflection: Any = reflection_pb2_grpc.ServerReflectionStub(raw)
        shown = reflection.ServerReflectionInfo()
        await shown.write(reflection_pb2.ServerReflectionRequest(list_services=""))
        await shown.read()
        stream = raw.unary_stream(f"/{NAME}/Stream")(b"")
        await stream.read()
        call: Any = None
        if request:
            call = raw.unary_unary(f"/{NAME}/Reply")(request)
            await slow.entered.wait()
        await everybody.wait()
        serving = asyncio.create_task(server.serve(on_stop=slow.release.set))
        await asyncio.sleep(0)
        server.stop()
        await serving
        if drain_seconds >= PATIENT_SECONDS and call is not None:
            assert await call == b"done", "a call that ended within the time was cut off"
        elif request == b"never":
            with contextlib.suppress(aio.AioRpcError):
                await call
                raise AssertionError("a call that never ends was answered")


async def main(times: list[float]) -> None:
    telemetry.configure("test", "json")
    stopped = 0
    for drain_seconds in times:
        everybody = asyncio.Barrier(AT_ONCE)
        async with asyncio.TaskGroup() as group:
            for number in range(AT_ONCE):
                patient = drain_seconds >= PATIENT_SECONDS
                request = (b"", b"done", b"done" if patient else b"never")[number % 3]
                group.create_task(stop_one(drain_seconds, request, everybody))
        stopped += AT_ONCE
    print(stopped)  # noqa: T201 - the test reads it


run: Any = {"asyncio": asyncio.run, "uvloop": uvloop.run}[sys.argv[1]]
run(main([float(each) for each in sys.argv[2:]]))
