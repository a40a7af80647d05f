"""Webhooks: signed so that the official library verifies them, sent until they are accepted."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import stripe
from aiohttp import web as http

from sandbox import webhooks
from sandbox.faults import Fault, Kind
from sandbox.webhooks import Webhooks

from .conftest import Eventually, OpenClient, Processes, Running, RunSandbox

SECRETS = ["whsec_new", "whsec_old"]


class Receiver:
    """Receives webhooks. It answers the next `rejecting` ones with 500."""

    def __init__(self) -> None:
        self.received: list[stripe.Event] = []
        self.rejecting = 0
        self.url = ""

    async def receive(self, request: http.Request) -> http.Response:
        payload, signature = await request.read(), request.headers["Stripe-Signature"]
        if self.rejecting:
            self.rejecting -= 1
            return http.Response(status=500)
        for secret in SECRETS:
            event = stripe.Webhook.construct_event(payload, signature, secret)
        self.received.append(event)
        return http.Response()

    def types(self) -> list[str]:
        return sorted(event.type for event in self.received)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = http.Application()
    app.add_routes([http.post("/hooks", receiver.receive)])
    runner = http.AppRunner(app, access_log=None)
    await runner.setup()
    await http.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hooks"
    yield receiver
    await runner.cleanup()


@asynccontextmanager
async def sending(running: Running, url: str) -> AsyncIterator[None]:
    sender = Webhooks(running.sandbox, running.faults, url, SECRETS, running.url)
    task = asyncio.create_task(sender.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "FIRST_WAIT_SECONDS", 0.01)


@pytest.fixture
async def with_webhooks(tmp_path: Path, run_sandbox: RunSandbox) -> AsyncIterator[Running]:
    async with run_sandbox(tmp_path, webhooks=True) as running:
        yield running


PAID = ["charge.succeeded", "payment_intent.created", "payment_intent.succeeded"]


async def test_webhooks_are_signed_with_every_secret_and_delivered_once(
    with_webhooks: Running, receiver: Receiver, open_client: OpenClient, eventually: Eventually
) -> None:
    async with sending(with_webhooks, receiver.url), open_client(with_webhooks.url) as client:
        intent = await client.pay()
        await eventually(lambda: len(receiver.received) == 3)
        assert receiver.types() == PAID
        succeeded = next(event for event in receiver.received if event.type == PAID[2])
        assert succeeded.data.object["id"] == intent.id
        await eventually(lambda: not with_webhooks.sandbox.owed)


async def test_a_signature_with_another_secret_fails_the_librarys_verification(
    with_webhooks: Running, receiver: Receiver, open_client: OpenClient, eventually: Eventually
) -> None:
    payload = b'{"object": "event"}'
    header = webhooks.signature(payload, ["whsec_other"], 1_800_000_000)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(payload, header, SECRETS[0], tolerance=None)  # type: ignore[arg-type]


async def test_a_rejected_webhook_is_retried_until_it_is_accepted(
    with_webhooks: Running, receiver: Receiver, open_client: OpenClient, eventually: Eventually
) -> None:
    receiver.rejecting = 5
    async with sending(with_webhooks, receiver.url), open_client(with_webhooks.url) as client:
        await client.pay()
        await eventually(lambda: len(receiver.received) == 3)
    assert receiver.types() == PAID


async def test_after_a_restart_only_unaccepted_webhooks_are_sent(
    tmp_path: Path,
    receiver: Receiver,
    run_sandbox: RunSandbox,
    open_client: OpenClient,
    eventually: Eventually,
) -> None:
    async with run_sandbox(tmp_path, webhooks=True) as first, open_client(first.url) as client:
        async with sending(first, receiver.url):
            await client.create()
            await eventually(lambda: len(receiver.received) == 1)
            await eventually(lambda: not first.sandbox.owed)
        await client.pay()
        pending = (await client.library.v1.events.list_async()).data[0].pending_webhooks
        assert pending == 1
    async with run_sandbox(tmp_path, webhooks=True) as second, sending(second, receiver.url):
        await eventually(lambda: len(receiver.received) == 4)
        await asyncio.sleep(0.05)
    assert receiver.types() == sorted([*PAID, "payment_intent.created"])


async def test_events_before_the_first_receiver_are_not_sent(
    tmp_path: Path, run_sandbox: RunSandbox, open_client: OpenClient, eventually: Eventually
) -> None:
    async with run_sandbox(tmp_path) as first, open_client(first.url) as client:
        await client.pay()
    async with run_sandbox(tmp_path, webhooks=True) as second:
        assert second.sandbox.owed == {}


async def test_faults_duplicate_delay_and_reorder_webhooks(
    with_webhooks: Running, receiver: Receiver, open_client: OpenClient, eventually: Eventually
) -> None:
    with_webhooks.faults.plan(Fault(Kind.LOSE_REPLY, "WEBHOOK payment_intent.succeeded"))
    with_webhooks.faults.plan(Fault(Kind.DROP, "WEBHOOK charge.succeeded", times=3))
    with_webhooks.faults.plan(Fault(Kind.SLOW, "WEBHOOK payment_intent.created", seconds=3600))
    async with sending(with_webhooks, receiver.url), open_client(with_webhooks.url) as client:
        await client.pay()
        await eventually(lambda: len(receiver.received) == 3)
    assert receiver.types() == [
        "charge.succeeded",
        "payment_intent.succeeded",
        "payment_intent.succeeded",
    ]


@pytest.fixture
def webhook_options(tmp_path: Path, receiver: Receiver) -> tuple[str, ...]:
    secret = tmp_path / "secret.txt"
    secret.write_text("\n".join(SECRETS) + "\n")
    return ("--webhook-url", receiver.url, "--webhook-secret-file", str(secret))


async def test_the_process_sends_webhooks(
    processes: Processes,
    receiver: Receiver,
    webhook_options: tuple[str, ...],
    open_client: OpenClient,
    eventually: Eventually,
) -> None:
    _, url = processes.listen(*webhook_options)
    async with open_client(url) as client:
        await client.pay()
        await eventually(lambda: len(receiver.received) == 3)
    assert receiver.types() == PAID


async def test_only_subscribed_types_of_events_are_sent(
    processes: Processes,
    receiver: Receiver,
    webhook_options: tuple[str, ...],
    open_client: OpenClient,
    eventually: Eventually,
) -> None:
    subscribed = "payment_intent.succeeded,payment_intent.canceled"
    _, url = processes.listen(*webhook_options, "--webhook-events", subscribed)
    async with open_client(url) as client:
        await client.pay()
        await client.pay()
        await eventually(lambda: len(receiver.received) == 2)
    assert receiver.types() == ["payment_intent.succeeded"] * 2
