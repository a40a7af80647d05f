"""Webhooks: signed so that the official library believes them, sent until they are accepted."""

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

from .conftest import Eventually, OpenShop, Processes, Running, RunSandbox

SECRETS = ["whsec_new", "whsec_old"]


class Receiver:
    """Takes webhooks. `refusing` says how many it still answers with 500."""

    def __init__(self) -> None:
        self.got: list[stripe.Event] = []
        self.refusing = 0
        self.url = ""

    async def take(self, request: http.Request) -> http.Response:
        payload, signature = await request.read(), request.headers["Stripe-Signature"]
        if self.refusing:
            self.refusing -= 1
            return http.Response(status=500)
        for secret in SECRETS:
            event = stripe.Webhook.construct_event(payload, signature, secret)
        self.got.append(event)
        return http.Response()

    def kinds(self) -> list[str]:
        return sorted(event.type for event in self.got)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    here = Receiver()
    app = http.Application()
    app.add_routes([http.post("/hooks", here.take)])
    runner = http.AppRunner(app, access_log=None)
    await runner.setup()
    await http.TCPSite(runner, "127.0.0.1", 0).start()
    here.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hooks"
    yield here
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
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "FIRST_WAIT", 0.01)


@pytest.fixture
async def noisy(tmp_path: Path, run_sandbox: RunSandbox) -> AsyncIterator[Running]:
    async with run_sandbox(tmp_path, webhooks=True) as running:
        yield running


PAID = ["charge.succeeded", "payment_intent.created", "payment_intent.succeeded"]


async def test_events_arrive_signed_with_every_secret(
    noisy: Running, receiver: Receiver, open_shop: OpenShop, eventually: Eventually
) -> None:
    async with sending(noisy, receiver.url), open_shop(noisy.url) as shop:
        intent = await shop.pay()
        await eventually(lambda: len(receiver.got) == 3)
        assert receiver.kinds() == PAID
        told = next(event for event in receiver.got if event.type == PAID[2])
        assert told.data.object["id"] == intent.id
        await eventually(lambda: not noisy.sandbox.owed)


async def test_a_wrong_secret_is_not_believed(
    noisy: Running, receiver: Receiver, open_shop: OpenShop, eventually: Eventually
) -> None:
    payload = b'{"object": "event"}'
    header = webhooks.signature(payload, ["whsec_other"], 1_800_000_000)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(payload, header, SECRETS[0], tolerance=None)  # type: ignore[arg-type]


async def test_what_is_refused_comes_again(
    noisy: Running, receiver: Receiver, open_shop: OpenShop, eventually: Eventually
) -> None:
    receiver.refusing = 5
    async with sending(noisy, receiver.url), open_shop(noisy.url) as shop:
        await shop.pay()
        await eventually(lambda: len(receiver.got) == 3)
    assert receiver.kinds() == PAID


async def test_what_was_not_accepted_is_owed_after_a_restart_and_only_that(
    tmp_path: Path,
    receiver: Receiver,
    run_sandbox: RunSandbox,
    open_shop: OpenShop,
    eventually: Eventually,
) -> None:
    async with run_sandbox(tmp_path, webhooks=True) as first, open_shop(first.url) as shop:
        async with sending(first, receiver.url):
            await shop.create()
            await eventually(lambda: len(receiver.got) == 1)
            await eventually(lambda: not first.sandbox.owed)
        await shop.pay()
        pending = (await shop.client.v1.events.list_async()).data[0].pending_webhooks
        assert pending == 1
    async with run_sandbox(tmp_path, webhooks=True) as second, sending(second, receiver.url):
        await eventually(lambda: len(receiver.got) == 4)
        await asyncio.sleep(0.05)
    assert receiver.kinds() == sorted([*PAID, "payment_intent.created"])


async def test_events_from_before_there_was_a_receiver_are_not_owed(
    tmp_path: Path, run_sandbox: RunSandbox, open_shop: OpenShop, eventually: Eventually
) -> None:
    async with run_sandbox(tmp_path) as first, open_shop(first.url) as shop:
        await shop.pay()
    async with run_sandbox(tmp_path, webhooks=True) as second:
        assert second.sandbox.owed == {}


async def test_faults_double_them_hold_them_back_and_let_others_overtake(
    noisy: Running, receiver: Receiver, open_shop: OpenShop, eventually: Eventually
) -> None:
    noisy.faults.plan(Fault(Kind.LOSE_REPLY, "WEBHOOK payment_intent.succeeded"))
    noisy.faults.plan(Fault(Kind.DROP, "WEBHOOK charge.succeeded", times=3))
    noisy.faults.plan(Fault(Kind.SLOW, "WEBHOOK payment_intent.created", seconds=3600))
    async with sending(noisy, receiver.url), open_shop(noisy.url) as shop:
        await shop.pay()
        await eventually(lambda: len(receiver.got) == 3)
    assert receiver.kinds() == [
        "charge.succeeded",
        "payment_intent.succeeded",
        "payment_intent.succeeded",
    ]


async def test_a_process_sends_them(
    processes: Processes,
    receiver: Receiver,
    open_shop: OpenShop,
    eventually: Eventually,
    tmp_path: Path,
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("\n".join(SECRETS) + "\n")
    options = ("--webhook-url", receiver.url, "--webhook-secret-file", str(secret))
    _, url = processes.listen(*options)
    async with open_shop(url) as shop:
        await shop.pay()
        await eventually(lambda: len(receiver.got) == 3)
    assert receiver.kinds() == PAID


async def test_a_receiver_gets_the_types_that_it_has_subscribed_to_and_no_others(
    processes: Processes,
    receiver: Receiver,
    open_shop: OpenShop,
    eventually: Eventually,
    tmp_path: Path,
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("\n".join(SECRETS) + "\n")
    options = ("--webhook-url", receiver.url, "--webhook-secret-file", str(secret))
    wanted = "payment_intent.succeeded,payment_intent.canceled"
    _, url = processes.listen(*options, "--webhook-events", wanted)
    async with open_shop(url) as shop:
        await shop.pay()
        await shop.pay()
        await eventually(lambda: len(receiver.got) == 2)
    assert receiver.kinds() == ["payment_intent.succeeded"] * 2
