"""Health watches and reflection: streams that only the server ends."""

import asyncio
from collections.abc import AsyncIterable, Coroutine, Sequence
from typing import Any

import grpc
from grpc import aio
from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.reflection import aio as reflection_aio

Context = aio.ServicerContext[Any, Any]
Questions = AsyncIterable[reflection_pb2.ServerReflectionRequest]


class OpenStreams:
    """Streams whose clients stay for as long as the server does, until it closes them."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    async def run(self, stream: Coroutine[Any, Any, None], context: Context) -> None:
        """Runs a stream until it ends, its client leaves, or all are closed."""
        task = asyncio.current_task()
        assert task is not None, "gRPC runs every call in a task"  # noqa: S101
        self._tasks.add(task)
        try:
            if not self._closed:
                await stream
                return
        except asyncio.CancelledError:
            # gRPC cancels the task too, when the client leaves: then there is nobody to answer.
            if not (self._closed and task.uncancel() == 0):
                raise
        finally:
            self._tasks.discard(task)
            stream.close()
        message = "the service stops; call another replica"
        await context.abort(grpc.StatusCode.UNAVAILABLE, message)

    def close(self) -> None:
        """Ends them with UNAVAILABLE, and every later one at once."""
        self._closed = True
        for task in self._tasks:
            task.cancel()


class Health(health_aio.HealthServicer):
    """Health by grpc.health.v1. Its watches are open streams."""

    def __init__(self, streams: OpenStreams) -> None:
        super().__init__()
        self._streams = streams

    async def Watch(  # noqa: N802 - gRPC writes the name
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> None:
        await self._streams.run(super().Watch(request, context), context)


class Reflection(reflection_aio.ReflectionServicer):
    """Reflection by grpc.reflection.v1alpha, in open streams."""

    def __init__(self, names: Sequence[str], streams: OpenStreams) -> None:
        super().__init__(names)
        self._streams = streams

    async def ServerReflectionInfo(  # type: ignore[override]  # noqa: N802 - gRPC writes the name
        self, requests: Questions, context: Context
    ) -> None:
        await self._streams.run(self._answer(requests, context), context)

    async def _answer(self, requests: Questions, context: Context) -> None:
        # An async generator, whatever the stubs say.
        replies: Any = super().ServerReflectionInfo(requests, context)
        async for reply in replies:
            await context.write(reply)
