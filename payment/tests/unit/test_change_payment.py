"""What people ask of a payment, with the processor behind it."""

from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from payment_examples import NOW
from small_world import LOST, SILENCE, SmallWorld

from chassis.aip.resources import Snapshot
from chassis.values import Metadata, Reference, RequestId
from payment.domain.errors import (
    EtagMismatch,
    PaymentNotFound,
    ProcessorUnavailable,
    ReferenceSet,
    ReferenceTaken,
    RefusedByProcessor,
    RequestIdReused,
    TryAgain,
    WrongState,
)
from payment.domain.events import EventType, NewEvent
from payment.domain.evidence import IdempotencyKeyConflict, Intent
from payment.domain.payment import CaptureMethod, Payment, State
from payment.domain.values import Money, PaymentMethod, PaymentName, RequestPart
from payment.repository.memory import MemoryPayments
from payment.service_layer.change_payment import PaymentChanges

UPDATED = NewEvent(EventType.UPDATED)


@pytest.fixture
def world() -> SmallWorld:
    return SmallWorld()


def an_id() -> RequestId:
    return RequestId(str(uuid4()))


async def an_authorised(world: SmallWorld) -> Payment:
    return await world.pay(capture_method=CaptureMethod.MANUAL)


async def a_failed(world: SmallWorld) -> Payment:
    return await world.pay(payment_method=PaymentMethod("pm_card_visa_chargeDeclined"))


async def test_what_is_not_there_is_not_found(world: SmallWorld) -> None:
    with pytest.raises(PaymentNotFound):
        await world.change.delete(PaymentName(uuid4()))


async def test_a_part_is_captured_and_a_repeated_call_finds_its_own_work(
    world: SmallWorld,
) -> None:
    payment, request_id = await an_authorised(world), an_id()
    captured = await world.change.capture(payment.name, request_id, Money(300, "EUR"))
    assert (captured.state, captured.amount_captured) == (State.SUCCEEDED, 300)
    again = await world.change.capture(payment.name, request_id, Money(300, "EUR"))
    assert again == captured
    assert await world.payment(payment.id) == captured


async def test_a_capture_whose_answer_was_lost_is_processing_and_never_goes_back(
    world: SmallWorld,
) -> None:
    payment, request_id = await an_authorised(world), an_id()
    world.processor.troubles["capture"] = [LOST]
    asked = await world.change.capture(payment.name, request_id, None)
    assert asked.state is State.CAPTURING
    with pytest.raises(WrongState):
        await world.change.cancel(payment.name, an_id())
    assert (await world.step(payment)).resource.state is State.SUCCEEDED


async def test_a_request_id_stands_for_one_content_on_one_payment(world: SmallWorld) -> None:
    payment, request_id = await an_authorised(world), an_id()
    await world.change.capture(payment.name, request_id, Money(300, "EUR"))
    with pytest.raises(RequestIdReused):
        await world.change.capture(payment.name, request_id, Money(301, "EUR"))
    with pytest.raises(RequestIdReused):
        await world.change.cancel(payment.name, request_id)
    with pytest.raises(RequestIdReused):
        await world.change.cancel(payment.name, payment.request.request_id)


async def test_a_twin_is_not_told_that_its_own_work_stands_in_the_way(world: SmallWorld) -> None:
    payment, request_id = await an_authorised(world), an_id()
    get = world.payments.get

    async def get_after_the_twin(payment_id: UUID) -> Snapshot[Payment]:
        world.payments.get = get  # type: ignore[method-assign]
        await world.change.capture(payment.name, request_id, None, payment.etag)
        return await get(payment_id)

    world.payments.get = get_after_the_twin  # type: ignore[method-assign]
    captured = await world.change.capture(payment.name, request_id, None, payment.etag)
    assert captured.state is State.SUCCEEDED


async def test_an_amount_that_the_processor_cannot_say_is_not_captured(world: SmallWorld) -> None:
    payment = await world.pay(capture_method=CaptureMethod.MANUAL, amount=Money(1000, "KWD"))
    with pytest.raises(RefusedByProcessor) as error:
        await world.change.capture(payment.name, an_id(), Money(999, "KWD"))
    assert (error.value.part, error.value.operation) == (RequestPart.AMOUNT, "capture")
    assert (await world.payment(payment.id)).state is State.AUTHORIZED


async def test_a_hold_is_called_off_and_a_repeated_call_says_the_same(world: SmallWorld) -> None:
    payment, request_id = await an_authorised(world), an_id()
    canceled = await world.change.cancel(payment.name, request_id)
    assert canceled.state is State.CANCELED
    assert await world.change.cancel(payment.name, request_id) == canceled
    assert world.charges == 0


async def test_a_cancellation_that_lost_against_the_charge_says_so_every_time(
    world: SmallWorld,
) -> None:
    world.processor.troubles["confirm"] = [LOST]
    payment, request_id = await world.pay(), an_id()
    for _ in range(2):
        with pytest.raises(WrongState):
            await world.change.cancel(payment.name, request_id)
    assert (await world.payment(payment.id)).state is State.SUCCEEDED


async def test_a_change_names_the_version_that_it_is_meant_for(world: SmallWorld) -> None:
    payment = await an_authorised(world)
    with pytest.raises(EtagMismatch):
        await world.change.capture(payment.name, an_id(), None, etag='"1"')
    with pytest.raises(EtagMismatch):
        await world.change.update(payment.name, PaymentChanges("two chairs"), etag='"1"')
    done = await world.change.capture(payment.name, an_id(), None, etag=payment.etag)
    assert done.state is State.SUCCEEDED


async def test_words_are_changed_and_what_is_not_named_stays(world: SmallWorld) -> None:
    payment = await world.pay(reference=None)
    one = await world.change.update(payment.name, PaymentChanges(description="two chairs"))
    two = await world.change.update(payment.name, PaymentChanges(metadata=Metadata.of({"a": "b"})))
    three = await world.change.update(payment.name, PaymentChanges(reference=Reference("order-9")))
    assert one.request.description == three.request.description == "two chairs"
    assert two.request.metadata == three.request.metadata == Metadata.of({"a": "b"})
    assert three.request.reference == Reference("order-9")
    same = await world.change.update(payment.name, PaymentChanges(description="two chairs"))
    assert same.version == three.version, "what changes nothing is no change"
    with pytest.raises(ReferenceSet):
        await world.change.update(payment.name, PaymentChanges(clears_reference=True))


async def test_a_reference_that_a_living_payment_has_is_not_given(world: SmallWorld) -> None:
    holder = await world.pay()
    other = await world.pay(reference=None)
    with pytest.raises(ReferenceTaken) as error:
        await world.change.update(other.name, PaymentChanges(reference=holder.request.reference))
    assert error.value.holder == str(holder.name)


async def test_a_failed_payment_may_take_back_nothing_but_its_own_reference(
    world: SmallWorld,
) -> None:
    failed = await a_failed(world)
    kept = await world.change.update(
        failed.name, PaymentChanges(reference=failed.request.reference)
    )
    assert kept == failed


async def test_what_ended_without_money_is_deleted_once_and_brought_back(
    world: SmallWorld,
) -> None:
    failed = await a_failed(world)
    deleted = await world.change.delete(failed.name)
    assert deleted.delete_time is not None
    assert await world.change.delete(failed.name) == deleted
    back = await world.change.undelete(failed.name)
    assert back.delete_time is None
    assert await world.change.undelete(failed.name) == back


async def test_a_change_that_is_overtaken_is_tried_again_and_at_last_given_up(
    world: SmallWorld,
) -> None:
    payment = await an_authorised(world)
    count = 0

    async def somebody_else() -> None:
        nonlocal count
        count += 1
        seen = await world.payments.get(payment.id)
        words = replace(seen.resource.request, description=str(count))
        after = replace(seen.resource, request=words)
        await MemoryPayments.save(world.payments, seen.resource, after, UPDATED)

    world.payments.troubles["save"] = [somebody_else]
    changed = await world.change.update(payment.name, PaymentChanges(description="mine"))
    assert changed.request.description == "mine"
    world.payments.troubles["save"] = [somebody_else] * 5
    with pytest.raises(TryAgain):
        await world.change.update(payment.name, PaymentChanges(description="again"))
    world.payments.troubles["save"] = [somebody_else] * 5
    with pytest.raises(TryAgain):
        await world.change.capture(payment.name, an_id(), None)


async def a_held(world: SmallWorld) -> Payment:
    world.processor.troubles["confirm"] = [IdempotencyKeyConflict()]
    held = await world.pay()
    assert held.held is not None
    return held


async def test_a_released_payment_goes_on_with_a_note(world: SmallWorld) -> None:
    held = await a_held(world)
    done = await world.change.release(held.name, "looked into it")
    assert done.state is State.SUCCEEDED
    released = world.store.events[-2]
    assert (released.type, released.note) == (EventType.RELEASED, "looked into it")
    assert world.charges == 1


async def test_a_release_that_meets_the_same_again_holds_again(world: SmallWorld) -> None:
    held = await a_held(world)
    intent = await world.processor.inner.retrieve(held.intent_id)
    assert isinstance(intent, Intent)
    wrong = replace(intent, payment_id=uuid4())
    world.processor.troubles["retrieve"] = [wrong]
    again = await world.change.release(held.name, "looked into it")
    assert again.held is not None
    assert again.held != held.held


async def test_a_release_waits_for_the_processor_and_for_nobody_else(world: SmallWorld) -> None:
    held = await a_held(world)
    world.processor.troubles["retrieve"] = [SILENCE]
    with pytest.raises(ProcessorUnavailable):
        await world.change.release(held.name, "looked into it")

    async def somebody_else() -> None:
        await world.change.release(held.name, "I was faster")

    world.payments.troubles["save"] = [somebody_else]
    with pytest.raises(TryAgain):
        await world.change.release(held.name, "looked into it")
    with pytest.raises(WrongState):
        await world.change.release(held.name, "twice")


async def test_two_that_delete_at_once_delete_once(world: SmallWorld) -> None:
    payment = await a_failed(world)

    async def the_other() -> None:
        await world.change.delete(payment.name)
        world.later(seconds=1)

    world.payments.troubles["save"] = [the_other]
    deleted = await world.change.delete(payment.name)
    assert deleted == await world.payment(payment.id)
    assert (deleted.version, deleted.delete_time) == (payment.version + 1, NOW)
