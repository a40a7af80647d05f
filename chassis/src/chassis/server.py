"""A gRPC server that starts at once, tells its health honestly, and stops without losing a call.

    async with Server(listen=..., names=(NAME,), domain="oncepay.customer", ...) as server:
        database = ...                            # health answers while this waits
        server.add(add_CustomerServiceServicer_to_server, servicer)
        server.ready_when(database.is_ready)
        await server.serve()                      # until SIGTERM or SIGINT, and the drain

Health has these names (grpc.health.v1): `liveness`, the process, SERVING as long as it runs;
`readiness`, the empty name and the full name of each service, NOT_SERVING while the database is
away or behind, and while draining.
"""

import asyncio
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from types import SimpleNamespace, TracebackType
from typing import Any, Self

import grpc
import uvloop
from grpc import aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from chassis.errors import Translate
from chassis.handling import MOST_SECONDS, Found, Handler, Handling
from chassis.refusal import Refusal
from chassis.telemetry import log
from chassis.watches import Health, OpenStreams, Reflection

OPTIONS = (
    # Without this, two servers on one port both start, and share the calls.
    ("grpc.so_reuseport", 0),
    # The largest request we define is a payment with full metadata, some 100 KB in UTF-8.
    ("grpc.max_receive_message_length", 256 * 1024),
    # Calls that are read but not yet taken up; from 1,000 on, gRPC throws some away.
    ("grpc.server.max_pending_requests", 20_000),
    ("grpc.server.max_pending_requests_hard_limit", 20_000),
    # Clients come back to the balancer every five minutes, and so find new replicas; no call but
    # a stream lasts longer than the grace, and streams resume.
    ("grpc.max_connection_age_ms", 300_000),
    ("grpc.max_connection_age_grace_ms", int(MOST_SECONDS + 10) * 1_000),
    # A peer that is gone is found out in 40 s; clients may ask as often as every 20 s.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 20_000),
)
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
# How soon health follows what it tells of.
HEALTH_SECONDS = 0.5
# How long health watches have for reading NOT_SERVING before they are ended.
NOTICE_SECONDS = 0.2


class ListenRefused(Refusal):
    """The address cannot be listened on."""


class Server(grpc.GenericRpcHandler):
    """The server of one process.

    Args:
        listen: `host:port`; port 0 takes a free one, told by `address`.
        names: full names of the services it will have, for health and reflection.
        domain: names the service in errors, `oncepay.customer`.
        translate: what the service's own errors become.
        drain_seconds: how long running calls may take once it stops.

    Raises:
        ListenRefused: on entering.
    """

    def __init__(
        self,
        *,
        listen: str,
        names: Sequence[str],
        domain: str,
        translate: Translate,
        drain_seconds: float,
    ) -> None:
        self.address = listen
        self._names = tuple(names)
        self._turning = ("readiness", "", *self._names)
        self._handling = Handling(domain, translate)
        self._drain_seconds = drain_seconds
        self._handlers: dict[str, Handler] = {}
        self._open_streams = OpenStreams()
        self._health = Health(self._open_streams)
        self._stopping = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None
        self._starting: asyncio.Task[Any] | None = None
        self._drained = False
        self._drain_until: float | None = None
        self._server = aio.server(options=OPTIONS)

    async def __aenter__(self) -> Self:
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        shown = (*self._names, health.SERVICE_NAME, reflection.SERVICE_NAME)
        add_reflection: Any = reflection_pb2_grpc.add_ServerReflectionServicer_to_server
        add_reflection(Reflection(shown, self._open_streams), self._server)
        self._server.add_generic_rpc_handlers((self,))
        host = self.address.rpartition(":")[0]
        try:
            port = self._server.add_insecure_port(self.address)
        except RuntimeError:
            raise ListenRefused(
                f"LISTEN_ADDRESS {self.address} cannot be listened on: another process has the "
                "port, or the address is not this machine's. Stop the other one (is this service "
                "running already?) or choose another port."
            ) from None
        self.address = f"{host}:{port}"
        await self._health.set("liveness", SERVING)
        await self._tell(NOT_SERVING)
        await self._server.start()
        self._starting = asyncio.current_task()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self.stop)
        log.info("listening", address=self.address)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        """Drains. A stop that was asked for while still starting is no error."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().remove_signal_handler(number)
        await self._drain()
        if isinstance(error, asyncio.CancelledError) and self._stopping.is_set():
            return bool(self._starting and self._starting.uncancel() == 0)
        return False

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Found:
        """Finds the handler of a method when it is called, so that servicers may come late."""
        method = handler_call_details.method
        handler = self._handlers.get(method)
        if not self._handlers and method.rpartition("/")[0].lstrip("/") in self._names:
            return self._handling.starting()
        return handler

    def add(self, add_to_server: Callable[[Any, Any], None], servicer: object) -> None:
        """Serves a servicer, given the generated `add_..._to_server`."""
        # It registers all handlers twice, in gRPC's old form and in the new one.
        stand_in = SimpleNamespace(
            add_registered_method_handlers=self._collect,
            add_generic_rpc_handlers=lambda _handlers: None,
        )
        add_to_server(servicer, stand_in)

    def _collect(self, service: str, handlers: Mapping[str, Handler]) -> None:
        for name, handler in handlers.items():
            method = f"/{service}/{name}"
            self._handlers[method] = self._handling.wrap(method, handler)

    def ready_when(self, is_ready: Callable[[], bool]) -> None:
        """From now on, health says what `is_ready` says; asked twice a second, it must be quick."""
        self._watching = asyncio.create_task(self._follow(is_ready))

    async def _follow(self, is_ready: Callable[[], bool]) -> None:
        told = None
        while True:
            if (state := SERVING if is_ready() else NOT_SERVING) != told:
                await self._tell(state)
                log.info("readiness", state="SERVING" if state == SERVING else "NOT_SERVING")
                told = state
            await asyncio.sleep(HEALTH_SECONDS)

    async def _tell(self, state: Any) -> None:
        for name in self._turning:
            await self._health.set(name, state)

    def stop(self) -> None:
        """Asks the server to stop; what SIGTERM and SIGINT do."""
        first = not self._stopping.is_set()
        self._stopping.set()
        if first and self._starting is not None:
            self._starting.cancel()

    async def serve(self, *, on_stop: Callable[[], object] | None = None) -> None:
        """Serves until it is asked to stop; returns when no call runs any more.

        Args:
            on_stop: called first: what works beside the calls is to begin nothing new.
        """
        self._starting = None
        await self._stopping.wait()
        if on_stop is not None:
            on_stop()
        await self._drain()

    def seconds_left(self) -> float:
        """What is left of the time for draining: the whole of it, until it has begun."""
        if self._drain_until is None:
            return self._drain_seconds
        return max(0.0, self._drain_until - time.monotonic())

    async def _drain(self) -> None:
        """Health turns first; then no call is taken; then what runs may finish, for a while."""
        if self._drained:
            return
        self._drained = True
        self._drain_until = time.monotonic() + self._drain_seconds
        if self._watching is not None:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching
            self._watching = None
        await self._tell(NOT_SERVING)
        self._handling.drain()
        log.info("draining", seconds=self._drain_seconds)
        # gRPC is told to stop once, and at once: callers turn elsewhere (no listener, GOAWAY) while
        # the last calls run. A second stop, to shorten the first, is what gRPC does not survive:
        # where the time of one is up as the other ends, it cancels calls on a server that is gone.
        # The price: a connection whose peer is frozen is waited for, up to 20 s within this time.
        stopping = asyncio.create_task(self._server.stop(self._drain_seconds))
        with suppress(TimeoutError):
            await asyncio.wait_for(self._handling.idle.wait(), self._drain_seconds)
        # Health watches and reflection would hold it to the end of its time: they are ended when no
        # other call runs, and the watches had time to be told of our health.
        await asyncio.wait([stopping], timeout=NOTICE_SECONDS)
        self._open_streams.close()
        await stopping
        log.info("stopped")


def run(main: Coroutine[Any, Any, None]) -> None:
    """Runs a service on uvloop; a refused start is one sentence and exit code 1."""
    try:
        uvloop.run(main)
    except Refusal as refusal:
        log.error("refused", reason=str(refusal))
        sys.exit(1)
