"""A TCP proxy on the loopback: the network between two processes, which can fail.

It can reset connections, partition both sides, delay everything for a while, deliver a request long
after its caller has given up, and ask an interceptor about each named operation that passes. It changes
no byte.
"""

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum

from oncepay_cli.local.health import HOST
from verification.chaos.protocol_parsers import ProtocolParser

CHUNK = 65_536
MAX_CONNECTIONS = 1_000
"""More at once are reset when they come."""
PARTITIONED_SECONDS = 60.0
"""How long a partitioned connection is kept, at most: longer than anybody waits."""
STOP_SECONDS = 5.0
LINGER = struct.pack("ii", 1, 0)
"""Close with a reset, and send nothing more."""


class Moment(Enum):
    """Where on its way an operation is."""

    UNSENT = "unsent"  # it has left its caller, and not gone on to the server
    SENT = "sent"  # the server has it, or will
    ANSWERED = "answered"  # the server has done it, and its caller does not know yet


class Decision(Enum):
    """What becomes of an operation."""

    FORWARD = "forward"
    RESET = "reset"  # the connection is reset, now
    DELIVER_LATE = "deliver late"  # the request is forwarded later; its answer is dropped


Interceptor = Callable[[str, str, Moment], Decision]
"""Decides by the proxy's name, the operation and the moment. It must not wait."""


@dataclass(eq=False)
class Connection:
    """One connection through the proxy. `pending`: what was forwarded and is not answered yet."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter | None = None
    pending: deque[str] = field(default_factory=deque)
    is_partitioned: bool = False

    def close(self) -> None:
        """Close both sides, with everything that was written."""
        for writer in (self.client, self.server):
            if writer is not None and not writer.is_closing():
                writer.close()

    def reset(self) -> None:
        """Reset both sides."""
        for writer in (self.client, self.server):
            if writer is None or writer.is_closing():
                continue
            if (sock := writer.get_extra_info("socket")) is not None:
                # A socket that has just been closed has no number any more: ValueError.
                with suppress(OSError, ValueError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
            writer.transport.abort()


class Proxy:
    """Listens, and forwards to its targets in turn.

    Attributes:
        port: where it listens, once it was started.
        late_seconds: how long a late request is held back.
    """

    def __init__(
        self,
        name: str,
        targets: list[int],
        parser: Callable[[], ProtocolParser],
        interceptor: Interceptor,
        late_seconds: float,
    ) -> None:
        self.name = name
        self.port = 0
        self.late_seconds = late_seconds
        self._targets = targets
        self._parser = parser
        self._interceptor = interceptor
        self._connections: set[Connection] = set()
        self._is_partitioned = False
        self._delay = 0.0
        self._turn = 0
        self._server: asyncio.Server | None = None
        self._late: set[asyncio.Task[None]] = set()
        self._serving: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Accept nothing any more, and reset what is there."""
        if self._server is not None:
            self._server.close()
        for task in self._late:
            task.cancel()
        await self.all_delivered()
        self.reset()
        if self._serving:
            await asyncio.wait(self._serving, timeout=STOP_SECONDS)

    def reset(self) -> None:
        """Reset every connection."""
        for connection in list(self._connections):
            connection.reset()

    def partition(self) -> None:
        """From now on nothing passes, and no side gets an error. Open connections never work again."""
        self._is_partitioned = True
        for connection in self._connections:
            connection.is_partitioned = True

    def delay(self, seconds: float) -> None:
        """Hold every piece back for so long."""
        self._delay = seconds

    def heal(self) -> None:
        """New connections work; partitioned ones are reset, as by a peer that has forgotten them."""
        self._is_partitioned, self._delay = False, 0.0
        for connection in list(self._connections):
            if connection.is_partitioned:
                connection.reset()

    async def all_delivered(self) -> None:
        """Return when no request is held back any more."""
        await asyncio.gather(*self._late, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if task := asyncio.current_task():
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)
        connection = Connection(writer, is_partitioned=self._is_partitioned)
        if len(self._connections) >= MAX_CONNECTIONS:
            connection.reset()
            return
        self._connections.add(connection)
        try:
            if connection.is_partitioned:
                async with asyncio.timeout(PARTITIONED_SECONDS):
                    while await reader.read(CHUNK):
                        pass
                return
            self._turn += 1
            target = self._targets[self._turn % len(self._targets)]
            answers, connection.server = await asyncio.open_connection(HOST, target)
            back = asyncio.create_task(self._forward_answers(answers, connection))
            try:
                await self._forward_requests(reader, connection, connection.server)
            finally:
                back.cancel()
                await asyncio.gather(back, return_exceptions=True)
        except (OSError, TimeoutError):
            connection.reset()
        finally:
            connection.close()
            self._connections.discard(connection)

    async def _forward_requests(
        self, reader: asyncio.StreamReader, connection: Connection, server: asyncio.StreamWriter
    ) -> None:
        parser = self._parser()
        while data := await reader.read(CHUNK):
            for operation, piece in parser.feed(data):
                if self._delay:
                    await asyncio.sleep(self._delay)
                if connection.is_partitioned:
                    continue
                match self._decide(operation, Moment.UNSENT):
                    case Decision.DELIVER_LATE:
                        self._deliver_late(piece)
                        connection.is_partitioned = True
                        continue
                    case Decision.RESET:
                        connection.reset()
                        return
                connection.pending.append(operation)
                await _write(server, piece)
                if self._decide(operation, Moment.SENT) is Decision.RESET:
                    connection.is_partitioned = True
                    await _close_after_delivery(server)
                    return

    async def _forward_answers(self, reader: asyncio.StreamReader, connection: Connection) -> None:
        while data := await reader.read(CHUNK):
            if self._delay:
                await asyncio.sleep(self._delay)
            if connection.is_partitioned:
                continue
            operation = connection.pending.popleft() if connection.pending else ""
            if self._decide(operation, Moment.ANSWERED) is Decision.RESET:
                connection.reset()
                return
            await _write(connection.client, data)
        connection.close()

    def _decide(self, operation: str, moment: Moment) -> Decision:
        if not operation:
            return Decision.FORWARD
        return self._interceptor(self.name, operation, moment)

    def _deliver_late(self, piece: bytes) -> None:
        task = asyncio.create_task(self._deliver(piece, self.late_seconds))
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def _deliver(self, piece: bytes, seconds: float) -> None:
        await asyncio.sleep(seconds)
        with suppress(OSError, TimeoutError):
            reader, writer = await asyncio.open_connection(HOST, self._targets[0])
            writer.write(piece)
            async with asyncio.timeout(PARTITIONED_SECONDS):
                await reader.read(CHUNK)
            writer.close()


async def _close_after_delivery(server: asyncio.StreamWriter) -> None:
    """Close without a reset, so that what was written arrives, and give it the time to."""
    with suppress(OSError):
        server.write_eof()
    await asyncio.sleep(0.2)


async def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Forward bytes. Raises ConnectionError where that side has gone."""
    if writer.is_closing():
        raise ConnectionResetError("the other side has gone")
    writer.write(data)
    await writer.drain()
