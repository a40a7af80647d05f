"""What follows from a webhook: the processor is asked at once, and its reply alone decides."""

import asyncio
from contextlib import suppress

import pytest
from support.faults import LOST_REPLY, UNREACHABLE
from support.use_case_world import AUTHENTICATED_CARD, UseCaseWorld

from payment.domain.evidence import ProcessorRefund, RefundStatus
from payment.domain.payment import CaptureMethod, Payment, State
from payment.domain.refund import RefundState
from payment.domain.values import PaymentMethod, ReturnUrl
from payment.domain.webhook_notification import WebhookNotification
from payment.repository.memory import MemoryNotifications
from payment.service_layer import recovery
from payment.service_layer.record_notification import RecordNotification

HOUR_SECONDS = 3600.0


@pytest.fixture
def world() -> UseCaseWorld:
    return UseCaseWorld()


@pytest.fixture
def record(world: UseCaseWorld) -> RecordNotification:
    return RecordNotification(MemoryNotifications(world.store), world.recovery.wake)


def notification_of(payment: Payment, notification_id: str = "evt_1") -> WebhookNotification:
    return WebhookNotification(notification_id, "payment_intent.succeeded", payment.intent_id)


async def payment_that_requires_action(world: UseCaseWorld) -> Payment:
    payment = await world.pay(
        payment_method=PaymentMethod(AUTHENTICATED_CARD),
        return_url=ReturnUrl("https://shop.example/back"),
    )
    assert payment.state is State.REQUIRES_ACTION
    return payment


async def test_a_webhook_wakes_recovery_which_believes_the_processor_and_not_the_webhook(
    world: UseCaseWorld, record: RecordNotification, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "POLL_SECONDS", HOUR_SECONDS)
    payment = await payment_that_requires_action(world)
    asked = asyncio.Event()

    async def notice() -> None:
        asked.set()

    world.processor.faults.plan("retrieve", notice)
    running = asyncio.create_task(world.recovery.run())
    await asyncio.sleep(0)  # its first claim, which finds nothing
    assert not asked.is_set()
    await record(notification_of(payment))
    await asked.wait()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    state = (await world.current(payment)).state
    assert state is State.REQUIRES_ACTION, "the webhook says succeeded, and the processor does not"


async def test_a_webhook_of_a_payment_that_waits_for_people_wakes_recovery(
    world: UseCaseWorld, record: RecordNotification
) -> None:
    await record(notification_of(await payment_that_requires_action(world)))
    assert world.recovery.woken.is_set()


async def test_a_repeated_webhook_and_one_of_a_final_or_unknown_payment_do_not_wake_recovery(
    world: UseCaseWorld, record: RecordNotification
) -> None:
    payment = await payment_that_requires_action(world)
    await record(notification_of(payment))
    world.recovery.woken.clear()
    await record(notification_of(payment))
    await record(notification_of(await world.pay(reference=None), "evt_2"))
    await record(WebhookNotification("evt_3", "payment_intent.succeeded", "pi_of_somebody_else"))
    assert not world.recovery.woken.is_set()


async def test_a_webhook_that_overtakes_the_reply_to_our_own_call_causes_no_question(
    world: UseCaseWorld, record: RecordNotification
) -> None:
    async def receive_webhook() -> None:
        (payment,) = world.store.payments.values()
        await record(notification_of(payment))
        await world.run_recovery()

    world.payments.faults.plan("save", receive_webhook)  # charged, and not yet stored
    payment = await world.pay()
    assert payment.state is State.SUCCEEDED
    assert world.processor.calls == ["create", "confirm"]
    assert world.charge_count == 1


async def test_a_webhook_after_a_lost_reply_leads_to_one_charge(
    world: UseCaseWorld, record: RecordNotification
) -> None:
    world.processor.faults.plan("confirm", LOST_REPLY)
    world.processor.faults.plan("retrieve", UNREACHABLE)
    payment = await world.pay()
    await record(notification_of(payment))
    for _ in range(3):
        world.advance(seconds=3)
        await world.run_recovery()
    assert (await world.current(payment)).state is State.SUCCEEDED
    assert world.charge_count == 1


async def test_a_webhook_whose_question_got_no_reply_is_followed_by_another_within_a_minute(
    world: UseCaseWorld, record: RecordNotification
) -> None:
    payment = await world.pay(capture_method=CaptureMethod.MANUAL)
    world.advance(hours=1)
    world.processor.faults.plan("retrieve", UNREACHABLE)
    await record(notification_of(payment))
    await world.run_recovery()
    questions = world.processor.calls.count("retrieve")
    world.advance(minutes=1)
    await world.run_recovery()
    assert world.processor.calls.count("retrieve") == questions + 1


async def test_a_webhook_about_a_refund_sent_back_after_a_month_makes_it_failed(
    world: UseCaseWorld, record: RecordNotification
) -> None:
    payment = await world.pay()
    refund = await world.refund(payment)
    world.advance(days=24)
    await world.run_recovery()
    assert world.due_in(refund) is None, "it is not checked any more"
    failed = ProcessorRefund(refund.processor_id, RefundStatus.FAILED, 400, refund.id)
    world.processor.faults.plan("refunds", UNREACHABLE, [failed])

    processor_id = refund.processor_id
    await record(WebhookNotification("evt_2", "refund.failed", payment.intent_id, processor_id))
    await world.run_recovery()
    world.advance(minutes=1)
    await world.run_recovery()

    assert (await world.current_refund(refund)).state is RefundState.FAILED
