"""The callers' share of the calls to a processor: what is left of them is recovery's.

However many callers there are and however slow the processor is, unresolved money is still asked
for, since recovery works on the bare processor, with the calls that the callers cannot have.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ParamSpec, TypeVar

from payment.domain.creation import CreationAttempt
from payment.domain.evidence import OutcomeUnknown, ProcessorRefund, RefundReply, Reply
from payment.domain.machine import Post
from payment.domain.payment import Payment
from payment.domain.refund import Refund
from payment.domain.values import Money
from payment.service_layer.ports import Processor

WAIT_SECONDS = 1.0
"""How long a piece of work waits for a place. Short, because a caller had better hear that he should
come again, and because a refund has to leave soon after it was last known not to be listed.
"""
NO_SLOT = OutcomeUnknown("as many calls are under way as callers may have", unreachable=True)

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")


class ProcessorBulkhead:
    """The port `Processor`, with places for so much work of callers at once.

    A place belongs to the task that does the work, from its first call to its end (every piece of
    work runs in a task of its own: `payment.api.background_tasks`). So a payment that got in with its
    creation is never kept waiting with its confirm or its cancel.

    Who finds no place hears that the outcome is unknown. For a creation that is before anything was
    recorded: UNAVAILABLE. What was recorded before its first call, a capture, a cancellation or a
    refund, is not shed: it is left to recovery, which takes it up within seconds.
    """

    def __init__(self, processor: Processor, places: int) -> None:
        self._processor = processor
        self._places = asyncio.Semaphore(places)
        self._working: set[asyncio.Task[Any]] = set()

    def supports_amount(self, amount: Money) -> bool:
        return self._processor.supports_amount(amount)

    async def create(self, attempt: CreationAttempt) -> Reply:
        return await self._placed(self._processor.create, attempt)

    async def retrieve(self, intent_id: str) -> Reply:
        return await self._placed(self._processor.retrieve, intent_id)

    async def post(self, payment: Payment, post: Post) -> Reply:
        return await self._placed(self._processor.post, payment, post)

    async def refund(self, refund: Refund) -> RefundReply:
        return await self._placed(self._processor.refund, refund)

    async def refunds(self, intent_id: str) -> Sequence[ProcessorRefund] | OutcomeUnknown:
        return await self._placed(self._processor.refunds, intent_id)

    async def _placed(
        self,
        call: Callable[Arguments, Awaitable[Answer]],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Answer | OutcomeUnknown:
        return await call(*args, **kwargs) if await self._has_place() else NO_SLOT

    async def _has_place(self) -> bool:
        """Whether the task has a place, or gets one in time."""
        task = asyncio.current_task()
        assert task is not None, "whoever awaits is in a task"  # noqa: S101
        if task not in self._working:
            try:
                async with asyncio.timeout(WAIT_SECONDS):
                    await self._places.acquire()
            except TimeoutError:
                return False
            self._working.add(task)
            task.add_done_callback(self._leave)
        return True

    def _leave(self, task: asyncio.Task[Any]) -> None:
        self._working.discard(task)
        self._places.release()
