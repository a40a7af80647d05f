"""What happens around every call, whatever its method: an interceptor of the gRPC server.

Every call gets an id, a deadline and one line in the log. Every error leaves as a status with
details; the text of an unexpected one is never exposed to a caller. Methods are handed bytes in and
out of the server and parsed here, so that bytes that do not parse are answered like any other wrong
argument.
"""

import asyncio
import inspect
import itertools
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Collection
from contextlib import aclosing, nullcontext
from functools import partial
from typing import Any, NoReturn, TypeAlias

import grpc
from google.protobuf.message import DecodeError
from google.rpc import code_pb2, status_pb2
from grpc import aio
from grpc_status import rpc_status

from chassis import call, errors
from chassis.database_errors import is_database_away
from chassis.open_streams import OpenStreams
from chassis.telemetry import log
from chassis.values import InvalidValue

# The caller's id of a call goes into the logs, so it is taken only in the alphabet of UUIDs and
# trace ids, in which nobody's name or number can be written.
VALID_CALL_ID = re.compile("(?=.*[a-f])[0-9a-f-]{16,64}")
# Ids of our own: random for the process, counted within it (a UUID for each call costs ten times
# as much). The first letter makes them valid above, so that other services take them.
PROCESS_ID = "a" + secrets.token_hex(8)[1:]
_calls = itertools.count(1)

DEFAULT_CALL_SECONDS = 10.0
MAX_CALL_SECONDS = 30.0
# Bounds memory, and so the least that a container's limit may be: a call in flight costs some 25 KB,
# and 160 KB with the largest requests. Measured: 78 MB idle, 169 MB with 4,000 small calls, 398 MB
# with 2,000 of 74 KB, 570 MB with 4,000 of those.
MAX_CALLS = 2_048
# A stream keeps its place for as long as its client wants: streams must leave room for calls.
MAX_STREAMS = 256

# In quotes: the stubs have parameters that the class itself does not.
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Found: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"
Context: TypeAlias = "aio.ServicerContext[Any, Any]"
Body = Callable[[bytes, Context], Awaitable[Any]]


class CallInterceptor(aio.ServerInterceptor):
    """Surrounds the calls of a server's services. Of health and reflection it only ends the streams.

    Servicers raise, and do not abort; their streams are async generators.

    Attributes:
        is_starting: the services are not there yet, and their calls are refused.
        other_streams: health watches and reflection.
        idle: set once no call runs and none will: the drain is over.

    Args:
        services: the full names of the services.
        domain: names the service in ErrorInfo, `oncepay.customer`.
        translate: what the service's own errors become; None for other errors.
    """

    def __init__(self, services: Collection[str], domain: str, translate: errors.Translate) -> None:
        self._services = frozenset(services)
        self._domain = domain
        self._translate = translate
        self._handlers = dict[str, Handler]()  # of the services' methods, each made once
        self._running = 0
        self._streams = OpenStreams()
        self._is_draining = False
        self.other_streams = OpenStreams()
        self.is_starting = True
        self.idle = asyncio.Event()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Found]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Found:
        """Returns the handler of a method, with what surrounds its calls; None for an unknown one."""
        method = handler_call_details.method
        if found := self._handlers.get(method):
            return found
        is_ours = method.rpartition("/")[0].lstrip("/") in self._services
        if is_ours and self.is_starting:
            run = partial(self._run, method, _refuse_while_starting)
            return grpc.unary_unary_rpc_method_handler(run)
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        if not is_ours:
            return self._ending_streams(handler)
        self._handlers[method] = self._surround(method, handler)
        return self._handlers[method]

    def drain(self) -> None:
        """Takes no new call, and ends the services' streams."""
        self._is_draining = True
        self._streams.close()
        self._set_if_idle()

    def _surround(self, method: str, handler: Handler) -> Handler:
        """A handler of bytes that runs the method with all that surrounds a call."""
        inner: Any = handler  # the stubs do not know what a handler carries

        async def reply(raw: bytes, context: Context) -> Any:
            request = _parsed(inner.request_deserializer, raw)
            return inner.response_serializer(await inner.unary_unary(request, context))

        async def write_replies(raw: bytes, context: Context) -> None:
            request = _parsed(inner.request_deserializer, raw)
            async with aclosing(inner.unary_stream(request, context)) as replies:
                async for message in replies:
                    await context.write(inner.response_serializer(message))

        if inner.unary_unary:
            return grpc.unary_unary_rpc_method_handler(partial(self._run, method, reply))
        if inner.unary_stream:
            run = partial(self._run, method, write_replies, is_stream=True)
            return grpc.unary_stream_rpc_method_handler(run)
        raise TypeError(f"{method} takes a stream of requests, which is not served")

    def _ending_streams(self, handler: Handler) -> Handler:
        """The same handler, whose streams can be ended: they would hold the server's stop."""
        inner: Any = handler
        if inner.unary_unary:
            return handler

        async def stream(request: Any, context: Context) -> None:
            try:
                with self.other_streams.open():
                    replies = (inner.unary_stream or inner.stream_stream)(request, context)
                    if inspect.isawaitable(replies):  # it writes them itself
                        await replies
                        return
                    async for message in replies:
                        await context.write(message)
            except errors.CallRefused as refused:
                await _abort(context, self._status(refused.answer), ())

        make = grpc.unary_stream_rpc_method_handler
        if inner.stream_stream:
            make = grpc.stream_stream_rpc_method_handler
        return make(stream, inner.request_deserializer, inner.response_serializer)

    async def _run(
        self, method: str, body: Body, raw: bytes, context: Context, *, is_stream: bool = False
    ) -> Any:
        """One call, from its id to its line in the log; `body` may raise whatever it wants."""
        began = time.perf_counter()
        call_id = _call_id_of(context)
        metadata = ((call.CALL_ID_KEY, call_id),)
        context.set_trailing_metadata(metadata)
        # None without a deadline, whatever the stubs say. gRPC itself ends a call at its client's
        # deadline; a stream ends when its client wants.
        given: float | None = context.time_remaining()
        own = None
        if not is_stream and (given is None or given > MAX_CALL_SECONDS):
            own = DEFAULT_CALL_SECONDS if given is None else MAX_CALL_SECONDS
        call.begin(call_id, own or given)
        timer = asyncio.timeout(own)
        self._running += 1
        code = "CANCELLED"
        try:
            with self._streams.open() if is_stream else nullcontext():
                self._check_capacity()
                async with timer:
                    reply = await body(raw, context)
            code = "OK"
            return reply
        except aio.AbortError:
            code = "ABORTED_BY_SERVICER"
            raise
        except asyncio.CancelledError:
            if given is not None and time.perf_counter() - began >= given:
                code = "DEADLINE_EXCEEDED"
            raise
        except Exception as error:  # noqa: BLE001 - the one place that catches everything
            timed_out = errors.CallRefused(errors.CALL_TIMED_OUT) if timer.expired() else None
            status = self._status_of(method, timed_out or error)
            code = code_pb2.Code.Name(status.code)
        finally:
            self._running -= 1
            self._set_if_idle()
            ms = round((time.perf_counter() - began) * 1_000, 3)
            log.info("call", method=method, code=code, ms=ms)
        return await _abort(context, status, metadata)

    def _set_if_idle(self) -> None:
        if self._is_draining and not self._running:
            self.idle.set()

    def _check_capacity(self) -> None:
        """Raises an error where no new call is taken."""
        if self._is_draining:
            raise errors.CallRefused(errors.DRAINING)
        if self._running > MAX_CALLS or len(self._streams) > MAX_STREAMS:
            raise errors.CallRefused(errors.TOO_MANY_CALLS)

    def _status_of(self, method: str, error: Exception) -> status_pb2.Status:
        if isinstance(error, errors.CallRefused):
            return self._status(error.answer)
        try:
            status = self._translate(error)
        except Exception as second:  # noqa: BLE001 - its text must not leave either
            status, error = None, second
        if status is not None:
            return status
        if isinstance(error, InvalidValue):
            return errors.invalid(error, self._domain)
        if is_database_away(error):
            log.warning("database_unavailable", method=method, exc_info=error)
            return self._status(errors.DATABASE_UNAVAILABLE)
        log.error("call_failed", method=method, exc_info=error)
        return self._status(errors.UNEXPECTED)

    def _status(self, answer: errors.Answer) -> status_pb2.Status:
        return errors.status_of(answer, self._domain, {}, {})


def _call_id_of(context: Context) -> str:
    """The id that the caller gave the call, where it is valid; a new one otherwise."""
    for key, value in context.invocation_metadata() or ():
        if key == call.CALL_ID_KEY and isinstance(value, str) and VALID_CALL_ID.fullmatch(value):
            return value
    return f"{PROCESS_ID}-{next(_calls):08x}"


async def _refuse_while_starting(_raw: bytes, _context: Context) -> NoReturn:
    raise errors.CallRefused(errors.STARTING)


def _parsed(decode: Callable[[bytes], Any], raw: bytes) -> Any:
    try:
        return decode(raw)
    except DecodeError:
        message = "the bytes are not this method's request; is the client's contract another one?"
        raise InvalidValue("", "UNREADABLE", message) from None


async def _abort(
    context: Context, status: status_pb2.Status, metadata: tuple[tuple[str, str], ...]
) -> NoReturn:
    """Ends the call with the status, keeping what `abort_with_status` would drop: the call id."""
    packed: Any = rpc_status.to_status(status)
    whole = type(packed)(packed.code, packed.details, metadata + tuple(packed.trailing_metadata))
    await context.abort_with_status(whole)
