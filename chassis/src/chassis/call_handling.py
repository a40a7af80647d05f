"""What happens around every call, whatever the method.

Bytes in, bytes out: the request is parsed in here, so that bytes that do not parse are answered
like any other wrong argument. Every call gets an id, a deadline and one line in the log; every
error leaves as a status with details, and no text of a surprise ever leaves at all.
"""

import asyncio
import itertools
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing, nullcontext
from typing import Any, NoReturn, TypeAlias

import grpc
from google.protobuf.message import DecodeError
from google.rpc import code_pb2, status_pb2
from grpc import aio
from grpc_status import rpc_status

from chassis import call
from chassis.database_errors import is_database_away
from chassis.errors import Translate, describe, status, unavailable
from chassis.telemetry import log
from chassis.values import InvalidValue

# The caller's id of a call goes into the logs, so it is taken only in the alphabet of UUIDs and
# trace ids, in which nobody's name or number can be written.
CALL_ID = re.compile("(?=.*[a-f])[0-9a-f-]{16,64}")
# Ids of our own: random for the process, counted within it (a UUID for each call costs ten times
# as much). The first letter makes it one of the alphabet above, so that other services take it.
RUN = "a" + secrets.token_hex(8)[1:]
_calls = itertools.count(1)

DEFAULT_SECONDS = 10.0
MAX_CALL_SECONDS = 30.0
# Bounds memory, and so the least that a container's limit may be: a call in flight costs some 25 KB, and 160 KB
# with the largest requests. Measured: 78 MB idle, 169 MB with 4,000 small ones, 398 MB with 2,000 of 74 KB,
# 570 MB with 4,000 of those. Beyond, callers are told to come again.
MAX_CALLS = 2_048
# A stream keeps its place for as long as its client wants: they must leave room for calls.
MAX_STREAMS = 256

UNTIMED = nullcontext()
# In quotes: the stubs have parameters that the class itself does not.
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Found: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"
Context = aio.ServicerContext[Any, Any]
Body = Callable[[bytes, Context], Awaitable[Any]]


class CallHandling:
    """Wraps the methods of servicers, and counts and ends their calls.

    Servicers raise, and do not abort; their streams are async generators.

    Attributes:
        idle: set once no call runs and none will: the drain is over.

    Args:
        domain: names the service in ErrorInfo, `oncepay.customer`.
        translate: what the service's own errors become; None for what it does not know.
    """

    def __init__(self, domain: str, translate: Translate) -> None:
        self._domain = domain
        self._translate = translate
        self._running = 0
        self._streams: set[asyncio.Task[Any]] = set()
        self._draining = False
        self.idle = asyncio.Event()

    def wrap(self, method: str, handler: Handler) -> Handler:
        """Returns a handler that runs the method with all that surrounds a call."""
        inner: Any = handler  # the stubs do not know what a handler carries

        async def reply(raw: bytes, context: Context) -> Any:
            request = _parsed(inner.request_deserializer, raw)
            return inner.response_serializer(await inner.unary_unary(request, context))

        async def write_replies(raw: bytes, context: Context) -> None:
            request = _parsed(inner.request_deserializer, raw)
            async with aclosing(inner.unary_stream(request, context)) as replies:
                async for each in replies:
                    await context.write(inner.response_serializer(each))

        async def unary(raw: bytes, context: Context) -> Any:
            return await self._run(method, reply, raw, context, streams=False)

        async def stream(raw: bytes, context: Context) -> None:
            await self._run(method, write_replies, raw, context, streams=True)

        if inner.unary_unary:
            return grpc.unary_unary_rpc_method_handler(unary)
        if inner.unary_stream:
            return grpc.unary_stream_rpc_method_handler(stream)
        raise TypeError(f"{method} takes a stream of requests, which is not served")

    def starting(self) -> Handler:
        """The handler of every method until the servicers are there."""
        message = "the service starts: its database does not answer yet; try again"

        async def refuse(_raw: bytes, context: Context) -> bytes:
            await _abort(context, unavailable("STARTING", message, self._domain), ())

        return grpc.unary_unary_rpc_method_handler(refuse)

    def drain(self) -> None:
        """Takes no new call, and ends the streams: they would never end by themselves."""
        self._draining = True
        for task in self._streams:
            task.cancel()
        self._set_if_idle()

    def _set_if_idle(self) -> None:
        if self._draining and not self._running:
            self.idle.set()

    async def _run(
        self, method: str, body: Body, raw: bytes, context: Context, *, streams: bool
    ) -> Any:
        """One call, from its id to its line in the log; `body` may raise whatever it wants."""
        began = time.perf_counter()
        identifier = _id_of(context)
        returned = ((call.CALL_ID, identifier),)
        context.set_trailing_metadata(returned)
        # None without a deadline, whatever the stubs say. gRPC itself ends a call at its client's
        # deadline; a stream ends when its client wants.
        given: float | None = context.time_remaining()
        own = None
        if not streams and (given is None or given > MAX_CALL_SECONDS):
            own = DEFAULT_SECONDS if given is None else MAX_CALL_SECONDS
        timer = None if own is None else asyncio.timeout(own)
        call.begin(identifier, own or given)
        code = "CANCELLED"
        task = asyncio.current_task()
        assert task is not None, "gRPC runs every call in a task"  # noqa: S101
        self._running += 1
        if streams:
            self._streams.add(task)
        answer = self._not_now(streams=streams)
        try:
            if answer is None:
                async with timer or UNTIMED:
                    reply = await body(raw, context)
                code = "OK"
                return reply
        except aio.AbortError:
            code = "ABORTED_BY_SERVICER"
            raise
        except asyncio.CancelledError:
            if not (streams and self._draining and task.uncancel() == 0):
                if given is not None and time.perf_counter() - began >= given:
                    code = "DEADLINE_EXCEEDED"
                raise
            answer = self._draining_status()
        except Exception as error:  # noqa: BLE001 - the one place that catches everything
            expired = timer is not None and timer.expired()
            answer = self._answer(method, error, identifier, expired=expired)
        finally:
            self._running -= 1
            self._set_if_idle()
            self._streams.discard(task)
            if answer is not None:
                code = code_pb2.Code.Name(answer.code)
            ms = round((time.perf_counter() - began) * 1_000, 3)
            log.info("call", method=method, code=code, ms=ms)
        return await _abort(context, answer, returned)

    def _not_now(self, *, streams: bool) -> status_pb2.Status | None:
        """Why no new call is taken; None if it is."""
        if self._draining:
            return self._draining_status()
        full = ""
        if self._running > MAX_CALLS:
            full = f"{MAX_CALLS} calls"
        elif streams and len(self._streams) > MAX_STREAMS:
            full = f"{MAX_STREAMS} streams"
        if not full:
            return None
        message = f"the service has {full} in hand and takes no more; try again"
        code = grpc.StatusCode.RESOURCE_EXHAUSTED
        return status(code, "TOO_MANY_CALLS", message, domain=self._domain, retry_after=1)

    def _draining_status(self) -> status_pb2.Status:
        return unavailable("DRAINING", "the service stops; call another replica", self._domain)

    def _answer(
        self, method: str, error: Exception, call_id: str, *, expired: bool
    ) -> status_pb2.Status:
        """What an error becomes."""
        if expired:
            message = "the call ran out of time; nothing is known of it: repeat it"
            code = grpc.StatusCode.DEADLINE_EXCEEDED
            return status(code, "DEADLINE_EXCEEDED", message, domain=self._domain, retry_after=1)
        try:
            known = self._translate(error)
        except Exception as second:  # noqa: BLE001 - its text must not leave either
            known, error = None, second
        if known is not None:
            return known
        if is_database_away(error):
            log.warning("database_unavailable", method=method, exc_info=error)
        elif not isinstance(error, InvalidValue):
            log.error("call_failed", method=method, exc_info=error)
        return describe(error, domain=self._domain, call_id=call_id)


def _id_of(context: Context) -> str:
    for key, value in context.invocation_metadata() or ():
        if key == call.CALL_ID and isinstance(value, str) and CALL_ID.fullmatch(value):
            return value
    return f"{RUN}-{next(_calls):08x}"


def _parsed(decode: Callable[[bytes], Any], raw: bytes) -> Any:
    try:
        return decode(raw)
    except DecodeError:
        message = "the bytes are not this method's request; is the client's contract another one?"
        raise InvalidValue("", "UNREADABLE", message) from None


async def _abort(
    context: Context, answer: status_pb2.Status, metadata: tuple[tuple[str, str], ...]
) -> NoReturn:
    """Ends the call with the status, keeping what `abort_with_status` would drop: the call id."""
    packed: Any = rpc_status.to_status(answer)
    whole = type(packed)(packed.code, packed.details, metadata + tuple(packed.trailing_metadata))
    await context.abort_with_status(whole)
