"""A real server with a service that does what the text of a request says, and a client of it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from chassis import call
from chassis.errors import Answer, translator
from chassis.server import Server
from chassis.values import InvalidValue

from .status_details import details_of

NAME = "google.longrunning.Operations"  # a service whose descriptor is at hand
SERVING, NOT_SERVING = 1, 2
PERSONAL = "alice@example.com"

RawMethod: TypeAlias = "aio.UnaryUnaryMultiCallable[bytes, bytes]"


class OutOfStockError(Exception):
    """The service's own error."""


OUT_OF_STOCK = Answer(grpc.StatusCode.FAILED_PRECONDITION, "OUT_OF_STOCK", "none left")
translate = translator("test", {OutOfStockError: OUT_OF_STOCK}, {})


class Echo:
    """The servicer.

    Attributes:
        entered: a call waits, or a stream has sent all that it has.
        release: ends the waiting.
        ended: a call or stream that waited has ended.
        observed: what the last call saw of itself.
    """

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.release = asyncio.Event()
        self.ended = asyncio.Event()
        self.observed: dict[str, Any] = {}

    async def reply(self, request: StringValue, context: Any) -> StringValue:
        self.observed = {"id": call.call_id(), "left": call.remaining(99), "sent": call.metadata()}
        match request.value:
            case "invalid":
                raise InvalidValue("customer.email", "EMAIL", "it has no @")
            case "out of stock":
                raise OutOfStockError
            case "unexpected":
                raise RuntimeError(f"secret {PERSONAL}")
            case "database":
                raise ConnectionRefusedError(f"connect to {PERSONAL}")
            case "wait":
                self.entered.set()
                try:
                    await self.release.wait()
                finally:
                    self.ended.set()
            case "abort":
                await context.abort(grpc.StatusCode.DATA_LOSS, "lost")
            case "no message":
                return None  # type: ignore[return-value]
        return StringValue(value=request.value)

    async def stream(self, request: StringValue, _context: Any) -> AsyncIterator[StringValue]:
        self.observed = {"left": call.remaining(99)}
        try:
            for word in request.value.split():
                if word == "unexpected":
                    raise RuntimeError(f"secret {PERSONAL}")
                yield StringValue(value=word)
            self.entered.set()
            if not request.value:
                await self.release.wait()
        finally:
            self.ended.set()


def add_echo(servicer: Echo, server: Any) -> None:
    """As generated code does it."""
    reads, writes = StringValue.FromString, StringValue.SerializeToString
    handlers = {
        "Reply": grpc.unary_unary_rpc_method_handler(servicer.reply, reads, writes),
        "Stream": grpc.unary_stream_rpc_method_handler(servicer.stream, reads, writes),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(NAME, handlers),))
    server.add_registered_method_handlers(NAME, handlers)


@dataclass(frozen=True, slots=True)
class Running:
    """A server that runs, its servicer, and a client's channel to it."""

    server: Server
    echo: Echo
    channel: aio.Channel

    def reply(self, text: str | bytes, **options: Any) -> Any:
        """Calls the unary method with a text, or with bytes as they are."""
        raw = text if isinstance(text, bytes) else StringValue(value=text).SerializeToString()
        method: RawMethod = self.channel.unary_unary(f"/{NAME}/Reply")
        return method(raw, **options)

    def stream(self, text: str, **options: Any) -> Any:
        """Calls the streaming method, which sends each word of the text, and waits where there is none."""
        method = self.channel.unary_stream(
            f"/{NAME}/Stream", StringValue.SerializeToString, StringValue.FromString
        )
        return method(StringValue(value=text), **options)

    def watch(self, name: str) -> Any:
        stub: Any = health_pb2_grpc.HealthStub(self.channel)
        return stub.Watch(health_pb2.HealthCheckRequest(service=name))

    async def health(self, name: str) -> int:
        stub: Any = health_pb2_grpc.HealthStub(self.channel)
        return int((await stub.Check(health_pb2.HealthCheckRequest(service=name))).status)

    async def until_health(self, name: str, state: int) -> None:
        async with asyncio.timeout(10):
            while await self.health(name) != state:  # noqa: ASYNC110 - over the wire
                await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def running(*, started: bool = True, drain_seconds: float = 30) -> AsyncIterator[Running]:
    """Runs a server; its service is there once it has `started`."""
    server = Server(
        listen="127.0.0.1:0",
        names=(NAME,),
        domain="test",
        translate=translate,
        drain_seconds=drain_seconds,
    )
    async with server, aio.insecure_channel(f"ipv4:{server.address}") as channel:
        echo = Echo()
        if started:
            server.add(add_echo, echo)
        yield Running(server, echo, channel)


@dataclass(frozen=True, slots=True)
class Failure:
    """A call's error as its client reads it."""

    code: grpc.StatusCode
    message: str
    details: dict[str, Any]

    @property
    def reason(self) -> str:
        return str(self.details["ErrorInfo"].reason)


async def failure(made: Any) -> Failure:
    """The error of a call that must fail."""
    with pytest.raises(aio.AioRpcError) as caught:
        await made
    status = rpc_status.from_call(caught.value)  # type: ignore[arg-type]
    found = details_of(status) if status else {}
    return Failure(caught.value.code(), caught.value.details() or "", found)
