"""The reference for CPU: a bare echo on the stack that the services stand on, and nothing else.

`python -m verification.bench.echo` prints the port that it listens on.
"""

import asyncio
import signal
import sys

import grpc
import uvloop
from grpc import aio

METHOD = "/verification.Echo/Echo"


class Echo(grpc.GenericRpcHandler):
    """Answers every method with its request."""

    def service(
        self, _details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[bytes, bytes] | None":
        return grpc.unary_unary_rpc_method_handler(echo)


async def echo(request: bytes, _context: "aio.ServicerContext[bytes, bytes]") -> bytes:
    return request


async def main() -> None:
    server = aio.server(options=(("grpc.so_reuseport", 0),))
    server.add_generic_rpc_handlers((Echo(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await server.stop(None)


if __name__ == "__main__":
    uvloop.run(main())
