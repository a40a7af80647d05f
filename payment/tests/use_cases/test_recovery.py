"""Recovery on the use cases: when a payment or refund is attempted again, and when an alert is raised."""

import asyncio
from contextlib import suppress
from datetime import timedelta

import pytest
from support.faults import LOST_REPLY, UNREACHABLE
from support.use_case_world import DECLINED_CARD, UseCaseWorld, new_request_id

from payment.domain.evidence import OutcomeUnknown, ProcessorRefund, RefundStatus
from payment.domain.payment import CaptureMethod, Payment, State
from payment.domain.refund import Refund, RefundState
from payment.domain.values import PaymentMethod
from payment.service_layer import recovery
from payment.service_layer.alerts import Alert

SECOND = timedelta(seconds=1)


@pytest.fixture
def world() -> UseCaseWorld:
    return UseCaseWorld()


async def unanswered_payment(world: UseCaseWorld, **changes: object) -> Payment:
    """A payment that was charged, and whose reply was lost."""
    world.processor.faults.plan("confirm", LOST_REPLY)
    return await world.pay(**changes)


async def unposted_refund(world: UseCaseWorld) -> Refund:
    """A refund that never reached the processor."""
    payment = await world.pay(reference=None)
    world.processor.faults.plan("refund", UNREACHABLE)
    return await world.refund(payment)


async def crash() -> None:
    """The process dies in the middle of a call."""
    raise asyncio.CancelledError


# ---------------------------------------------------------------- when an attempt is due


async def test_a_payment_whose_process_died_is_attempted_after_25_seconds_and_no_sooner(
    world: UseCaseWorld,
) -> None:
    world.processor.faults.plan("confirm", crash)
    with suppress(asyncio.CancelledError):
        await world.pay()
    (payment,) = world.store.payments.values()
    world.advance(seconds=24)
    await world.run_recovery()
    assert (await world.current(payment)).state is State.CONFIRMING, "it may still be worked on"
    world.advance(seconds=2)
    await world.run_recovery()
    assert (await world.current(payment)).state is State.SUCCEEDED


async def test_a_creation_without_a_reply_is_attempted_again_after_a_second(
    world: UseCaseWorld,
) -> None:
    payment = await unanswered_payment(world)
    await world.run_recovery()
    assert (await world.current(payment)).state is State.CONFIRMING
    world.advance(seconds=1)
    await world.run_recovery()
    assert (await world.current(payment)).state is State.SUCCEEDED


async def test_a_capture_without_a_reply_is_attempted_again_after_a_second(
    world: UseCaseWorld,
) -> None:
    payment = await world.pay(capture_method=CaptureMethod.MANUAL)
    world.processor.faults.plan("capture", LOST_REPLY)
    await world.change_payment.capture(payment.name, new_request_id(), None)
    world.advance(seconds=1)
    await world.run_recovery()
    assert (await world.current(payment)).state is State.SUCCEEDED


async def test_a_refund_without_a_reply_is_attempted_again_after_a_second(
    world: UseCaseWorld,
) -> None:
    refund = await unposted_refund(world)
    world.advance(seconds=1)
    await world.run_recovery()
    assert (await world.current_refund(refund)).state is RefundState.SUCCEEDED


async def test_an_attempt_that_changed_nothing_is_followed_by_the_next_after_a_longer_wait(
    world: UseCaseWorld,
) -> None:
    payment = await unanswered_payment(world)
    world.advance(seconds=26)
    world.processor.faults.plan("retrieve", UNREACHABLE)
    await world.run_recovery()
    assert world.due_in(payment) == 5 * SECOND
    world.advance(seconds=5)
    await world.run_recovery()
    assert (await world.current(payment)).state is State.SUCCEEDED
    assert world.due_in(payment) is None


async def test_attempts_that_crashes_of_ours_cut_off_do_not_lengthen_the_wait(
    world: UseCaseWorld,
) -> None:
    payment = await unanswered_payment(world)
    world.processor.faults.plan("retrieve", *[crash] * 5, UNREACHABLE)
    for _ in range(5):
        world.advance(seconds=26)
        with suppress(asyncio.CancelledError):
            await world.run_recovery()
    world.advance(seconds=26)
    await world.run_recovery()
    assert world.due_in(payment) == 5 * SECOND


async def test_a_payment_that_changed_in_a_late_attempt_is_attempted_again_after_a_second(
    world: UseCaseWorld,
) -> None:
    payment = await unanswered_payment(world, payment_method=PaymentMethod(DECLINED_CARD))
    world.processor.faults.plan("retrieve", *[UNREACHABLE] * 5)
    for _ in range(5):
        world.advance(minutes=1)
        await world.run_recovery()
    world.processor.faults.plan("cancel", UNREACHABLE)
    world.advance(minutes=1)
    await world.run_recovery()
    assert (await world.current(payment)).state is State.CANCELING
    assert world.due_in(payment) == SECOND
    assert world.store.attempts[payment.id] == 1


async def test_a_refund_that_changed_in_a_late_attempt_is_attempted_again_after_a_second(
    world: UseCaseWorld,
) -> None:
    refund = await unposted_refund(world)
    pending = ProcessorRefund("re_1", RefundStatus.PENDING, 400, refund.id)
    world.processor.faults.plan("refunds", *[UNREACHABLE] * 5, [pending])
    for _ in range(6):
        world.advance(minutes=1)
        await world.run_recovery()
    assert (await world.current_refund(refund)).processor_id == "re_1"
    assert world.due_in(refund) == SECOND


async def test_after_an_outage_the_first_answered_attempt_is_followed_by_two_minutes(
    world: UseCaseWorld,
) -> None:
    payment = await unanswered_payment(world, capture_method=CaptureMethod.MANUAL)
    refund = await unposted_refund(world)
    for call in ("retrieve", "refunds"):
        world.processor.faults.plan(call, *[UNREACHABLE] * 30, OutcomeUnknown("HTTP 500"))
    for _ in range(31):
        world.advance(minutes=1)
        await world.run_recovery()
    assert world.due_in(payment) == world.due_in(refund) == timedelta(minutes=2)


# ---------------------------------------------------------------- alerts


async def test_a_payment_without_an_outcome_for_a_quarter_of_an_hour_raises_an_alert(
    world: UseCaseWorld,
) -> None:
    await unanswered_payment(world)
    world.advance(minutes=16)
    world.processor.faults.plan("retrieve", UNREACHABLE)
    await world.run_recovery()
    assert world.alerts == [Alert.PAYMENT_OVERDUE]


async def test_an_overdue_payment_raises_its_alert_once_an_hour_however_often_it_is_attempted(
    world: UseCaseWorld,
) -> None:
    world.processor.faults.plan("confirm", UNREACHABLE)
    world.processor.faults.plan("retrieve", *[UNREACHABLE] * 100)
    await world.pay()
    alert_counts = []
    for _ in range(80):  # the processor is unreachable: an attempt every minute
        world.advance(minutes=1)
        await world.run_recovery()
        alert_counts.append(len(world.alerts))
    assert world.processor.calls.count("retrieve") == 80
    assert alert_counts == [*[0] * 15, *[1] * 60, *[2] * 5]


async def test_a_refund_that_never_reached_the_processor_raises_an_alert_after_16_minutes(
    world: UseCaseWorld,
) -> None:
    await unposted_refund(world)
    world.processor.faults.plan("refunds", *[UNREACHABLE] * 2)
    world.advance(minutes=15)
    await world.run_recovery()
    assert world.alerts == []
    world.advance(minutes=1)
    await world.run_recovery()
    assert world.alerts == [Alert.REFUND_OVERDUE]


async def test_a_refund_that_waits_for_a_bank_raises_an_alert_after_a_week(
    world: UseCaseWorld,
) -> None:
    payment = await world.pay(payment_method=PaymentMethod("pm_card_pendingRefund"))
    refund = await world.refund(payment)
    assert refund.state is RefundState.PENDING
    assert refund.processor_id
    world.processor.faults.plan("refunds", *[UNREACHABLE] * 2)
    world.advance(days=6)
    await world.run_recovery()
    assert world.alerts == []
    world.advance(days=2)
    await world.run_recovery()
    assert world.alerts == [Alert.REFUND_OVERDUE]


# ---------------------------------------------------------------- running


async def test_recovery_steps_what_is_due_until_it_is_stopped_and_then_leaves_no_task_behind(
    world: UseCaseWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(recovery, "WAKE_DEBOUNCE_SECONDS", 0.0)
    world.processor.faults.plan("confirm", UNREACHABLE)
    payment = await world.pay()
    world.advance(seconds=26)
    running = asyncio.create_task(world.recovery.run())
    async for event in world.read_events.watch(payment.name, ""):
        if event.state is State.SUCCEEDED:
            break
    stuck = asyncio.Event()

    async def hang() -> None:
        stuck.set()
        await asyncio.Event().wait()

    world.processor.faults.plan("confirm", UNREACHABLE)
    other = await world.pay(reference=None)
    world.advance(seconds=26)
    world.processor.faults.plan("retrieve", hang)
    await stuck.wait()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert len(asyncio.all_tasks()) == 1, "only this test"
    assert (await world.current(other)).state is State.CONFIRMING
