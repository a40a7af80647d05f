"""A TCP proxy on the loopback: the network between two parts, which can fail.

It can cut what is connected, swallow what is sent, hold everything back for a while, deliver a
request long after its caller has given up, and tell whoever watches what is just passing. It
changes no byte.
"""

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum

from verification.chaos.dialects import Dialect

HOST = "127.0.0.1"
CHUNK = 65_536
MAX_CONNECTIONS = 1_000
"""More at once are closed at the door."""
DEAD_SECONDS = 60.0
"""How long a connection whose bytes are swallowed is kept, at most: longer than anybody waits."""
STOP_SECONDS = 5.0
LINGER = struct.pack("ii", 1, 0)
"""Close with a reset, and send nothing more."""


class Moment(Enum):
    """Where on its way something is."""

    UNSENT = "unsent"  # it has left its caller, and not gone on to the server
    SENT = "sent"  # the server has it, or will
    ANSWERED = "answered"  # the server has done it, and its caller does not know yet


class CustomerStatus(Enum):
    """What becomes of what is passing."""

    PASS = "pass"  # noqa: S105 - no password
    CUT = "cut"  # the connection is reset, now
    LATE = "late"  # the request goes on, later; its answer reaches nobody


Watcher = Callable[[str, str, Moment], CustomerStatus]
"""Is told the proxy's name, the operation and the moment; says what becomes of it. It must not wait."""


@dataclass(eq=False)
class Link:
    """One connection through the proxy. `asked`: what has gone on and is not answered yet."""

    here: asyncio.StreamWriter
    there: asyncio.StreamWriter | None = None
    asked: deque[str] = field(default_factory=deque)
    swallows: bool = False

    def close(self) -> None:
        """Close both sides, with everything that was written."""
        for writer in (self.here, self.there):
            if writer is not None and not writer.is_closing():
                writer.close()

    def cut(self) -> None:
        """Reset both sides."""
        for writer in (self.here, self.there):
            if writer is None or writer.is_closing():
                continue
            if (sock := writer.get_extra_info("socket")) is not None:
                # A socket that has just been closed has no number any more: ValueError.
                with suppress(OSError, ValueError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
            writer.transport.abort()


class Proxy:
    """Listens, and hands on to its targets in turn.

    Attributes:
        port: where it listens, once it was started.
        late_seconds: how long a late request is held back.
    """

    def __init__(
        self, name: str, targets: list[int], dialect: Callable[[], Dialect], watcher: Watcher
    ) -> None:
        self.name = name
        self.port = 0
        self.late_seconds = 30.0
        self._targets = targets
        self._dialect = dialect
        self._watcher = watcher
        self._links: set[Link] = set()
        self._swallows = False
        self._delay = 0.0
        self._turn = 0
        self._server: asyncio.Server | None = None
        self._late: set[asyncio.Task[None]] = set()
        self._serving: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Let nobody in any more, and cut what is there."""
        if self._server is not None:
            self._server.close()
        for task in self._late:
            task.cancel()
        await asyncio.gather(*self._late, return_exceptions=True)
        self.cut()
        if self._serving:
            await asyncio.wait(self._serving, timeout=STOP_SECONDS)

    def cut(self) -> int:
        """Reset every connection; how many."""
        links = list(self._links)
        for link in links:
            link.cut()
        return len(links)

    def swallow(self) -> None:
        """From now on nothing passes, and nobody is told. What was connected never works again."""
        self._swallows = True
        for link in self._links:
            link.swallows = True

    def delay(self, seconds: float) -> None:
        """Hold every piece back for so long."""
        self._delay = seconds

    def heal(self) -> None:
        """New connections work; what swallows is cut, as by a peer that has forgotten it."""
        self._swallows, self._delay = False, 0.0
        for link in [one for one in self._links if one.swallows]:
            link.cut()

    async def all_delivered(self) -> None:
        """Return when no request is held back any more."""
        await asyncio.gather(*self._late, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if task := asyncio.current_task():
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)
        link = Link(writer, swallows=self._swallows)
        if len(self._links) >= MAX_CONNECTIONS:
            link.cut()
            return
        self._links.add(link)
        try:
            if link.swallows:
                async with asyncio.timeout(DEAD_SECONDS):
                    while await reader.read(CHUNK):
                        pass
                return
            self._turn += 1
            target = self._targets[self._turn % len(self._targets)]
            answers, link.there = await asyncio.open_connection(HOST, target)
            down = asyncio.create_task(self._answers(answers, link))
            try:
                await self._requests(reader, link)
            finally:
                down.cancel()
                await asyncio.gather(down, return_exceptions=True)
        except (OSError, TimeoutError):
            link.cut()
        finally:
            link.close()
            self._links.discard(link)

    async def _requests(self, reader: asyncio.StreamReader, link: Link) -> None:
        there, dialect = link.there, self._dialect()
        assert there is not None, "it is connected"  # noqa: S101
        while data := await reader.read(CHUNK):
            for operation, piece in dialect.feed(data):
                if self._delay:
                    await asyncio.sleep(self._delay)
                if link.swallows:
                    continue
                if operation:
                    verdict = self._watcher(self.name, operation, Moment.UNSENT)
                    if verdict is CustomerStatus.LATE:
                        self._deliver_late(piece)
                        link.swallows = True
                        continue
                    if verdict is CustomerStatus.CUT:
                        link.cut()
                        return
                link.asked.append(operation)
                await _write(there, piece)
                if (
                    operation
                    and self._watcher(self.name, operation, Moment.SENT) is CustomerStatus.CUT
                ):
                    link.swallows = True
                    await self._close_behind(there)
                    return

    async def _answers(self, reader: asyncio.StreamReader, link: Link) -> None:
        while data := await reader.read(CHUNK):
            if self._delay:
                await asyncio.sleep(self._delay)
            if link.swallows:
                continue
            operation = link.asked.popleft() if link.asked else ""
            if operation:
                verdict = self._watcher(self.name, operation, Moment.ANSWERED)
                if verdict is CustomerStatus.CUT:
                    link.cut()
                    return
            await _write(link.here, data)
        link.close()

    async def _close_behind(self, there: asyncio.StreamWriter) -> None:
        """Close without a reset, so that what was written arrives, and give it the time to."""
        with suppress(OSError):
            there.write_eof()
        await asyncio.sleep(0.2)

    def _deliver_late(self, piece: bytes) -> None:
        task = asyncio.create_task(self._deliver(piece, self.late_seconds))
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def _deliver(self, piece: bytes, seconds: float) -> None:
        await asyncio.sleep(seconds)
        with suppress(OSError, TimeoutError):
            reader, writer = await asyncio.open_connection(HOST, self._targets[0])
            writer.write(piece)
            async with asyncio.timeout(DEAD_SECONDS):
                await reader.read(CHUNK)
            writer.close()


async def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Hand on. Raises ConnectionError where that side has gone."""
    if writer.is_closing():
        raise ConnectionResetError("the other side has gone")
    writer.write(data)
    await writer.drain()
