"""What is due is taken up and stepped, and nothing ends the work."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from uuid import uuid4

import pytest
from small_world import LOST, SILENCE, SmallWorld

from chassis.values import RequestId
from payment.domain.errors import PaymentNotFound
from payment.domain.evidence import OutcomeUnknown, ProcessorRefund, RefundStatus
from payment.domain.payment import CaptureMethod, State
from payment.domain.refund import RefundRequest, RefundState
from payment.domain.values import Money, PaymentMethod
from payment.service_layer import recovery
from payment.service_layer.alerts import Alert


@pytest.fixture
def world() -> SmallWorld:
    return SmallWorld()


async def dies() -> None:
    """A crash of the process, in the middle of a step."""
    raise asyncio.CancelledError


async def test_a_payment_whose_process_died_is_taken_up_within_25_seconds(
    world: SmallWorld,
) -> None:
    world.processor.troubles["confirm"] = [dies]
    with suppress(asyncio.CancelledError):
        await world.pay()
    (payment,) = world.store.payments.values()
    world.later(seconds=24)
    await world.recover()
    assert (await world.payment(payment.id)).state is State.CONFIRMING, "somebody may be at it"
    world.later(seconds=2)
    await world.recover()
    assert (await world.payment(payment.id)).state is State.SUCCEEDED


async def test_a_payment_without_an_answer_is_looked_at_after_a_second(world: SmallWorld) -> None:
    world.processor.troubles["confirm"] = [LOST]
    payment = await world.pay()
    await world.recover()
    assert (await world.payment(payment.id)).state is State.CONFIRMING
    world.later(seconds=1)
    await world.recover()
    assert (await world.payment(payment.id)).state is State.SUCCEEDED


async def test_what_was_asked_for_later_is_looked_at_after_a_second_too(world: SmallWorld) -> None:
    payment = await world.pay(capture_method=CaptureMethod.MANUAL)
    world.processor.troubles["capture"] = [LOST]
    await world.change.capture(payment.name, RequestId(str(uuid4())), None)
    world.later(seconds=1)
    await world.recover()
    assert (await world.payment(payment.id)).state is State.SUCCEEDED


async def test_a_look_that_changed_nothing_is_followed_by_the_next_in_time(
    world: SmallWorld,
) -> None:
    world.processor.troubles["confirm"] = [LOST]
    payment = await world.pay()
    world.later(seconds=26)
    world.processor.troubles["retrieve"] = [SILENCE]
    await world.recover()
    assert world.store.due[payment.id] == world.now + timedelta(seconds=5)
    world.later(seconds=5)
    await world.recover()
    assert (await world.payment(payment.id)).state is State.SUCCEEDED
    assert payment.id not in world.store.due


async def test_looks_that_our_own_crashes_cut_off_do_not_make_a_payment_wait_longer(
    world: SmallWorld,
) -> None:
    world.processor.troubles["confirm"] = [LOST]
    payment = await world.pay()
    world.processor.troubles["retrieve"] = [*[dies] * 5, SILENCE]
    for _ in range(5):
        world.later(seconds=26)
        with suppress(asyncio.CancelledError):
            await world.recover()
    world.later(seconds=26)
    await world.recover()
    assert world.store.due[payment.id] == world.now + timedelta(seconds=5)


async def test_what_moved_in_a_late_look_is_looked_at_soon_again(world: SmallWorld) -> None:
    world.processor.troubles["confirm"] = [LOST]
    payment = await world.pay(payment_method=PaymentMethod("pm_card_visa_chargeDeclined"))
    world.processor.troubles["retrieve"] = [SILENCE] * 5
    for _ in range(5):
        world.later(minutes=1)
        await world.recover()
    world.processor.troubles["cancel"] = [SILENCE]
    world.later(minutes=1)
    await world.recover()
    assert (await world.payment(payment.id)).state is State.CANCELING
    assert world.store.due[payment.id] == world.now + timedelta(seconds=1)
    assert world.store.attempts[payment.id] == 1


async def test_a_refund_that_moved_in_a_late_look_is_looked_at_soon_again(
    world: SmallWorld,
) -> None:
    payment = await world.pay()
    world.processor.troubles["refund"] = [SILENCE]
    request = RefundRequest(RequestId(str(uuid4())), payment.name, Money(400, "EUR"))
    refund = await world.create_refund(request)
    pending = ProcessorRefund("re_1", RefundStatus.PENDING, 400, refund.id)
    world.processor.troubles["refunds"] = [*[SILENCE] * 5, [pending]]
    for _ in range(6):
        world.later(minutes=1)
        await world.recover()
    assert world.store.refunds[refund.id].processor_id == "re_1"
    assert world.store.due[refund.id] == world.now + timedelta(seconds=1)


async def test_after_a_processor_was_away_its_first_vague_word_costs_two_minutes(
    world: SmallWorld,
) -> None:
    world.processor.troubles["confirm"] = [LOST]
    world.processor.troubles["refund"] = [SILENCE]
    payment = await world.pay(capture_method=CaptureMethod.MANUAL)
    paid = await world.pay(reference=None)
    request = RefundRequest(RequestId(str(uuid4())), paid.name, Money(400, "EUR"))
    refund = await world.create_refund(request)
    for call in ("retrieve", "refunds"):
        world.processor.troubles[call] = [*[SILENCE] * 30, OutcomeUnknown("HTTP 500")]
    for _ in range(31):
        world.later(minutes=1)
        await world.recover()
    two_minutes = world.now + timedelta(minutes=2)
    assert [world.store.due[each] for each in (payment.id, refund.id)] == [two_minutes] * 2


async def test_a_payment_that_stays_without_an_outcome_wakes_a_person(world: SmallWorld) -> None:
    world.processor.troubles["confirm"] = [LOST]
    await world.pay()
    world.later(minutes=16)
    world.processor.troubles["retrieve"] = [SILENCE]
    await world.recover()
    assert world.alerts == [Alert.PAYMENT_OVERDUE]


async def test_who_was_woken_is_reminded_after_an_hour_and_not_at_every_look(
    world: SmallWorld,
) -> None:
    world.processor.troubles["confirm"] = [SILENCE]
    world.processor.troubles["retrieve"] = [SILENCE] * 100
    await world.pay()
    alarms = []
    for _ in range(80):  # the processor is out of reach: a look every minute
        world.later(minutes=1)
        await world.recover()
        alarms.append(len(world.alerts))
    assert world.processor.made.count("retrieve") == 80
    assert alarms == [*[0] * 15, *[1] * 60, *[2] * 5]


async def test_a_refund_that_nobody_has_heard_of_for_long_wakes_a_person(
    world: SmallWorld,
) -> None:
    payment = await world.pay()
    world.processor.troubles["refund"] = [SILENCE]
    world.processor.troubles["refunds"] = [SILENCE] * 2
    request = RefundRequest(RequestId(str(uuid4())), payment.name, Money(400, "EUR"))
    await world.create_refund(request)
    world.later(minutes=15)
    await world.recover()
    assert world.alerts == []
    world.later(minutes=1)
    await world.recover()
    assert world.alerts == [Alert.REFUND_OVERDUE]


async def test_a_refund_that_waits_for_a_bank_is_left_in_peace_for_a_week(
    world: SmallWorld,
) -> None:
    payment = await world.pay(payment_method=PaymentMethod("pm_card_pendingRefund"))
    request = RefundRequest(RequestId(str(uuid4())), payment.name, Money(400, "EUR"))
    refund = await world.create_refund(request)
    assert refund.state is RefundState.PENDING
    assert refund.processor_id
    world.processor.troubles["refunds"] = [SILENCE] * 2
    world.later(days=6)
    await world.recover()
    assert world.alerts == []
    world.later(days=2)
    await world.recover()
    assert world.alerts == [Alert.REFUND_OVERDUE]


async def test_a_refund_is_taken_up_too(world: SmallWorld) -> None:
    payment = await world.pay()
    world.processor.troubles["refund"] = [LOST]
    request_id = RequestId(str(uuid4()))
    request = RefundRequest(request_id, payment.name, Money(400, "EUR"))
    refund = await world.create_refund(request)
    assert refund.state is RefundState.PENDING
    world.later(seconds=1)
    await world.recover()
    assert (await world.refund(refund)).state is RefundState.SUCCEEDED


async def test_one_that_cannot_be_stepped_does_not_keep_the_others_from_it(
    world: SmallWorld,
) -> None:
    world.processor.troubles["confirm"] = [SILENCE, SILENCE]
    one = await world.pay()
    other = await world.pay(reference=None)
    world.later(seconds=26)

    async def gone() -> None:
        raise PaymentNotFound(str(one.name))

    world.processor.troubles["retrieve"] = [gone]
    await world.recover()
    states = {(await world.payment(each.id)).state for each in (one, other)}
    assert states == {State.CONFIRMING, State.SUCCEEDED}
    assert len(world.unexpected_errors) == 1


async def test_a_database_that_is_away_is_asked_again(world: SmallWorld) -> None:
    async def away(limit: int) -> None:
        raise ConnectionError

    world.payments.claim_due = away  # type: ignore[method-assign, assignment]
    payments, _ = world.recovery.lanes
    assert await world.recovery.claim(payments) == []
    assert len(world.unexpected_errors) == 1


async def test_it_works_until_it_is_told_to_stop_and_leaves_no_work_behind(
    world: SmallWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "POLL_SECONDS", 0.01)
    world.processor.troubles["confirm"] = [SILENCE]
    payment = await world.pay()
    world.later(seconds=26)
    working = asyncio.create_task(world.recovery.run())
    async for event in world.events.watch(payment.name, ""):
        if event.state is State.SUCCEEDED:
            break
    stuck = asyncio.Event()

    async def for_ever() -> None:
        stuck.set()
        await asyncio.Event().wait()

    world.processor.troubles["confirm"] = [SILENCE]
    other = await world.pay(reference=None)
    world.later(seconds=26)
    world.processor.troubles["retrieve"] = [for_ever]
    await stuck.wait()
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working
    assert len(asyncio.all_tasks()) == 1
    assert (await world.payment(other.id)).state is State.CONFIRMING


async def test_refunds_that_cannot_be_claimed_keep_no_payment_from_it(world: SmallWorld) -> None:
    async def locked(limit: int) -> None:
        raise TimeoutError

    world.refunds.claim_due = locked  # type: ignore[method-assign, assignment]
    world.processor.troubles["confirm"] = [SILENCE]
    payment = await world.pay()
    world.later(seconds=1)
    await world.recover()
    assert (await world.payment(payment.id)).state is State.SUCCEEDED
    assert len(world.unexpected_errors) == 1


async def test_refunds_do_not_wait_for_payments_that_fill_every_place(world: SmallWorld) -> None:
    silent = asyncio.Event()

    async def is_silent() -> None:
        await silent.wait()

    paid = await world.pay()
    world.processor.troubles["refund"] = [SILENCE]
    request = RefundRequest(RequestId(str(uuid4())), paid.name, Money(400, "EUR"))
    refund = await world.create_refund(request)
    for _ in range(recovery.MAX_CONCURRENT_STEPS + 1):
        world.processor.troubles["confirm"] = [SILENCE]
        await world.pay(reference=None)
    world.processor.troubles["retrieve"] = [is_silent] * (recovery.MAX_CONCURRENT_STEPS + 1)
    world.later(seconds=1)
    working = asyncio.create_task(world.recovery.run())
    async with asyncio.timeout(30):
        while (await world.refund(refund)).state is RefundState.PENDING:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working
