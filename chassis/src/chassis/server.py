"""A gRPC server that starts at once, reports its health, and stops without losing a call.

    async with Server(listen=..., names=(NAME,), domain="oncepay.customer", ...) as server:
        database = ...                            # health answers while this waits
        server.add(add_CustomerServiceServicer_to_server, servicer)
        server.ready_when(database.is_ready)
        await server.serve()                      # until SIGTERM or SIGINT, and the drain

Health has these names (grpc.health.v1): `liveness`, the process, SERVING as long as it runs;
`readiness`, the empty name and the full name of each service, NOT_SERVING while the database
cannot be used, and while draining.
"""

import asyncio
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any, Self

import grpc
import uvloop
from grpc import aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from chassis.errors import Translate
from chassis.interceptor import MAX_CALL_SECONDS, CallInterceptor, Found
from chassis.startup_error import StartupError
from chassis.telemetry import log

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
    ("grpc.max_connection_age_grace_ms", int(MAX_CALL_SECONDS + 10) * 1_000),
    # A peer that is gone is noticed within 40 s; clients may ask as often as every 20 s.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 20_000),
)
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
# How often health is brought up to date.
HEALTH_SECONDS = 0.5
# How long health watches have, once no call runs, to report the end.
NOTICE_SECONDS = 0.2


class ListenError(StartupError):
    """The address cannot be listened on."""


class Services(grpc.GenericRpcHandler):
    """The services of a server, added while it runs: gRPC's own have to be there before its start,
    which does not wait for the database.
    """

    def __init__(self) -> None:
        self._handlers: list[grpc.GenericRpcHandler] = []

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Found:
        found = (handler.service(handler_call_details) for handler in self._handlers)
        return next(filter(None, found), None)

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """What the generated `add_..._to_server` calls."""
        self._handlers.extend(handlers)

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Any]) -> None:
        """What it calls besides: the same handlers, for a server that has not started."""


class Server:
    """The server of one process.

    Args:
        listen: `host:port`; port 0 takes a free one; `address` has it.
        names: full names of the services it will have.
        domain: names the service in errors, `oncepay.customer`.
        translate: what the service's own errors become.
        drain_seconds: how long running calls may take once it stops.

    Raises:
        ListenError: on entering.
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
        self._interceptor = CallInterceptor(names, domain, translate)
        self._drain_seconds = drain_seconds
        self._services = Services()
        self._health = health.aio.HealthServicer()
        self._stopping = asyncio.Event()
        self._following: asyncio.Task[None] | None = None
        self._is_drained = False
        self._drain_until: float | None = None
        self._server = aio.server(interceptors=[self._interceptor], options=OPTIONS)

    async def __aenter__(self) -> Self:
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        shown = (*self._names, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(shown, self._server)
        self._server.add_generic_rpc_handlers((self._services,))
        host = self.address.rpartition(":")[0]
        try:
            port = self._server.add_insecure_port(self.address)
        except RuntimeError:
            raise ListenError(
                f"LISTEN_ADDRESS {self.address} cannot be listened on: another process has the "
                "port, or the address is not this machine's. Stop the other one (is this service "
                "running already?) or choose another port."
            ) from None
        self.address = f"{host}:{port}"
        await self._health.set("liveness", SERVING)
        await self._set_readiness(NOT_SERVING)
        await self._server.start()
        if (starting := asyncio.current_task()) is not None:
            _on_signal(starting.cancel)
        log.info("listening", address=self.address)
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Drains."""
        await self._drain()

    def add(self, add_to_server: Callable[[Any, Any], None], servicer: object) -> None:
        """Serves a servicer, given the generated `add_..._to_server`."""
        add_to_server(servicer, self._services)
        self._interceptor.is_starting = False

    def ready_when(self, is_ready: Callable[[], bool]) -> None:
        """From now on, health follows `is_ready`, which is called twice a second."""
        self._following = asyncio.create_task(self._follow(is_ready))

    async def _follow(self, is_ready: Callable[[], bool]) -> None:
        before = None
        while True:
            if (state := SERVING if is_ready() else NOT_SERVING) != before:
                await self._set_readiness(state)
                name = health_pb2.HealthCheckResponse.ServingStatus.Name(state)
                log.info("readiness_changed", state=name)
                before = state
            await asyncio.sleep(HEALTH_SECONDS)

    async def _set_readiness(self, state: Any) -> None:
        for name in ("readiness", "", *self._names):
            await self._health.set(name, state)

    def stop(self) -> None:
        """Asks the server to stop; what SIGTERM and SIGINT do while it serves."""
        self._stopping.set()

    async def serve(self, *, on_stop: Callable[[], object] | None = None) -> None:
        """Serves until it is asked to stop; returns when no call runs any more.

        Args:
            on_stop: called first: what works beside the calls is to begin nothing new.
        """
        _on_signal(self.stop)
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
        """Health turns first; then no call is taken; then running calls may finish, for a while."""
        if self._is_drained:
            return
        self._is_drained = True
        self._drain_until = time.monotonic() + self._drain_seconds
        if self._following is not None:
            self._following.cancel()
            with suppress(asyncio.CancelledError):
                await self._following
        await self._set_readiness(NOT_SERVING)
        self._interceptor.drain()
        log.info("draining", seconds=self._drain_seconds)
        # gRPC is told to stop once, and at once: callers turn elsewhere (no listener, GOAWAY) while
        # the last calls run. A second stop, to shorten the first, can end the process: where the
        # time of one is up as the other ends, gRPC cancels calls on a server that is gone. The price:
        # a connection whose peer is frozen is waited for, up to 20 s within this time.
        stopping = asyncio.create_task(self._server.stop(self._drain_seconds))
        with suppress(TimeoutError):
            await asyncio.wait_for(self._interceptor.idle.wait(), self._drain_seconds)
        # Health watches and reflection would hold it to the end of its time: they are ended when no
        # other call runs, and the watches had time to report it.
        await asyncio.wait([stopping], timeout=NOTICE_SECONDS)
        self._interceptor.other_streams.close()
        await stopping
        log.info("stopped")


def _on_signal(callback: Callable[[], object]) -> None:
    """Calls this on SIGTERM and SIGINT from now on, and nothing that was set before."""
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, callback)


def run(main: Coroutine[Any, Any, None]) -> None:
    """Runs a service on uvloop. A start that is refused is one message and exit code 1; one that is
    ended by a signal, exit code 0.
    """
    try:
        with suppress(asyncio.CancelledError):
            uvloop.run(main)
    except StartupError as error:
        log.error("startup_failed", reason=str(error))
        sys.exit(1)
