"""The endpoint of webhooks alone, over HTTP: what it refuses, and how much strangers may take of it."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field

import aiohttp
import pytest
from structlog.testing import capture_logs
from support.waiting import until
from support.webhook_sender import SECRET, WebhookSender, event, signed

from payment.api import webhooks
from payment.api.webhooks import (
    MAX_BODY_BYTES,
    MAX_CONCURRENT_REQUESTS,
    MAX_CONCURRENT_WRITES,
    MAX_CONNECTIONS,
    PATH,
    Webhooks,
)
from payment.domain.webhook_notification import WebhookNotification
from payment.processors.stripe.signature import TOLERANCE_SECONDS
from payment.processors.stripe.webhooks import StripeWebhookReader
from payment.service_layer.record_notification import RecordNotification


@dataclass
class Notifications:
    """A NotificationRepository that records only while the test lets it.

    Attributes:
        recorded: how many it has.
        max_concurrent: the most that it has recorded at once.
    """

    may_record: asyncio.Event = field(default_factory=asyncio.Event)
    recorded: int = 0
    concurrent: int = 0
    max_concurrent: int = 0

    async def record(self, notification: WebhookNotification) -> bool:  # noqa: ARG002 (of the port)
        self.concurrent += 1
        self.max_concurrent = max(self.max_concurrent, self.concurrent)
        await self.may_record.wait()
        self.concurrent -= 1
        self.recorded += 1
        return False


@pytest.fixture
def notifications() -> Notifications:
    return Notifications()


@pytest.fixture
async def sender(
    notifications: Notifications, free_port: Callable[[], int]
) -> AsyncIterator[WebhookSender]:
    """Of webhooks to an endpoint of these notifications."""
    record = RecordNotification(notifications, lambda: None)
    endpoint = Webhooks(record, StripeWebhookReader([SECRET]))
    async with (
        endpoint.listen(f"127.0.0.1:{free_port()}") as address,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
    ):
        yield WebhookSender(address, session)
        notifications.may_record.set()


def host_and_port(sender: WebhookSender) -> tuple[str, int]:
    host, port = sender.address.split(":")
    return host, int(port)


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("body", "header", "status"),
    [
        (event(), lambda: "", 400),
        (event(), lambda: "t=1,v1=00", 400),
        (event(), lambda: signed(b"another body"), 400),
        (event(), lambda: signed(event(), secret="whsec_of_somebody_else"), 400),
        (event(), lambda: signed(event(), age_seconds=TOLERANCE_SECONDS + 100), 400),
        (event(), lambda: signed(event(), age_seconds=-TOLERANCE_SECONDS - 100), 400),
        (b'{"id": "evt_1", ', None, 400),
        (b"[" * 100_000, None, 400),
        (b"", None, 400),
        (b" " * (MAX_BODY_BYTES + 1), None, 413),
    ],
    ids=[
        *("no signature", "nonsense", "another body", "another secret", "too old", "too new"),
        *("broken", "deep", "empty", "too large"),
    ],
)
async def test_a_refused_webhook_is_not_recorded_and_its_content_is_not_logged(
    sender: WebhookSender,
    notifications: Notifications,
    body: bytes,
    header: Callable[[], str] | None,
    status: int,
) -> None:
    notifications.may_record.set()
    with capture_logs() as lines:
        # Signed now: the tests were collected minutes ago.
        assert await sender.send(body, header and header()) == status
    assert notifications.recorded == 0
    logged = [line for line in lines if line["event"].startswith("webhook_")]
    assert [line["log_level"] for line in logged] == (["warning"] if status == 400 else [])
    assert "pi_1" not in str(logged)


async def test_the_signature_is_over_the_body_as_it_was_sent_and_not_decompressed(
    sender: WebhookSender, notifications: Notifications
) -> None:
    notifications.may_record.set()
    compressed = gzip.compress(event())
    status = await sender.send(compressed, signed(event()), **{"Content-Encoding": "gzip"})
    assert status == 400
    assert notifications.recorded == 0


async def test_a_body_that_does_not_tell_its_length_is_not_read_beyond_the_limit(
    sender: WebhookSender,
) -> None:
    sent = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 100 * MAX_BODY_BYTES:
            sent += MAX_BODY_BYTES // 4
            yield b"0" * (MAX_BODY_BYTES // 4)

    headers = {"Stripe-Signature": "t=1,v1=00"}
    try:
        async with sender.session.post(sender.url, data=body(), headers=headers) as reply:
            assert reply.status == 413
    except aiohttp.ClientError:  # it closes the connection while the rest is still being sent
        pass
    assert sent < 100 * MAX_BODY_BYTES


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", PATH, 405), ("PUT", PATH, 405), ("POST", "/", 404), ("POST", PATH + "/x", 404)],
)
async def test_other_methods_and_paths_are_refused(
    sender: WebhookSender, method: str, path: str, status: int
) -> None:
    url = f"http://{sender.address}{path}"
    async with sender.session.request(method, url, data=b"{}") as reply:
        assert reply.status == status


async def test_broken_http_is_not_logged_and_the_next_webhook_is_accepted(
    sender: WebhookSender, notifications: Notifications, caplog: pytest.LogCaptureFixture
) -> None:
    notifications.may_record.set()
    for line in (b"\x16\x03\x01\x02", b"POST / HTTP/9.9\r\n\r\n", b"GET /\x00 HTTP/1.1\r\n\r\n"):
        reader, writer = await asyncio.open_connection(*host_and_port(sender))
        writer.write(line)
        writer.write_eof()
        await reader.read()  # until the endpoint has closed the connection
        writer.close()

    assert caplog.records == []
    assert await sender.send(event()) == 200


# ---------------------------------------------------------------- limits


async def test_more_requests_than_the_limit_are_refused_and_those_in_progress_are_accepted(
    sender: WebhookSender, notifications: Notifications
) -> None:
    requests = [
        asyncio.create_task(sender.send(event())) for _ in range(MAX_CONCURRENT_REQUESTS + 8)
    ]
    statuses = asyncio.as_completed(requests)
    assert [await next(statuses) for _ in range(8)] == [503] * 8

    notifications.may_record.set()

    assert [await each for each in statuses] == [200] * MAX_CONCURRENT_REQUESTS
    assert notifications.recorded == MAX_CONCURRENT_REQUESTS
    assert await sender.send(event()) == 200, "there is room again"


async def test_few_webhooks_are_recorded_at_once_the_others_wait(
    sender: WebhookSender, notifications: Notifications
) -> None:
    # given as many requests as the endpoint accepts, so that one more is refused
    requests = [asyncio.create_task(sender.send(event())) for _ in range(MAX_CONCURRENT_REQUESTS)]

    async def all_are_in_progress() -> bool:
        one_more = asyncio.create_task(sender.send(event()))
        done, _ = await asyncio.wait({one_more, *requests}, return_when=asyncio.FIRST_COMPLETED)
        requests.append(one_more)
        return 503 in [each.result() for each in done]

    await until(all_are_in_progress)
    assert notifications.concurrent == MAX_CONCURRENT_WRITES

    # when they are recorded, then never more than so many at once
    notifications.may_record.set()
    statuses = await asyncio.gather(*requests)
    assert statuses.count(200) == notifications.recorded == MAX_CONCURRENT_REQUESTS
    assert notifications.max_concurrent == MAX_CONCURRENT_WRITES


async def test_a_body_that_does_not_end_is_given_up(
    sender: WebhookSender, notifications: Notifications, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "REQUEST_SECONDS", 0.05)
    reader, writer = await asyncio.open_connection(*host_and_port(sender))
    writer.write(f"POST {PATH} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nbegin".encode())

    reply = await reader.read()  # until the endpoint has closed the connection

    assert reply.startswith(b"HTTP/1.1 503 ")
    assert notifications.recorded == 0
    writer.close()


async def test_a_connection_above_the_limit_is_closed_without_a_reply(
    sender: WebhookSender,
) -> None:
    async with AsyncExitStack() as connections:
        for _ in range(MAX_CONNECTIONS):
            _, writer = await asyncio.open_connection(*host_and_port(sender))
            connections.callback(writer.close)
        reader, writer = await asyncio.open_connection(*host_and_port(sender))
        connections.callback(writer.close)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        reply = b""
        with suppress(ConnectionError):
            reply = await reader.read(1)
        assert reply == b""


async def test_without_a_secret_the_endpoint_does_not_listen(free_port: Callable[[], int]) -> None:
    port = free_port()
    record = RecordNotification(Notifications(), lambda: None)
    async with Webhooks(record, None).listen(f"127.0.0.1:{port}") as address:
        assert address == ""
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
