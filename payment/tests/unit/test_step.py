"""The one driver of an unfinished payment: read, ask, apply, call, apply."""

from dataclasses import replace
from uuid import uuid4

import pytest
from payment_examples import an_intent
from small_world import LOST, SILENCE, SmallWorld

from chassis.values import RequestId
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
def world() -> SmallWorld:
    return SmallWorld()


async def an_unanswered(world: SmallWorld, **said: object) -> Payment:
    """A payment whose confirm never reached the processor."""
    world.processor.troubles["confirm"] = [SILENCE]
    payment = await world.pay(**said)
    assert payment.state is State.CONFIRMING
    return payment


async def test_what_is_settled_is_left_alone(world: SmallWorld) -> None:
    payment = await world.pay()
    made = len(world.processor.made)
    assert (await world.step(payment)).resource == payment
    assert len(world.processor.made) == made


async def test_an_unconfirmed_intent_is_confirmed(world: SmallWorld) -> None:
    payment = await an_unanswered(world)
    stepped = await world.step(payment)
    assert stepped.resource.state is State.SUCCEEDED


async def test_a_processor_that_is_away_changes_nothing(world: SmallWorld) -> None:
    payment = await an_unanswered(world)
    world.processor.troubles["retrieve"] = [SILENCE]
    stepped = await world.step(payment)
    assert (stepped.resource, stepped.unreachable) == (payment, True)
    world.processor.troubles["confirm"] = [SILENCE]
    assert (await world.step(payment)).unreachable


@pytest.mark.parametrize("reply", [Rejection("resource_missing"), NotFound()])
async def test_an_intent_that_cannot_be_retrieved_changes_nothing(
    world: SmallWorld, reply: object
) -> None:
    payment = await an_unanswered(world)
    world.processor.troubles["retrieve"] = [reply]
    stepped = await world.step(payment)
    assert (stepped.resource, stepped.answered, stepped.unreachable) == (payment, False, False)


@pytest.mark.parametrize("trouble", [ServerError(), Rejection("payment_intent_unexpected_state")])
async def test_a_used_up_key_is_followed_by_a_fresh_one(world: SmallWorld, trouble: object) -> None:
    payment = await an_unanswered(world)
    world.processor.troubles["confirm"] = [trouble]
    used = await world.step(payment)
    assert (used.resource.idempotency_counter, used.resource.version) == (1, payment.version)
    assert (await world.step(payment)).resource.state is State.SUCCEEDED
    assert world.charges == 1


async def test_a_decline_goes_on_to_its_proof_at_once(world: SmallWorld) -> None:
    card = PaymentMethod("pm_card_visa_chargeDeclined")
    payment = await an_unanswered(world, payment_method=card)
    stepped = await world.step(payment)
    assert stepped.resource.state is State.FAILED
    assert world.processor.made[-2:] == ["confirm", "cancel"]


async def test_a_decline_whose_cancel_got_no_answer_is_not_failed_yet(world: SmallWorld) -> None:
    world.processor.troubles["cancel"] = [LOST]
    payment = await world.pay(payment_method=PaymentMethod("pm_card_visa_chargeDeclined"))
    assert payment.state is State.CANCELING
    assert (await world.step(payment)).resource.state is State.FAILED


async def test_a_card_is_not_tried_when_its_time_is_over(world: SmallWorld) -> None:
    payment = await an_unanswered(world)
    world.later(minutes=16)
    stepped = await world.step(payment)
    assert stepped.resource.state is State.CANCELED
    assert world.charges == 0


async def test_an_approved_action_is_found_and_an_unanswered_one_called_off(
    world: SmallWorld,
) -> None:
    payment = await world.pay(
        payment_method=PaymentMethod("pm_card_threeDSecure2Required"),
        return_url=ReturnUrl("https://shop.example/back"),
    )
    assert (await world.step(payment)).resource.state is State.REQUIRES_ACTION
    world.later(hours=25)
    assert (await world.step(payment)).resource.state is State.CANCELED


async def test_what_does_not_fit_is_held_and_wakes_a_person(world: SmallWorld) -> None:
    payment = await an_unanswered(world)
    intent = await world.processor.inner.retrieve(payment.intent_id)
    assert isinstance(intent, Intent)
    world.processor.troubles["retrieve"] = [replace(intent, payment_id=uuid4())]
    stepped = await world.step(payment)
    assert stepped.resource.held is not None
    assert world.alerts == [Alert.PAYMENT_HELD]
    assert world.charges == 0


async def test_a_misused_key_is_held(world: SmallWorld) -> None:
    payment = await an_unanswered(world)
    world.processor.troubles["confirm"] = [IdempotencyKeyConflict()]
    assert (await world.step(payment)).resource.held is not None


async def test_a_capture_by_somebody_else_succeeds_and_wakes_a_person(world: SmallWorld) -> None:
    payment = await world.pay(capture_method=CaptureMethod.MANUAL)
    await world.processor.inner.post(payment, Post(Operation.CAPTURE, 9, 400))
    stepped = await world.step(payment)
    assert (stepped.resource.state, stepped.resource.amount_captured) == (State.SUCCEEDED, 400)
    assert world.alerts == [Alert.PAYMENT_INCIDENT]


async def test_our_own_capture_by_another_replica_is_no_incident(world: SmallWorld) -> None:
    payment = await world.pay(capture_method=CaptureMethod.MANUAL)

    async def another_replica_captures() -> None:
        await world.change.capture(payment.name, RequestId(str(uuid4())), None)

    world.processor.troubles["retrieve"] = [another_replica_captures]
    stepped = await world.step(payment)
    assert (stepped.resource.state, world.alerts) == (State.SUCCEEDED, [])


async def test_two_steps_at_once_charge_once_and_the_slower_takes_the_faster_ones_word(
    world: SmallWorld,
) -> None:
    payment = await an_unanswered(world)

    async def another_replica() -> None:
        await world.step(payment)

    world.processor.troubles["retrieve"] = [another_replica]
    stepped = await world.step(payment)
    assert stepped.resource.state is State.SUCCEEDED
    assert world.charges == 1


async def test_a_row_that_moved_during_the_question_is_read_again(world: SmallWorld) -> None:
    payment = await an_unanswered(world)

    async def another_replica() -> None:
        await world.step(payment)

    world.payments.troubles["save"] = [another_replica]
    assert (await world.step(payment)).resource.state is State.SUCCEEDED


async def test_a_row_that_moved_during_the_call_is_read_again(world: SmallWorld) -> None:
    payment = await an_unanswered(world)

    async def another_replica() -> None:
        await world.step(payment)

    world.processor.troubles["confirm"] = [another_replica]
    assert (await world.step(payment)).resource.state is State.SUCCEEDED
    assert world.charges == 1


async def test_the_word_on_another_intent_is_no_reason_for_a_call(world: SmallWorld) -> None:
    payment = await an_unanswered(world)
    anothers = an_intent(IntentStatus.REQUIRES_CONFIRMATION, id="pi_of_somebody")
    world.processor.troubles["retrieve"] = [anothers]
    world.later(minutes=16)
    asked = len(world.processor.made)
    stepped = await world.step(payment)
    assert world.processor.made[asked:] == ["retrieve"]
    assert stepped.resource.state is State.CONFIRMING
    assert world.alerts == [Alert.PAYMENT_INCIDENT]
