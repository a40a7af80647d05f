"""The driver of payments: a step asks for the intent, applies it, and makes the one call that may
follow.
"""

from dataclasses import replace
from uuid import uuid4

import pytest
from support.examples import an_intent
from support.faults import LOST_REPLY, UNREACHABLE
from support.use_case_world import (
    AUTHENTICATED_CARD,
    DECLINED_CARD,
    UseCaseWorld,
    new_request_id,
)

from payment.domain.evidence import (
    IdempotencyKeyConflict,
    Intent,
    IntentStatus,
    NotFound,
    Rejection,
    ServerError,
)
from payment.domain.machine import Operation, Post
from payment.domain.payment import CaptureMethod, Payment, State
from payment.domain.values import PaymentMethod, ReturnUrl
from payment.service_layer.alerts import Alert


@pytest.fixture
def world() -> UseCaseWorld:
    return UseCaseWorld()


async def unconfirmed_payment(world: UseCaseWorld, **changes: object) -> Payment:
    """A payment whose confirmation never reached the processor."""
    world.processor.faults.plan("confirm", UNREACHABLE)
    payment = await world.pay(**changes)
    assert payment.state is State.CONFIRMING
    return payment


# ---------------------------------------------------------------- what a step does


async def test_a_payment_in_a_final_state_is_not_asked_about(world: UseCaseWorld) -> None:
    payment = await world.pay()
    calls = len(world.processor.calls)
    assert (await world.step(payment)).resource == payment
    assert len(world.processor.calls) == calls


async def test_an_unconfirmed_intent_is_confirmed(world: UseCaseWorld) -> None:
    payment = await unconfirmed_payment(world)
    assert (await world.step(payment)).resource.state is State.SUCCEEDED
    assert world.charge_count == 1


async def test_a_declined_confirmation_is_followed_by_the_cancellation_at_once(
    world: UseCaseWorld,
) -> None:
    payment = await unconfirmed_payment(world, payment_method=PaymentMethod(DECLINED_CARD))
    assert (await world.step(payment)).resource.state is State.FAILED
    assert world.processor.calls[-2:] == ["confirm", "cancel"]


async def test_a_declined_payment_whose_cancellation_got_no_reply_is_not_failed_yet(
    world: UseCaseWorld,
) -> None:
    world.processor.faults.plan("cancel", LOST_REPLY)
    payment = await world.pay(payment_method=PaymentMethod(DECLINED_CARD))
    assert payment.state is State.CANCELING
    assert (await world.step(payment)).resource.state is State.FAILED


async def test_a_payment_not_confirmed_within_its_time_is_canceled(world: UseCaseWorld) -> None:
    payment = await unconfirmed_payment(world)
    world.advance(minutes=16)
    assert (await world.step(payment)).resource.state is State.CANCELED
    assert world.charge_count == 0


async def test_a_required_action_waits_for_the_customer_and_is_canceled_after_a_day(
    world: UseCaseWorld,
) -> None:
    payment = await world.pay(
        payment_method=PaymentMethod(AUTHENTICATED_CARD),
        return_url=ReturnUrl("https://shop.example/back"),
    )
    assert (await world.step(payment)).resource.state is State.REQUIRES_ACTION
    world.advance(hours=25)
    assert (await world.step(payment)).resource.state is State.CANCELED


# ---------------------------------------------------------------- replies that prove nothing


async def test_a_step_without_a_reply_changes_nothing(world: UseCaseWorld) -> None:
    payment = await unconfirmed_payment(world)
    world.processor.faults.plan("retrieve", UNREACHABLE)
    result = await world.step(payment)
    assert (result.resource, result.answered, result.unreachable) == (payment, False, True)


async def test_a_call_without_a_reply_changes_nothing(world: UseCaseWorld) -> None:
    payment = await unconfirmed_payment(world)
    world.processor.faults.plan("confirm", UNREACHABLE)
    result = await world.step(payment)
    assert (result.resource, result.answered, result.unreachable) == (payment, True, True)


@pytest.mark.parametrize("reply", [Rejection("resource_missing"), NotFound()], ids=str)
async def test_an_intent_that_cannot_be_retrieved_changes_nothing(
    world: UseCaseWorld, reply: object
) -> None:
    payment = await unconfirmed_payment(world)
    world.processor.faults.plan("retrieve", reply)
    result = await world.step(payment)
    assert (result.resource, result.answered, result.unreachable) == (payment, False, False)


@pytest.mark.parametrize(
    "reply", [ServerError(), Rejection("payment_intent_unexpected_state")], ids=str
)
async def test_a_reply_that_is_recorded_under_its_key_is_followed_by_a_call_under_a_new_key(
    world: UseCaseWorld, reply: object
) -> None:
    payment = await unconfirmed_payment(world)
    world.processor.faults.plan("confirm", reply)
    after = (await world.step(payment)).resource
    assert (after.idempotency_counter, after.version) == (1, payment.version)
    assert (await world.step(payment)).resource.state is State.SUCCEEDED
    assert world.charge_count == 1


# ---------------------------------------------------------------- contradictions


async def test_an_intent_that_contradicts_the_payment_holds_it_and_raises_an_alert(
    world: UseCaseWorld,
) -> None:
    payment = await unconfirmed_payment(world)
    intent = await world.simulated.retrieve(payment.intent_id)
    assert isinstance(intent, Intent)
    world.processor.faults.plan("retrieve", replace(intent, payment_id=uuid4()))
    assert (await world.step(payment)).resource.held is not None
    assert world.alerts == [Alert.PAYMENT_HELD]
    assert world.charge_count == 0


async def test_an_idempotency_key_conflict_holds_the_payment(world: UseCaseWorld) -> None:
    payment = await unconfirmed_payment(world)
    world.processor.faults.plan("confirm", IdempotencyKeyConflict())
    assert (await world.step(payment)).resource.held is not None
    assert world.alerts == [Alert.PAYMENT_HELD]


async def test_a_capture_that_was_not_ours_succeeds_and_raises_an_alert(
    world: UseCaseWorld,
) -> None:
    payment = await world.pay(capture_method=CaptureMethod.MANUAL)
    await world.simulated.post(payment, Post(Operation.CAPTURE, 9, 400))
    after = (await world.step(payment)).resource
    assert (after.state, after.amount_captured) == (State.SUCCEEDED, 400)
    assert world.alerts == [Alert.PAYMENT_INCIDENT]


async def test_a_capture_of_another_replica_raises_no_alert(world: UseCaseWorld) -> None:
    payment = await world.pay(capture_method=CaptureMethod.MANUAL)

    async def capture_concurrently() -> None:
        await world.change_payment.capture(payment.name, new_request_id(), None)

    world.processor.faults.plan("retrieve", capture_concurrently)
    assert (await world.step(payment)).resource.state is State.SUCCEEDED
    assert world.alerts == []


async def test_a_reply_about_another_intent_is_ignored_and_raises_an_alert(
    world: UseCaseWorld,
) -> None:
    payment = await unconfirmed_payment(world)
    other = an_intent(IntentStatus.REQUIRES_CONFIRMATION, id="pi_of_somebody")
    world.processor.faults.plan("retrieve", other)
    world.advance(minutes=16)
    calls = len(world.processor.calls)
    result = await world.step(payment)
    assert (result.resource.state, result.answered) == (State.CONFIRMING, False)
    assert world.processor.calls[calls:] == ["retrieve"]
    assert world.alerts == [Alert.PAYMENT_INCIDENT]


# ---------------------------------------------------------------- concurrent steps


@pytest.mark.parametrize("moment", ["retrieve", "confirm"])
async def test_two_concurrent_steps_charge_once_and_the_slower_returns_the_fasters_result(
    world: UseCaseWorld, moment: str
) -> None:
    payment = await unconfirmed_payment(world)

    async def step_concurrently() -> None:
        await world.step(payment)

    world.processor.faults.plan(moment, step_concurrently)
    assert (await world.step(payment)).resource.state is State.SUCCEEDED
    assert world.charge_count == 1


async def test_a_step_whose_row_changed_before_its_write_returns_the_row_as_it_is_now(
    world: UseCaseWorld,
) -> None:
    payment = await unconfirmed_payment(world)

    async def step_concurrently() -> None:
        await world.step(payment)

    world.payments.faults.plan("save", step_concurrently)
    assert (await world.step(payment)).resource.state is State.SUCCEEDED
    assert world.charge_count == 1


async def test_a_step_of_an_outdated_snapshot_makes_no_call(world: UseCaseWorld) -> None:
    payment = await unconfirmed_payment(world)
    outdated = await world.payments.get(payment.id)
    world.processor.faults.plan("confirm", ServerError())
    await world.step(payment)  # another replica's: the key is used up
    calls = len(world.processor.calls)
    result = await world.payment_driver.step(outdated)
    assert result.resource == await world.current(payment)
    assert world.processor.calls[calls:] == ["retrieve"]
