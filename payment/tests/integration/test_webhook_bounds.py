"""What strangers may take of the webhooks' endpoint: so much at once, and no more. The endpoint alone."""

import asyncio
import gzip
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import aiohttp
import pytest

from payment.api.webhooks import (
    MAX_CONCURRENT_REQUESTS,
    MAX_CONCURRENT_WRITES,
    MAX_CONNECTIONS,
    PATH,
    Webhooks,
)
from payment.domain.webhook_notification import WebhookNotification
from payment.processors.stripe.webhooks import StripeWebhookReader
from payment.service_layer.record_notification import RecordNotification
from sandbox.webhooks import signature

SECRET = "whsec_of_these_tests"
EVENT = json.dumps(
    {
        "id": "evt_1",
        "type": "payment_intent.succeeded",
        "data": {"object": {"id": "pi_1", "object": "payment_intent"}},
    }
).encode()


@dataclass
class SlowNotifications:
    """A NotificationRepository whose database answers when it is let."""

    let: asyncio.Event = field(default_factory=asyncio.Event)
    taken: int = 0
    at_once: int = 0
    most_at_once: int = 0

    async def record(self, notification: WebhookNotification) -> bool:  # noqa: ARG002 - of the port
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await self.let.wait()
        self.at_once -= 1
        self.taken += 1
        return False


@pytest.fixture
def notifications() -> SlowNotifications:
    return SlowNotifications()


@pytest.fixture
async def address(
    notifications: SlowNotifications, free_port: Callable[[], int]
) -> AsyncIterator[str]:
    webhooks = Webhooks(
        RecordNotification(notifications, lambda: None), StripeWebhookReader([SECRET])
    )
    async with webhooks.listen(f"127.0.0.1:{free_port()}") as bound:
        yield bound


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as opened:
        yield opened


async def post(session: aiohttp.ClientSession, address: str, body: bytes, **said: str) -> int:
    headers = {"Stripe-Signature": signature(body, [SECRET], int(time.time())), **said}
    async with session.post(f"http://{address}{PATH}", data=body, headers=headers) as reply:
        return reply.status


async def test_more_than_may_be_in_hand_is_sent_away_and_what_is_in_hand_is_taken(
    session: aiohttp.ClientSession, address: str, notifications: SlowNotifications
) -> None:
    sent = [
        asyncio.create_task(post(session, address, EVENT))
        for _ in range(MAX_CONCURRENT_REQUESTS + 8)
    ]
    answers = asyncio.as_completed(sent)
    assert [await next(answers) for _ in range(8)] == [503] * 8
    notifications.let.set()
    assert [await each for each in answers] == [200] * MAX_CONCURRENT_REQUESTS
    assert notifications.taken == MAX_CONCURRENT_REQUESTS


async def test_few_are_with_the_database_at_once(
    session: aiohttp.ClientSession, address: str, notifications: SlowNotifications
) -> None:
    sent = [
        asyncio.create_task(post(session, address, EVENT))
        for _ in range(MAX_CONCURRENT_REQUESTS // 2)
    ]
    await asyncio.wait(sent, timeout=0.5)  # all have come, and wait
    notifications.let.set()
    assert await asyncio.gather(*sent) == [200] * len(sent)
    assert notifications.most_at_once == MAX_CONCURRENT_WRITES


async def test_a_connection_too_many_is_closed_as_it_comes(address: str) -> None:
    host, port = address.split(":")
    async with AsyncExitStack() as open_ones:
        for _ in range(MAX_CONNECTIONS):
            _, writer = await asyncio.open_connection(host, int(port))
            open_ones.callback(writer.close)
        reader, writer = await asyncio.open_connection(host, int(port))
        open_ones.callback(writer.close)
        async with asyncio.timeout(5):
            assert await reader.read() == b""


async def test_a_body_is_taken_as_it_came_and_never_unpacked(
    session: aiohttp.ClientSession, address: str, notifications: SlowNotifications
) -> None:
    notifications.let.set()
    signed = {"Stripe-Signature": signature(EVENT, [SECRET], int(time.time()))}
    packed = gzip.compress(EVENT)
    assert await post(session, address, packed, **signed, **{"Content-Encoding": "gzip"}) == 400
    assert notifications.taken == 0


async def test_without_a_secret_nothing_is_listened_to(free_port: Callable[[], int]) -> None:
    port = free_port()
    async with Webhooks(RecordNotification(SlowNotifications(), lambda: None), None).listen(
        f"127.0.0.1:{port}"
    ) as at:
        assert at == ""
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
