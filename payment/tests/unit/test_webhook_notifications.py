"""What becomes of a hint, in memory: a look at once, by the word of the processor alone."""

import asyncio
from contextlib import suppress
from uuid import uuid4

import pytest
from small_world import LOST, SILENCE, SmallWorld

from chassis.values import RequestId
from payment.domain.evidence import ProcessorRefund, RefundStatus
from payment.domain.payment import CaptureMethod, Payment, State
from payment.domain.refund import RefundRequest, RefundState
from payment.domain.values import Money, PaymentMethod, ReturnUrl
from payment.domain.webhook_notification import WebhookNotification
from payment.repository.memory import MemoryNotifications
from payment.service_layer import recovery
from payment.service_layer.record_notification import RecordNotification

HOUR = 3600.0


@pytest.fixture
def world() -> SmallWorld:
    return SmallWorld()


@pytest.fixture
def take(world: SmallWorld) -> RecordNotification:
    return RecordNotification(MemoryNotifications(world.store), world.recovery.wake)


def about(payment: Payment, name: str = "evt_1") -> WebhookNotification:
    return WebhookNotification(name, "payment_intent.succeeded", payment.intent_id)


async def asked_of_a_person(world: SmallWorld) -> Payment:
    payment = await world.pay(
        payment_method=PaymentMethod("pm_card_threeDSecure2Required"),
        return_url=ReturnUrl("https://shop.example/back"),
    )
    assert payment.state is State.REQUIRES_ACTION
    return payment


async def test_recovery_is_woken_and_does_not_wait_for_its_next_look(
    world: SmallWorld, take: RecordNotification, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "POLL_SECONDS", HOUR)
    payment = await asked_of_a_person(world)
    asked = world.processor.made.count("retrieve")
    working = asyncio.create_task(world.recovery.run())
    await asyncio.sleep(0)  # its first look, which finds nothing
    await take(about(payment))
    async with asyncio.timeout(30):
        while world.processor.made.count("retrieve") == asked:  # noqa: ASYNC110 - a count
            await asyncio.sleep(0.01)
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working
    after = (await world.payment(payment.id)).state
    assert after is State.REQUIRES_ACTION, "the hint says succeeded, and the processor does not"


async def test_nobody_is_woken_for_what_is_settled_known_or_nobodys(
    world: SmallWorld, take: RecordNotification
) -> None:
    payment = await asked_of_a_person(world)
    await take(about(payment))
    assert world.recovery.woken.is_set()
    world.recovery.woken.clear()
    await take(about(payment))
    await take(about(await world.pay(reference=None), "evt_2"))
    await take(WebhookNotification("evt_3", "payment_intent.succeeded", "pi_of_somebody_else"))
    assert not world.recovery.woken.is_set()


async def test_a_webhook_that_overtakes_the_answer_to_our_own_call_changes_nothing(
    world: SmallWorld, take: RecordNotification
) -> None:
    async def webhook() -> None:
        (payment,) = world.store.payments.values()
        await take(about(payment))
        await world.recover()

    world.payments.troubles["save"] = [webhook]  # charged, and not yet written down
    payment = await world.pay()
    assert payment.state is State.SUCCEEDED
    assert world.processor.made == ["create", "confirm"], "what is in hand is left alone"
    assert world.charges == 1


async def test_a_webhook_after_a_lost_answer_charges_nothing_anew(
    world: SmallWorld, take: RecordNotification
) -> None:
    world.processor.troubles["confirm"] = [LOST]
    world.processor.troubles["retrieve"] = [SILENCE]
    payment = await world.pay()
    await take(about(payment))
    for _ in range(3):
        world.later(seconds=3)
        await world.recover()
    assert (await world.payment(payment.id)).state is State.SUCCEEDED
    assert world.charges == 1


async def test_a_hint_whose_question_got_no_answer_is_followed_soon(
    world: SmallWorld, take: RecordNotification
) -> None:
    payment = await world.pay(capture_method=CaptureMethod.MANUAL)
    world.later(hours=1)
    world.processor.troubles["retrieve"] = [SILENCE]
    await take(about(payment))
    await world.recover()
    asked = world.processor.made.count("retrieve")
    world.later(minutes=1)
    await world.recover()
    assert world.processor.made.count("retrieve") == asked + 1


async def test_a_refund_that_comes_back_after_a_month_is_heard_of_by_a_hint(
    world: SmallWorld, take: RecordNotification
) -> None:
    payment = await world.pay()
    amount = Money(400, "EUR")
    refund = await world.create_refund(RefundRequest(RequestId(str(uuid4())), payment.name, amount))
    world.later(days=24)
    await world.recover()
    assert refund.id not in world.store.due, "it is not looked at any more"
    failed = ProcessorRefund(refund.processor_id, RefundStatus.FAILED, 400, refund.id)
    world.processor.troubles["refunds"] = [SILENCE, [failed]]

    await take(
        WebhookNotification("evt_2", "refund.failed", payment.intent_id, refund.processor_id)
    )
    await world.recover()
    world.later(minutes=1)
    await world.recover()

    assert (await world.refund(refund)).state is RefundState.FAILED
