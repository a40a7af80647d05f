"""A server that answers with whatever bytes a test wants, and remembers what it was sent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Sent:
    """One request as it arrived; header names in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    form: dict[str, str]


@dataclass
class HostileServer:
    """`answers` are given in turn, the last one for ever; None is silence, b"" is a closed door."""

    address: str
    answers: list[bytes | None] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    waiting: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while sent := await _request(reader):
                self.sent.append(sent)
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if answer is None:
                    self.waiting.set()
                    await reader.read()  # until the other side gives up
                    return
                writer.write(answer)
                await writer.drain()
                if b"keep-alive" not in answer:
                    return
        finally:
            writer.close()


async def _request(reader: asyncio.StreamReader) -> Sent | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    except asyncio.IncompleteReadError:
        return None
    line, *rest = head.strip().split("\r\n")
    method, target, _ = line.split(" ")
    headers = {name.lower(): value for name, value in (one.split(": ", 1) for one in rest)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    parts = urlsplit(target)
    query, form = dict(parse_qsl(parts.query)), dict(parse_qsl(body.decode()))
    return Sent(method, parts.path, query, headers, form)


def http(
    status: int, body: str | bytes = b"", *, length: int | None = None, closes: bool = True
) -> bytes:
    """An answer; `length` is what it claims to hold."""
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
    """On a free port of the loopback."""
    here = HostileServer("")
    server = await asyncio.start_server(here.serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    here.address = f"http://{host}:{port}"
    async with server:
        yield here
