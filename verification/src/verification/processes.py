"""Processes that are killed, paused and started again: a replica of a service, and PostgreSQL.

Only processes that were started here are ever signalled, each by its own process id.
"""

import asyncio
import os
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

import psutil  # type: ignore[import-untyped]  # ships no types

from oncepay_cli.local import health, processes
from oncepay_cli.local.os_processes import OsProcess
from oncepay_cli.local.paths import Paths
from oncepay_cli.local.postgresql import PostgreSQL
from oncepay_cli.local.processes import Child, Program

READY_SECONDS = 300.0
"""A bound, not an expectation: the machine may have much else to do."""
EXIT_SECONDS = 30.0
POLL_SECONDS = 0.1


class NotReady(Exception):
    """A process does not become ready."""


@dataclass(eq=False)
class ServiceProcess:
    """A replica of one service.

    Attributes:
        port: of its gRPC.
        kills: how often it was killed by `kill`.
        up: set while it serves: not between a kill and the next start, nor while it is paused.
    """

    name: str
    module: tuple[str, ...]
    settings: dict[str, str]
    paths: Paths
    port: int
    kills: int = 0
    up: asyncio.Event = field(default_factory=asyncio.Event)
    _child: Child | None = None
    _is_paused: bool = False

    @property
    def service(self) -> str:
        """`payment` of `payment-2`."""
        return self.name.split("-")[0]

    async def start(self) -> None:
        """Start it, and return when it serves.

        Raises:
            NotReady: it ended, or does not serve in time.
        """
        program = Program(self.name, self.module, self.settings, self._is_ready)
        child = self._child = processes.start(program, self.paths)
        until = time.monotonic() + READY_SECONDS
        while not await asyncio.to_thread(self._is_ready):
            if child.process.poll() is not None:
                raise NotReady(str(child.failure()))
            if time.monotonic() > until:
                raise NotReady(f"{self.name} is not ready after {READY_SECONDS:.0f} s")
            await asyncio.sleep(POLL_SECONDS)
        self.up.set()

    def _is_ready(self) -> bool:
        return health.service_is_ready(self.port)

    def kill(self) -> bool:
        """Send SIGKILL, and return when it is gone; whether there was something to kill."""
        child = self._child
        if child is None or child.process.poll() is not None:
            return False
        self.up.clear()
        child.process.kill()
        child.process.wait()
        self._child = None
        self.kills += 1
        return True

    def terminate(self) -> None:
        """Send SIGTERM, and return when it has drained and ended."""
        self.up.clear()
        if self._child is not None:
            self._child.stop()
            self._child = None

    def pause(self) -> bool:
        """Send SIGSTOP; whether it was up."""
        if self._child is None or not self.up.is_set():
            return False
        self.up.clear()
        self._child.process.send_signal(signal.SIGSTOP)
        self._is_paused = True
        return True

    def resume(self) -> None:
        """Send SIGCONT, if it is paused."""
        if self._child is not None and self._is_paused:
            self._is_paused = False
            self._child.process.send_signal(signal.SIGCONT)
            self.up.set()

    def end(self) -> None:
        """Kill it at the end of everything, uncounted."""
        if self.kill():
            self.kills -= 1


@dataclass(eq=False)
class DatabaseServer:
    """PostgreSQL, whose whole process tree is killed at once. Attributes: kills: how often it was."""

    server: PostgreSQL
    kills: int = 0
    _killed: OsProcess | None = None
    _starting: threading.Lock = field(default_factory=threading.Lock)

    def kill(self) -> bool:
        """Send SIGKILL to the postmaster and to each of its children; whether there was one."""
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
        """Start it, and return when it has replayed its log and takes connections."""
        await asyncio.to_thread(self._start)

    def _start(self) -> None:
        with self._starting:  # a start that nobody waits for any more goes on in its thread
            if self._killed is not None:  # one that is still dying would be taken for one that runs
                self._killed.wait_until_gone(EXIT_SECONDS)
            self.server.start()

    def end(self) -> None:
        """Kill it at the end of everything."""
        with self._starting:
            pass
        self.kill()
