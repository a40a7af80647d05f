"""The processes of a run: each started, killed, stopped and started again, by its own pid only."""

import asyncio
import os
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

import psutil  # type: ignore[import-untyped]  # ships no types
from grpc import aio
from grpc_health.v1 import health_pb2

from oncepay_cli.local import processes
from oncepay_cli.local.os_processes import OsProcess
from oncepay_cli.local.paths import Paths
from oncepay_cli.local.postgresql import PostgreSQL
from oncepay_cli.local.processes import Child, Program
from verification.chaos.proxy import HOST

READY_SECONDS = 90.0
"""On a machine that others use too."""
LEAVE_SECONDS = 10.0
POLL_SECONDS = 0.1
READINESS = health_pb2.HealthCheckRequest(service="readiness")


class NotReady(Exception):
    """A part does not come up."""


@dataclass(eq=False)
class Service:
    """A replica of ours.

    Attributes:
        port: of its gRPC.
        kills: how often it was killed here.
        up: set while it serves: not between a kill and its next start, nor while it is stopped.
    """

    program: Program
    paths: Paths
    port: int
    kills: int = 0
    up: asyncio.Event = field(default_factory=asyncio.Event)
    _child: Child | None = None
    _is_stopped: bool = False

    @property
    def name(self) -> str:
        return self.program.name

    async def start(self) -> None:
        """Start it, and return when it serves. Raises NotReady."""
        self._child = processes.start(self.program, self.paths)
        until = time.monotonic() + READY_SECONDS
        while not await serves(self.port):
            if self._child.process.poll() is not None:
                raise NotReady(str(self._child.failure()))
            if time.monotonic() > until:
                raise NotReady(f"{self.name} is not ready after {READY_SECONDS:.0f} s")
            await asyncio.sleep(POLL_SECONDS)
        self.up.set()

    def kill(self) -> bool:
        """kill -9, now; whether there was something to kill."""
        child = self._child
        if child is None or child.process.poll() is not None:
            return False
        self.up.clear()
        child.process.kill()
        child.process.wait()
        self._child = None
        self.kills += 1
        return True

    def stop(self) -> bool:
        """SIGSTOP: it stands still, and knows nothing of it; whether it was up."""
        if self._child is None or not self.up.is_set():
            return False
        self.up.clear()
        self._child.process.send_signal(signal.SIGSTOP)
        self._is_stopped = True
        return True

    def go_on(self) -> None:
        """SIGCONT, if it is stopped."""
        if self._child is not None and self._is_stopped:
            self._is_stopped = False
            self._child.process.send_signal(signal.SIGCONT)
            self.up.set()

    def end(self) -> None:
        """At the end of the run."""
        if self.kill():
            self.kills -= 1


async def serves(port: int) -> bool:
    """Whether a service has its database and takes calls."""
    options = (("grpc.enable_http_proxy", 0),)
    async with aio.insecure_channel(f"{HOST}:{port}", options=options) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            health_pb2.HealthCheckRequest.SerializeToString,
            health_pb2.HealthCheckResponse.FromString,
        )
        try:
            answer = await check(READINESS, timeout=1.0)
        except aio.AioRpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


@dataclass(eq=False)
class DatabaseServer:
    """PostgreSQL, whose whole tree is killed at once."""

    server: PostgreSQL
    kills: int = 0
    _killed: OsProcess | None = None
    _starting: threading.Lock = field(default_factory=threading.Lock)

    def kill(self) -> bool:
        """kill -9 of the postmaster and of every child it has; whether there was one."""
        running = None if self._starting.locked() else self.server.server()
        if running is None:
            return False
        tree = [running.pid]
        with suppress(psutil.Error, ProcessLookupError):
            os.kill(running.pid, signal.SIGSTOP)  # that it makes no more children meanwhile
            tree += [child.pid for child in psutil.Process(running.pid).children(recursive=True)]
        for pid in reversed(tree):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._killed = running
        self.kills += 1
        return True

    async def start(self) -> None:
        """Bring it up: it reads its log again."""
        await asyncio.to_thread(self._start)

    def _start(self) -> None:
        with self._starting:  # a start that nobody waits for any more goes on in its thread
            if self._killed is not None:  # one that is still dying would be taken for one that runs
                self._killed.wait_until_gone(LEAVE_SECONDS)
            self.server.start()

    def end(self) -> None:
        """At the end of the run."""
        with self._starting:
            pass
        self.kill()
