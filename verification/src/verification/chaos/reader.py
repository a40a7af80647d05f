"""One reader of WatchPaymentEvents, that goes on from its cursor whatever breaks."""

import asyncio
from typing import TypeAlias

from grpc import aio
from oncepay.payment.v1.payment_pb2 import Payment
from oncepay.payment.v1.payment_service_pb2 import (
    WatchPaymentEventsRequest,
    WatchPaymentEventsResponse,
)
from oncepay.payment.v1.payment_service_pb2_grpc import PaymentServiceStub

from verification.chaos.facts import EventRow

SILENCE_SECONDS = 20.0
"""A stream that says nothing for so long is opened anew: its replica may be stopped."""
AGAIN_SECONDS = 0.3
Stream: TypeAlias = "aio.UnaryStreamCall[WatchPaymentEventsRequest, WatchPaymentEventsResponse]"


class Reader:
    """Attributes: seen: every event, in the order it came; resumed: how often it had to go on."""

    def __init__(self, channel: aio.Channel) -> None:
        self.seen: list[EventRow] = []
        self.resumed = 0
        self._service = PaymentServiceStub(channel)
        self._cursor = ""

    async def read(self) -> None:
        """For ever."""
        while True:
            request = WatchPaymentEventsRequest(parent="payments/-", cursor=self._cursor)
            try:
                await self._take(self._service.WatchPaymentEvents(request))
            except (aio.AioRpcError, TimeoutError):
                self.resumed += 1
                await asyncio.sleep(AGAIN_SECONDS)

    async def _take(self, stream: Stream) -> None:
        replies = aiter(stream)
        try:
            while True:
                async with asyncio.timeout(SILENCE_SECONDS):
                    reply = await anext(replies)
                event = reply.payment_event
                state = Payment.State.Name(event.state)
                self.seen.append(EventRow(event.payment, event.sequence, event.type, state))
                self._cursor = event.cursor
        finally:
            stream.cancel()
