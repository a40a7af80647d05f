"""Webhooks over HTTP, on the whole service: which are recorded, and what they do."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from oncepay.payment.v1 import payment_pb2 as pb
from structlog.testing import capture_logs
from support.running_service import RunningService, running_service
from support.waiting import LONG_SECONDS, until
from support.webhook_sender import SECRET, WebhookSender, event

from chassis.settings import Secret
from payment.api.webhooks import MAX_CONCURRENT_REQUESTS
from payment.service_layer import recovery
from sandbox import webhooks
from sandbox.faults import Kind

CARD_WITH_3D_SECURE = "pm_card_threeDSecure2Required"
RETURN_URL = "https://shop.example/back"
NOT_DUE_FOR_AN_HOUR = "UPDATE payments SET due_time = now() + interval '1 hour' WHERE id = $1"
ATTEMPTED = "SELECT attempt > 0 FROM payments WHERE id = $1"


@pytest.fixture
def address(free_port: Callable[[], int]) -> str:
    """Of the endpoint."""
    return f"127.0.0.1:{free_port()}"


@pytest.fixture
async def service(
    payment_database: Any, free_port: Callable[[], int], tmp_path: Path, address: str
) -> AsyncIterator[RunningService]:
    """The service, with an endpoint to which only the test sends."""
    async with running_service(
        payment_database,
        f"127.0.0.1:{free_port()}",
        tmp_path,
        webhook_listen_address=address,
        stripe_webhook_secret=Secret(SECRET),
    ) as running:
        yield running


@pytest.fixture
async def service_with_webhooks(
    payment_database: Any,
    free_port: Callable[[], int],
    tmp_path: Path,
    address: str,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[RunningService]:
    """The service, whose recovery only webhooks wake, and a processor that sends them, soon again where
    one was refused.
    """
    monkeypatch.setattr(recovery, "POLL_SECONDS", LONG_SECONDS)
    monkeypatch.setattr(webhooks, "FIRST_WAIT_SECONDS", 0.02)
    async with running_service(
        payment_database, f"127.0.0.1:{free_port()}", tmp_path, webhooks=address
    ) as running:
        yield running


@pytest.fixture
async def sender(service: RunningService, address: str) -> AsyncIterator[WebhookSender]:
    assert service
    async with aiohttp.ClientSession() as session:
        yield WebhookSender(address, session)


async def intent_id_of(service: RunningService, payment: pb.Payment) -> str:
    return str(await service.query("SELECT intent_id FROM payments WHERE id = $1", payment))


async def number_recorded(service: RunningService) -> int:
    return int(await service.query("SELECT count(*) FROM webhook_notifications"))


async def pay_with_3d_secure(service: RunningService) -> pb.Payment:
    """A payment that waits for its payer, and that recovery does not attempt for an hour."""
    payment = await service.pay(payment_method=CARD_WITH_3D_SECURE, return_url=RETURN_URL)
    assert payment.state == pb.Payment.REQUIRES_ACTION
    await service.query(NOT_DUE_FOR_AN_HOUR, payment)
    return payment


async def answer_3d_secure(payment: pb.Payment, answer: str) -> str:
    """Answer as the payer does on the bank's page; the address that the browser is sent to."""
    url = payment.next_action.redirect_url
    async with (
        aiohttp.ClientSession() as browser,
        browser.post(url, data={"answer": answer}, allow_redirects=False) as reply,
    ):
        assert reply.status == 303
        return reply.headers["Location"]


# ---------------------------------------------------------------- what a webhook does


@pytest.mark.parametrize(
    ("answer", "state", "redirect_status"),
    [("approve", pb.Payment.SUCCEEDED, "succeeded"), ("decline", pb.Payment.FAILED, "failed")],
)
async def test_a_webhook_ends_a_payment_whose_payer_answered_3d_secure(
    service_with_webhooks: RunningService,
    answer: str,
    state: pb.Payment.State.ValueType,
    redirect_status: str,
) -> None:
    payment = await pay_with_3d_secure(service_with_webhooks)

    location = await answer_3d_secure(payment, answer)

    assert location.startswith(RETURN_URL)
    assert f"redirect_status={redirect_status}" in location
    assert (await service_with_webhooks.wait_for_state(payment)).state == state


async def test_webhooks_about_a_succeeded_payment_change_nothing(
    service_with_webhooks: RunningService,
) -> None:
    payments = [await service_with_webhooks.pay() for _ in range(3)]

    async def all_are_recorded() -> bool:
        return await number_recorded(service_with_webhooks) >= len(payments)

    await until(all_are_recorded)
    for payment in payments:
        assert payment.state == pb.Payment.SUCCEEDED
        types = await service_with_webhooks.event_types(payment)
        assert types == ["payment.created", "payment.succeeded"]


async def test_webhooks_that_are_lost_repeated_delayed_and_reordered_have_the_same_result(
    service_with_webhooks: RunningService,
) -> None:
    # given faults of the next webhooks
    service_with_webhooks.plan_fault(Kind.SLOW, "WEBHOOK payment_intent", seconds=0.3)
    for kind in (Kind.LOSE_REPLY, Kind.DROP, Kind.REFUSE):
        service_with_webhooks.plan_fault(kind, "WEBHOOK payment_intent")

    # when a payment is ended by them
    payment = await pay_with_3d_secure(service_with_webhooks)
    await answer_3d_secure(payment, "approve")
    payment = await service_with_webhooks.wait_for_state(payment)
    await until(lambda: not service_with_webhooks.faults.planned())

    # then it has the state and the events that it has without faults
    assert (await service_with_webhooks.get(payment)).state == pb.Payment.SUCCEEDED
    types = await service_with_webhooks.event_types(payment)
    assert types == ["payment.created", "payment.requires_action", "payment.succeeded"]


async def test_the_content_of_an_event_is_not_believed_it_makes_the_payment_due(
    service: RunningService, sender: WebhookSender
) -> None:
    # given a payment whose payer has not answered
    payment = await pay_with_3d_secure(service)

    # when a signed event says that it succeeded
    assert await sender.send(event(await intent_id_of(service, payment))) == 200

    # then the processor is asked, and the payment is in the state that the processor knows
    await until(lambda: service.query(ATTEMPTED, payment))
    assert (await service.get(payment)).state == pb.Payment.REQUIRES_ACTION


async def test_a_webhook_that_is_sent_again_is_recorded_once_and_accepted(
    service: RunningService, sender: WebhookSender
) -> None:
    body = event(await intent_id_of(service, await service.pay()))

    statuses = await asyncio.gather(*(sender.send(body) for _ in range(10)))

    assert {*statuses, await sender.send(body)} == {200}
    assert await number_recorded(service) == 1


async def test_a_webhook_about_an_unknown_intent_is_accepted_and_not_recorded(
    service: RunningService, sender: WebhookSender
) -> None:
    assert await sender.send(event("pi_unknown")) == 200
    assert await sender.send(event("pi_unknown", event_type="a.type.of.next.year")) == 200

    assert await number_recorded(service) == 0
    assert (await service.pay()).state == pb.Payment.SUCCEEDED


async def test_50_webhooks_about_one_payment_at_once_charge_it_once(
    service: RunningService, sender: WebhookSender
) -> None:
    payment = await pay_with_3d_secure(service)
    intent_id = await intent_id_of(service, payment)
    await answer_3d_secure(payment, "approve")

    bodies = [event(intent_id, f"evt_{number}") for number in range(50)]
    statuses = await asyncio.gather(*(sender.send(body) for body in bodies))

    assert statuses.count(200) >= MAX_CONCURRENT_REQUESTS, statuses
    assert {*statuses} <= {200, 503}, "what was too much at once is to be sent again"
    assert (await service.wait_for_state(payment)).state == pb.Payment.SUCCEEDED
    types = await service.event_types(payment)
    assert types == ["payment.created", "payment.requires_action", "payment.succeeded"]


async def test_what_a_webhook_made_due_is_due_after_the_process_has_ended(
    payment_database: Any, free_port: Callable[[], int], tmp_path: Path, address: str
) -> None:
    """Whichever process comes next attempts the payment."""
    async with running_service(
        payment_database, f"127.0.0.1:{free_port()}", tmp_path, webhooks=address
    ) as service:
        payment = await pay_with_3d_secure(service)
        intent_id = await intent_id_of(service, payment)

        # when the process ends before the processor's reply
        service.plan_fault(Kind.SLOW, "GET /v1/payment_intents/", seconds=LONG_SECONDS, times=None)
        async with aiohttp.ClientSession() as session:
            assert await WebhookSender(address, session).send(event(intent_id)) == 200

    # then the payment is due, at the latest when the ended process's claim expires
    due = "SELECT due_time < now() + interval '26 s' FROM payments WHERE id = $1"
    assert await service.query(due, payment)


async def test_many_forged_webhooks_do_not_stop_payments_and_do_not_fill_the_log(
    service: RunningService, sender: WebhookSender
) -> None:
    body = b"0" * 10_000
    with capture_logs() as lines:
        forged = asyncio.gather(
            *(sender.send(body, "t=1,v1=00") for _ in range(300)), return_exceptions=True
        )
        payments = [await service.pay() for _ in range(5)]
        await forged

    assert {payment.state for payment in payments} == {pb.Payment.SUCCEEDED}
    warnings = [line for line in lines if line["event"] == "webhook_forged"]
    assert 1 <= len(warnings) < 30
