"""A reader of WatchPaymentEvents that resumes from its cursor whatever breaks."""

import asyncio
from typing import TypeAlias

from grpc import aio
from oncepay.payment.v1.payment_pb2 import Payment
from oncepay.payment.v1.payment_service_pb2 import (
    WatchPaymentEventsRequest,
    WatchPaymentEventsResponse,
)
from oncepay.payment.v1.payment_service_pb2_grpc import PaymentServiceStub

from verification.chaos.snapshot import EventRow

SILENCE_SECONDS = 20.0
"""A stream that is silent for so long is resumed: its replica may be paused."""
RESUME_SECONDS = 0.3
Stream: TypeAlias = "aio.UnaryStreamCall[WatchPaymentEventsRequest, WatchPaymentEventsResponse]"


class EventReader:
    """Attributes: received: every event, in its order; resumed: how often a stream was resumed."""

    def __init__(self, channel: aio.Channel) -> None:
        self.received: list[EventRow] = []
        self.resumed = 0
        self._service = PaymentServiceStub(channel)
        self._cursor = ""

    async def read(self) -> None:
        """Until it is cancelled."""
        while True:
            request = WatchPaymentEventsRequest(parent="payments/-", cursor=self._cursor)
            try:
                await self._read(self._service.WatchPaymentEvents(request))
            except (aio.AioRpcError, TimeoutError):
                self.resumed += 1
                await asyncio.sleep(RESUME_SECONDS)

    async def _read(self, stream: Stream) -> None:
        replies = aiter(stream)
        try:
            while True:
                async with asyncio.timeout(SILENCE_SECONDS):
                    reply = await anext(replies)
                event = reply.payment_event
                state = Payment.State.Name(event.state)
                self.received.append(EventRow(event.payment, event.sequence, event.type, state))
                self._cursor = event.cursor
        finally:
            stream.cancel()
