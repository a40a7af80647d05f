"""Webhooks in, over HTTP, on the whole service: what is taken, what is refused, and what it does."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest
from oncepay.payment.v1 import payment_pb2 as pb
from structlog.testing import capture_logs
from support.running_service import WEBHOOK_SECRET, RunningService, running_service

from chassis.settings import Secret
from payment.api.webhooks import MAX_BODY_BYTES
from sandbox.faults import Kind
from sandbox.webhooks import signature

PATH = "/webhooks/stripe"
CARD_3DS = "pm_card_threeDSecure2Required"
BACK = "https://shop.example/back"
NEVER_BY_ITSELF = "UPDATE payments SET due_time = now() + interval '1 hour' WHERE id = $1"


class Sender:
    """Sends webhooks as Stripe does, and as others do."""

    def __init__(self, address: str, session: aiohttp.ClientSession) -> None:
        self.url = f"http://{address}{PATH}"
        self.session = session

    async def send(self, body: bytes, header: str | None = None, **how: Any) -> int:
        headers = {"Stripe-Signature": signed(body) if header is None else header}
        async with self.session.post(self.url, data=body, headers=headers, **how) as reply:
            return reply.status


def signed(body: bytes, late: int = 0, secret: str = WEBHOOK_SECRET) -> str:
    return signature(body, [secret], int(time.time()) - late)


def event(intent: str, name: str = "evt_1", kind: str = "payment_intent.succeeded") -> bytes:
    """What it says of the intent is a lie: nobody may believe it."""
    thing = {"id": intent, "object": "payment_intent", "status": "succeeded", "amount": 1}
    return json.dumps({"id": name, "type": kind, "data": {"object": thing}}).encode()


@pytest.fixture
def address(free_port: Callable[[], int]) -> str:
    return f"127.0.0.1:{free_port()}"


@pytest.fixture
async def silent(
    payment_database: Any, free_port: Callable[[], int], tmp_path: Path, address: str
) -> AsyncIterator[RunningService]:
    """The service, with an endpoint that the processor knows nothing of."""
    async with running_service(
        payment_database,
        f"127.0.0.1:{free_port()}",
        tmp_path,
        webhook_listen_address=address,
        stripe_webhook_secret=Secret(WEBHOOK_SECRET),
    ) as service:
        yield service


@pytest.fixture
async def told(
    payment_database: Any, free_port: Callable[[], int], tmp_path: Path, address: str
) -> AsyncIterator[RunningService]:
    """The service, and a processor that tells it what happens."""
    async with running_service(
        payment_database, f"127.0.0.1:{free_port()}", tmp_path, webhooks=address
    ) as service:
        yield service


@pytest.fixture
async def sender(silent: RunningService, address: str) -> AsyncIterator[Sender]:
    async with aiohttp.ClientSession() as session:
        yield Sender(address, session)


async def intent_of(service: RunningService, payment: pb.Payment) -> str:
    found = await ask(service, "SELECT intent_id FROM payments WHERE id = $1", payment)
    return str(found)


async def ask(service: RunningService, question: str, *payments: pb.Payment) -> Any:
    connection = await asyncpg.connect(service.database.superuser_url)
    try:
        ids = [each.name.removeprefix("payments/") for each in payments]
        return await connection.fetchval(question, *ids)
    finally:
        await connection.close()


async def stored(service: RunningService) -> int:
    return int(await ask(service, "SELECT count(*) FROM webhook_notifications"))


async def answer(payment: pb.Payment, said: str) -> str:
    """What a person does on the page of 3D Secure; where the browser is sent."""
    url = payment.next_action.redirect_url
    async with (
        aiohttp.ClientSession() as browser,
        browser.post(url, data={"answer": said}, allow_redirects=False) as reply,
    ):
        assert reply.status == 303
        return reply.headers["Location"]


async def asked_of_a_person(service: RunningService) -> pb.Payment:
    """A payment that waits for 3D Secure, and that nobody looks at for an hour."""
    payment = await service.pay(payment_method=CARD_3DS, return_url=BACK)
    assert payment.state == pb.Payment.REQUIRES_ACTION
    await service.behind_its_back(NEVER_BY_ITSELF, payment)
    return payment


@pytest.mark.parametrize(
    ("said", "state", "word"),
    [("approve", pb.Payment.SUCCEEDED, "succeeded"), ("decline", pb.Payment.FAILED, "failed")],
)
async def test_3d_secure_goes_to_its_end_by_the_webhook(
    told: RunningService, said: str, state: pb.Payment.State.ValueType, word: str
) -> None:
    payment = await asked_of_a_person(told)
    location = await answer(payment, said)
    assert location.startswith(BACK)
    assert f"redirect_status={word}" in location
    assert (await told.seen(payment)).state == state


async def test_webhooks_of_payments_that_need_none_cost_no_call(told: RunningService) -> None:
    for _ in range(3):
        payment = await told.pay()
        assert payment.state == pb.Payment.SUCCEEDED
        assert await told.event_types(payment) == ["payment.created", "payment.succeeded"]


async def test_webhooks_that_come_twice_late_and_in_any_order_end_the_same(
    told: RunningService,
) -> None:
    for kind in (Kind.SLOW, Kind.LOSE_REPLY, Kind.DROP, Kind.REFUSE):
        told.plan(kind, "WEBHOOK payment_intent", seconds=0.3 if kind is Kind.SLOW else 0.0)
    payment = await asked_of_a_person(told)
    await answer(payment, "approve")
    assert (await told.seen(payment)).state == pb.Payment.SUCCEEDED
    types = await told.event_types(payment)
    assert types == ["payment.created", "payment.requires_action", "payment.succeeded"]


async def test_the_body_is_not_believed(silent: RunningService, sender: Sender) -> None:
    payment = await asked_of_a_person(silent)
    intent = await intent_of(silent, payment)
    due = "SELECT due_time - now() < interval '1 min' FROM payments WHERE id = $1"
    assert await sender.send(event(intent)) == 200
    async with asyncio.timeout(30):
        while not await ask(silent, due, payment):  # noqa: ASYNC110 - it is in a database
            await asyncio.sleep(0.02)
    assert (await silent.get(payment)).state == pb.Payment.REQUIRES_ACTION


async def test_a_duplicate_is_stored_once_and_answered_well(
    silent: RunningService, sender: Sender
) -> None:
    intent = await intent_of(silent, await silent.pay())
    at_once = await asyncio.gather(*(sender.send(event(intent)) for _ in range(10)))
    assert {*at_once, await sender.send(event(intent))} == {200}
    assert await stored(silent) == 1


async def test_an_event_that_comes_before_its_payment_is_there_does_no_harm(
    silent: RunningService, sender: Sender
) -> None:
    assert await sender.send(event("pi_not_yet")) == 200
    assert await sender.send(event("pi_not_yet", kind="a.type.of.next.year")) == 200
    assert await stored(silent) == 0
    assert (await silent.pay()).state == pb.Payment.SUCCEEDED


async def test_a_storm_for_one_payment_is_one_charge_and_little_work(
    silent: RunningService, sender: Sender
) -> None:
    payment = await asked_of_a_person(silent)
    intent = await intent_of(silent, payment)
    await answer(payment, "approve")
    storm = [sender.send(event(intent, f"evt_{number}")) for number in range(50)]
    answers = await asyncio.gather(*storm)
    assert answers.count(200) >= 32, answers
    assert {*answers} <= {200, 503}, "what was too much at once is sent again"
    assert (await silent.seen(payment)).state == pb.Payment.SUCCEEDED
    types = await silent.event_types(payment)
    assert types == ["payment.created", "payment.requires_action", "payment.succeeded"]


@pytest.mark.parametrize(
    ("body", "header", "status"),
    [
        (event("pi_1"), lambda: "", 400),
        (event("pi_1"), lambda: "t=1,v1=00", 400),
        (event("pi_1"), lambda: signed(b"another body"), 400),
        (event("pi_1"), lambda: signed(event("pi_1"), secret="whsec_of_somebody_else"), 400),
        (event("pi_1"), lambda: signed(event("pi_1"), late=400), 400),
        (event("pi_1"), lambda: signed(event("pi_1"), late=-400), 400),
        (b'{"id": "evt_1", ', None, 400),
        (b"[" * 100_000, None, 400),
        (b"", None, 400),
        (b" " * (MAX_BODY_BYTES + 1), None, 413),
    ],
    ids=[
        *("no signature", "nonsense", "another body", "another secret", "late", "early"),
        *("broken", "deep", "empty", "giant"),
    ],
)
async def test_what_is_refused_is_not_stored(
    silent: RunningService,
    sender: Sender,
    body: bytes,
    header: Callable[[], str] | None,
    status: int,
) -> None:
    with capture_logs() as lines:
        # Signed now: the tests were collected minutes ago.
        assert await sender.send(body, header and header()) == status
    assert await stored(silent) == 0
    told = [line for line in lines if line["event"].startswith("webhook_")]
    assert [line["log_level"] for line in told] == (["warning"] if status == 400 else [])
    assert "pi_1" not in str(told), "nothing of it is in the log"


async def test_a_giant_that_hides_its_length_is_not_read_to_its_end(sender: Sender) -> None:
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
async def test_other_methods_and_paths_are_nothing(
    sender: Sender, address: str, method: str, path: str, status: int
) -> None:
    async with sender.session.request(method, f"http://{address}{path}", data=b"{}") as reply:
        assert reply.status == status


async def test_nonsense_on_the_wire_wakes_nobody(
    sender: Sender, address: str, caplog: pytest.LogCaptureFixture
) -> None:
    host, port = address.split(":")
    for line in (b"\x16\x03\x01\x02", b"POST / HTTP/9.9\r\n\r\n", b"GET /\x00 HTTP/1.1\r\n\r\n"):
        with socket.create_connection((host, int(port))) as stranger:
            stranger.sendall(line)
            await asyncio.sleep(0.1)
    assert caplog.records == []
    assert await sender.send(event("pi_1")) == 200


async def test_a_flood_of_forgeries_does_not_keep_payments_from_their_end(
    silent: RunningService, sender: Sender
) -> None:
    body = b"0" * 10_000
    with capture_logs() as lines:
        flood = asyncio.gather(
            *(sender.send(body, "t=1,v1=00") for _ in range(300)), return_exceptions=True
        )
        payments = [await silent.pay() for _ in range(5)]
        await flood
    assert {payment.state for payment in payments} == {pb.Payment.SUCCEEDED}
    warned = [line for line in lines if line["event"] == "webhook_forged"]
    assert 1 <= len(warned) < 30, "the log is not written full"


async def test_a_hint_outlives_the_process_that_took_it(
    payment_database: Any, free_port: Callable[[], int], tmp_path: Path, address: str
) -> None:
    """All that it does is in the one statement: a payment that is due, for whoever comes next."""
    here = f"127.0.0.1:{free_port()}"
    async with running_service(payment_database, here, tmp_path, webhooks=address) as service:
        payment = await asked_of_a_person(service)
        intent = await intent_of(service, payment)
        service.plan(Kind.SLOW, "GET /v1/payment_intents/", seconds=60, times=100)
        async with aiohttp.ClientSession() as session:
            assert await Sender(address, session).send(event(intent)) == 200
    due = "SELECT due_time < now() + interval '26 s' FROM payments WHERE id = $1"
    assert await ask(service, due, payment)
