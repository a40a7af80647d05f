"""The network of a storm: what it loses, and when, is what its named points say."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from verification.chaos.dialects import Http, Postgres
from verification.chaos.proxy import HOST, CustomerStatus, Moment, Proxy
from verification.chaos.traps import Trap, Traps

CONFIRM = (
    b"POST /v1/payment_intents/pi_1/confirm HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na=b"
)
ASK = b"GET /v1/payment_intents/pi_1?expand=x HTTP/1.1\r\nHost: a\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@dataclass
class Server:
    """Takes requests and answers each."""

    taken: list[bytes] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            self.taken.append(data)
            self.arrived.set()
            writer.write(ANSWER)
        writer.close()


@asynccontextmanager
async def proxied() -> AsyncIterator[tuple[Server, Proxy, Traps]]:
    server, traps = Server(), Traps()
    listening = await asyncio.start_server(server.serve, HOST, 0)
    port = listening.sockets[0].getsockname()[1]
    proxy = Proxy("processor-1", [port], Http, traps)
    await proxy.start()
    try:
        yield server, proxy, traps
    finally:
        await proxy.stop()
        listening.close()


async def ask(proxy: Proxy, request: bytes = CONFIRM) -> bytes:
    """The answer; b"" where the connection broke."""
    reader, writer = await asyncio.open_connection(HOST, proxy.port)
    try:
        writer.write(request)
        async with asyncio.timeout(5):
            return await reader.read(65_536)
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def springing(traps: Traps, moment: Moment, verdict: CustomerStatus) -> "asyncio.Task[bool]":
    trap = Trap("processor-", "confirm", moment, lambda: verdict)
    task = asyncio.create_task(traps.catch(trap, 5))
    await asyncio.sleep(0)
    return task


async def test_what_is_not_meant_passes_unchanged() -> None:
    async with proxied() as (server, proxy, traps):
        caught = await springing(traps, Moment.SENT, CustomerStatus.CUT)
        assert await ask(proxy, ASK) == ANSWER
        assert server.taken == [ASK]
        caught.cancel()


async def test_cut_before_it_is_sent_the_server_never_has_it() -> None:
    async with proxied() as (server, proxy, traps):
        caught = await springing(traps, Moment.UNSENT, CustomerStatus.CUT)
        assert await ask(proxy) == b""
        assert await caught
        assert server.taken == []


@pytest.mark.parametrize("moment", [Moment.SENT, Moment.ANSWERED])
async def test_cut_later_the_server_has_it_and_the_caller_does_not_know(moment: Moment) -> None:
    async with proxied() as (server, proxy, traps):
        caught = await springing(traps, moment, CustomerStatus.CUT)
        assert await ask(proxy) == b""
        assert await caught
        await server.arrived.wait()
        assert server.taken == [CONFIRM]


async def test_a_late_request_arrives_when_its_caller_has_left() -> None:
    async with proxied() as (server, proxy, traps):
        proxy.late_seconds = 0.2
        await springing(traps, Moment.UNSENT, CustomerStatus.LATE)
        _, writer = await asyncio.open_connection(HOST, proxy.port)
        writer.write(CONFIRM)
        await asyncio.sleep(0.05)
        writer.close()
        assert server.taken == []
        await proxy.all_delivered()
        assert server.taken == [CONFIRM]


async def test_what_is_swallowed_breaks_only_when_the_network_heals() -> None:
    async with proxied() as (server, proxy, _):
        reader, writer = await asyncio.open_connection(HOST, proxy.port)
        writer.write(ASK)
        assert await reader.read(65_536) == ANSWER
        proxy.swallow()
        writer.write(CONFIRM)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await reader.read(1)
        proxy.heal()
        with pytest.raises(ConnectionError):
            await reader.read(1)
        assert server.taken == [ASK]
        assert await ask(proxy) == ANSWER


def in_pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_requests_are_named_and_handed_on_whole(size: int) -> None:
    dialect = Http()
    passed = [one for piece in in_pieces(CONFIRM + ASK, size) for one in dialect.feed(piece)]
    assert passed == [("confirm", CONFIRM), ("ask", ASK)]


def message(letter: bytes, body: bytes) -> bytes:
    return letter + struct.pack(">i", len(body) + 4) + body


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_a_statement_is_known_by_its_name_once_it_was_prepared(size: int) -> None:
    begin = message(b"", struct.pack(">i", 80877103)) + message(b"", struct.pack(">i", 196608))
    text = (
        b"WITH build_payment AS ( INSERT INTO payments (id) SELECT 1 ) SELECT * FROM build_payment"
    )
    prepare = message(b"P", b"s1\0" + text + b"\0\0\0") + message(b"S", b"")
    bind = message(b"B", b"\0s1\0" + bytes(6)) + message(b"E", bytes(5)) + message(b"S", b"")
    dialect = Postgres()
    first = [one for piece in in_pieces(begin + prepare, size) for one in dialect.feed(piece)]
    assert {name for name, _ in first} == {""}
    second = [one for piece in in_pieces(bind, size) for one in dialect.feed(piece)]
    assert [name for name, _ in second if name] == ["insert"]
    assert b"".join(piece for _, piece in first + second) == begin + prepare + bind
