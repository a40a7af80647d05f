"""A process with a server in it, for the tests that send real signals."""

import asyncio
import sys
from typing import Any

import grpc

from chassis import telemetry
from chassis.server import Server, run

NAME = "test.v1.Slow"


class Slow:
    """Replies after half a second to `1`, and at once to anything else."""

    async def reply(self, request: bytes, _context: Any) -> bytes:
        if request == b"1":
            print("entered", flush=True)  # noqa: T201 - the test reads it
            await asyncio.sleep(0.5)
        return b"done"


def add(servicer: Slow, server: Any) -> None:
    methods = {"Reply": grpc.unary_unary_rpc_method_handler(servicer.reply, bytes, bytes)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(NAME, methods),))


async def main(when: str, port: str) -> None:
    telemetry.configure("slow")
    server = Server(
        listen=f"127.0.0.1:{port}",
        names=(NAME,),
        domain="test",
        translate=lambda _: None,
        drain_seconds=5,
    )
    async with server:
        print(server.address, flush=True)  # noqa: T201 - the test reads it
        if when == "starting":
            await asyncio.sleep(60)
        server.add(add, Slow())
        await server.serve()


run(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "0"))
