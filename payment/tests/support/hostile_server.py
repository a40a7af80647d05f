"""A server that replies with the bytes that a test gives, and records the requests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class SentRequest:
    """A request as it arrived, with header names in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    form: dict[str, str]


@dataclass
class HostileServer:
    """A server on the loopback.

    Attributes:
        replies: given in turn, the last one again and again. None: no reply; b"": a closed connection.
        sent: the requests so far.
        waiting: set when a request gets no reply.
    """

    address: str
    replies: list[bytes | None] = field(default_factory=list)
    sent: list[SentRequest] = field(default_factory=list)
    waiting: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        try:
            while sent := await _request(reader):
                self.sent.append(sent)
                reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
                if reply is None:
                    self.waiting.set()
                    await reader.read()  # until the other side gives up
                    return
                writer.write(reply)
                await writer.drain()
                if b"keep-alive" not in reply:
                    return
        finally:
            writer.close()


async def _request(reader: asyncio.StreamReader) -> SentRequest | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    except asyncio.IncompleteReadError:
        return None
    line, *rest = head.strip().split("\r\n")
    method, target, _ = line.split(" ")
    headers = {name.lower(): value for name, value in (each.split(": ", 1) for each in rest)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    parts = urlsplit(target)
    query, form = dict(parse_qsl(parts.query)), dict(parse_qsl(body.decode()))
    return SentRequest(method, parts.path, query, headers, form)


def http(
    status: int, body: str | bytes = b"", *, length: int | None = None, closes: bool = True
) -> bytes:
    """A reply. `length`: the Content-Length that it claims."""
    content = body.encode() if isinstance(body, str) else body
    claimed = len(content) if length is None else length
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        f"Content-Length: {claimed}",
        f"Connection: {'close' if closes else 'keep-alive'}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + content


@asynccontextmanager
async def hostile_server() -> AsyncIterator[HostileServer]:
    """A hostile server on a free port."""
    server = HostileServer("")
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    host, port = listener.sockets[0].getsockname()[:2]
    server.address = f"http://{host}:{port}"
    async with listener:
        yield server
