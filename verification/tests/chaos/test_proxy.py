"""The proxy between processes: what it loses, delays and partitions, and the operations it names."""

import asyncio
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from oncepay_cli.local.health import HOST
from verification.chaos.fault_points import FaultPoint, FaultPoints
from verification.chaos.protocol_parsers import HttpParser, PostgresParser
from verification.chaos.proxy import Decision, Moment, Proxy

PATIENCE_SECONDS = 60
LATE_SECONDS = 0.2
CONFIRM = (
    b"POST /v1/payment_intents/pi_1/confirm HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na=b"
)
RETRIEVE = b"GET /v1/payment_intents/pi_1?expand=x HTTP/1.1\r\nHost: a\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@dataclass
class Server:
    """Receives requests and answers each.

    Attributes:
        last_received: when, by the monotonic clock.
    """

    received: list[bytes] = field(default_factory=list)
    last_received: float = 0.0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            self.received.append(data)
            self.last_received = time.monotonic()
            self.arrived.set()
            writer.write(ANSWER)
        writer.close()


@asynccontextmanager
async def proxied() -> AsyncIterator[tuple[Server, Proxy, FaultPoints]]:
    server, points = Server(), FaultPoints()
    listening = await asyncio.start_server(server.serve, HOST, 0)
    port = listening.sockets[0].getsockname()[1]
    proxy = Proxy("processor-1", [port], HttpParser, points, LATE_SECONDS)
    await proxy.start()
    try:
        yield server, proxy, points
    finally:
        await proxy.stop()
        listening.close()


async def send(proxy: Proxy, request: bytes = CONFIRM) -> bytes:
    """The answer; b"" where the connection broke."""
    reader, writer = await asyncio.open_connection(HOST, proxy.port)
    try:
        writer.write(request)
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await reader.read(65_536)
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def armed(points: FaultPoints, moment: Moment, decision: Decision) -> "asyncio.Task[bool]":
    """A fault point at the confirm; whether it is hit."""
    point = FaultPoint("processor-", "confirm", moment, lambda: decision)
    task = asyncio.create_task(points.arm(point, PATIENCE_SECONDS))
    await asyncio.sleep(0)
    return task


async def test_another_operation_than_the_armed_one_passes_unchanged() -> None:
    async with proxied() as (server, proxy, points):
        hit = await armed(points, Moment.SENT, Decision.RESET)
        assert await send(proxy, RETRIEVE) == ANSWER
        assert server.received == [RETRIEVE]
        hit.cancel()


async def test_a_request_that_is_reset_unsent_never_reaches_the_server() -> None:
    async with proxied() as (server, proxy, points):
        hit = await armed(points, Moment.UNSENT, Decision.RESET)
        assert await send(proxy) == b""
        assert await hit
        assert server.received == []


@pytest.mark.parametrize("moment", [Moment.SENT, Moment.ANSWERED])
async def test_a_request_that_is_reset_later_reaches_the_server_and_its_caller_gets_no_answer(
    moment: Moment,
) -> None:
    async with proxied() as (server, proxy, points):
        hit = await armed(points, moment, Decision.RESET)
        assert await send(proxy) == b""
        assert await hit
        await server.arrived.wait()
        assert server.received == [CONFIRM]


async def test_a_late_request_arrives_late_and_its_caller_gets_no_answer() -> None:
    async with proxied() as (server, proxy, points):
        hit = await armed(points, Moment.UNSENT, Decision.DELIVER_LATE)
        sent = time.monotonic()
        reader, writer = await asyncio.open_connection(HOST, proxy.port)
        writer.write(CONFIRM)
        assert await hit
        await proxy.all_delivered()
        assert server.received == [CONFIRM]
        assert server.last_received - sent >= LATE_SECONDS
        writer.write_eof()
        assert await reader.read() == b""


async def test_a_partitioned_connection_breaks_only_when_the_network_heals() -> None:
    async with proxied() as (server, proxy, _):
        reader, writer = await asyncio.open_connection(HOST, proxy.port)
        writer.write(RETRIEVE)
        assert await reader.read(65_536) == ANSWER
        proxy.partition()
        writer.write(CONFIRM)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await reader.read(1)
        proxy.heal()
        with pytest.raises(ConnectionError):
            await reader.read(1)
        assert server.received == [RETRIEVE]
        assert await send(proxy) == ANSWER


def in_pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_requests_are_named_and_forwarded_whole(size: int) -> None:
    parser = HttpParser()
    passed = [
        named for piece in in_pieces(CONFIRM + RETRIEVE, size) for named in parser.feed(piece)
    ]
    assert passed == [("confirm", CONFIRM), ("retrieve", RETRIEVE)]


def message(letter: bytes, body: bytes) -> bytes:
    return letter + struct.pack(">i", len(body) + 4) + body


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_a_prepared_statement_is_named_whenever_it_is_bound(size: int) -> None:
    begin = message(b"", struct.pack(">i", 80877103)) + message(b"", struct.pack(">i", 196608))
    text = b"WITH new_payment AS ( INSERT INTO payments (id) SELECT 1 ) SELECT * FROM new_payment"
    prepare = message(b"P", b"s1\0" + text + b"\0\0\0") + message(b"S", b"")
    bind = message(b"B", b"\0s1\0" + bytes(6)) + message(b"E", bytes(5)) + message(b"S", b"")
    parser = PostgresParser()
    first = [named for piece in in_pieces(begin + prepare, size) for named in parser.feed(piece)]
    assert {name for name, _ in first} == {""}
    second = [named for piece in in_pieces(bind, size) for named in parser.feed(piece)]
    assert [name for name, _ in second if name] == ["insert_payment"]
    assert b"".join(piece for _, piece in first + second) == begin + prepare + bind
