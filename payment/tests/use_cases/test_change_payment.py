"""ChangePayment: capture, cancel, update, delete, undelete and release."""

from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from support.examples import NOW
from support.faults import LOST_REPLY, UNREACHABLE
from support.use_case_world import DECLINED_CARD, UseCaseWorld, new_request_id

from chassis.aip.resources import Snapshot
from chassis.values import Metadata, Reference
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
def world() -> UseCaseWorld:
    return UseCaseWorld()


async def authorized_payment(world: UseCaseWorld) -> Payment:
    return await world.pay(capture_method=CaptureMethod.MANUAL)


async def failed_payment(world: UseCaseWorld) -> Payment:
    return await world.pay(payment_method=PaymentMethod(DECLINED_CARD))


async def held_payment(world: UseCaseWorld) -> Payment:
    world.processor.faults.plan("confirm", IdempotencyKeyConflict())
    held = await world.pay()
    assert held.held is not None
    return held


async def test_a_change_of_an_unknown_payment_is_not_found(world: UseCaseWorld) -> None:
    with pytest.raises(PaymentNotFound):
        await world.change_payment.delete(PaymentName(uuid4()))


# ---------------------------------------------------------------- capture


async def test_a_part_is_captured_once_and_a_repeated_request_gets_the_same_answer(
    world: UseCaseWorld,
) -> None:
    payment, request_id = await authorized_payment(world), new_request_id()
    captured = await world.change_payment.capture(payment.name, request_id, Money(300, "EUR"))
    assert (captured.state, captured.amount_captured) == (State.SUCCEEDED, 300)
    again = await world.change_payment.capture(payment.name, request_id, Money(300, "EUR"))
    assert again == captured == await world.current(payment)


async def test_a_capture_without_a_reply_is_processing_and_can_no_longer_be_canceled(
    world: UseCaseWorld,
) -> None:
    payment = await authorized_payment(world)
    world.processor.faults.plan("capture", LOST_REPLY)
    capturing = await world.change_payment.capture(payment.name, new_request_id(), None)
    assert capturing.state is State.CAPTURING
    with pytest.raises(WrongState):
        await world.change_payment.cancel(payment.name, new_request_id())
    assert (await world.step(payment)).resource.state is State.SUCCEEDED


async def test_a_request_id_stands_for_one_operation_on_one_payment_with_one_content(
    world: UseCaseWorld,
) -> None:
    payment, request_id = await authorized_payment(world), new_request_id()
    await world.change_payment.capture(payment.name, request_id, Money(300, "EUR"))
    with pytest.raises(RequestIdReused):
        await world.change_payment.capture(payment.name, request_id, Money(301, "EUR"))
    with pytest.raises(RequestIdReused):
        await world.change_payment.cancel(payment.name, request_id)
    with pytest.raises(RequestIdReused):
        await world.change_payment.cancel(payment.name, payment.request.request_id)


async def test_a_concurrent_copy_of_a_capture_is_not_refused_for_the_capture_itself(
    world: UseCaseWorld,
) -> None:
    payment, request_id = await authorized_payment(world), new_request_id()
    get = world.payments.get

    async def capture_then_get(payment_id: UUID) -> Snapshot[Payment]:
        """The other copy is faster: it captures between our look-up of the request and our read."""
        world.payments.get = get  # type: ignore[method-assign]
        await world.change_payment.capture(payment.name, request_id, None, payment.etag)
        return await get(payment_id)

    world.payments.get = capture_then_get  # type: ignore[method-assign]
    captured = await world.change_payment.capture(payment.name, request_id, None, payment.etag)
    assert captured.state is State.SUCCEEDED


async def test_a_part_that_the_processors_units_cannot_express_is_not_captured(
    world: UseCaseWorld,
) -> None:
    payment = await world.pay(capture_method=CaptureMethod.MANUAL, amount=Money(1000, "KWD"))
    with pytest.raises(RefusedByProcessor) as error:
        await world.change_payment.capture(payment.name, new_request_id(), Money(999, "KWD"))
    assert (error.value.part, error.value.operation) == (RequestPart.AMOUNT, "capture")
    assert (await world.current(payment)).state is State.AUTHORIZED


# ---------------------------------------------------------------- cancel


async def test_an_authorization_is_canceled_and_a_repeated_request_gets_the_same_answer(
    world: UseCaseWorld,
) -> None:
    payment, request_id = await authorized_payment(world), new_request_id()
    canceled = await world.change_payment.cancel(payment.name, request_id)
    assert canceled.state is State.CANCELED
    assert await world.change_payment.cancel(payment.name, request_id) == canceled
    assert world.charge_count == 0


async def test_a_cancellation_that_came_after_the_charge_is_refused_each_time_it_is_sent(
    world: UseCaseWorld,
) -> None:
    world.processor.faults.plan("confirm", LOST_REPLY)
    payment, request_id = await world.pay(), new_request_id()
    for _ in range(2):
        with pytest.raises(WrongState):
            await world.change_payment.cancel(payment.name, request_id)
    assert (await world.current(payment)).state is State.SUCCEEDED


# ---------------------------------------------------------------- update


async def test_a_change_with_the_etag_of_another_version_is_refused(world: UseCaseWorld) -> None:
    payment = await authorized_payment(world)
    with pytest.raises(EtagMismatch):
        await world.change_payment.capture(payment.name, new_request_id(), None, etag='"1"')
    with pytest.raises(EtagMismatch):
        await world.change_payment.update(payment.name, PaymentChanges("two chairs"), etag='"1"')
    captured = await world.change_payment.capture(
        payment.name, new_request_id(), None, etag=payment.etag
    )
    assert captured.state is State.SUCCEEDED


async def test_an_update_changes_the_given_fields_and_no_others(world: UseCaseWorld) -> None:
    payment = await world.pay(reference=None)
    metadata, reference = Metadata.of({"a": "b"}), Reference("order-9")
    for changes in (
        PaymentChanges(description="two chairs"),
        PaymentChanges(metadata=metadata),
        PaymentChanges(reference=reference),
    ):
        payment = await world.change_payment.update(payment.name, changes)
    request = payment.request
    assert (request.description, request.metadata, request.reference) == (
        "two chairs",
        metadata,
        reference,
    )


async def test_an_update_that_changes_nothing_writes_nothing(world: UseCaseWorld) -> None:
    payment = await world.pay(description="two chairs")
    changes = PaymentChanges(description="two chairs")
    assert await world.change_payment.update(payment.name, changes) == payment


async def test_a_reference_is_not_taken_away(world: UseCaseWorld) -> None:
    payment = await world.pay()
    with pytest.raises(ReferenceSet):
        await world.change_payment.update(payment.name, PaymentChanges(clears_reference=True))


async def test_a_reference_of_a_payment_that_may_be_charged_is_not_given_to_another(
    world: UseCaseWorld,
) -> None:
    holder, other = await world.pay(), await world.pay(reference=None)
    changes = PaymentChanges(reference=holder.request.reference)
    with pytest.raises(ReferenceTaken) as error:
        await world.change_payment.update(other.name, changes)
    assert error.value.holder == str(holder.name)


async def test_a_failed_payment_keeps_its_reference_when_it_is_given_again(
    world: UseCaseWorld,
) -> None:
    failed = await failed_payment(world)
    changes = PaymentChanges(reference=failed.request.reference)
    assert await world.change_payment.update(failed.name, changes) == failed


async def test_a_change_that_is_overtaken_is_tried_again_and_given_up_at_last(
    world: UseCaseWorld,
) -> None:
    payment = await authorized_payment(world)
    count = 0

    async def update_concurrently() -> None:
        nonlocal count
        count += 1
        before = await world.current(payment)
        after = replace(before, request=replace(before.request, description=str(count)))
        await MemoryPayments.save(world.payments, before, after, UPDATED)

    world.payments.faults.plan("save", update_concurrently)
    changed = await world.change_payment.update(payment.name, PaymentChanges(description="mine"))
    assert changed.request.description == "mine"

    world.payments.faults.plan("save", *[update_concurrently] * 5)
    with pytest.raises(TryAgain):
        await world.change_payment.update(payment.name, PaymentChanges(description="again"))

    world.payments.faults.plan("save", *[update_concurrently] * 5)
    with pytest.raises(TryAgain):
        await world.change_payment.capture(payment.name, new_request_id(), None)


# ---------------------------------------------------------------- delete and undelete


async def test_a_failed_payment_is_deleted_and_brought_back_and_repeating_changes_nothing(
    world: UseCaseWorld,
) -> None:
    failed = await failed_payment(world)
    deleted = await world.change_payment.delete(failed.name)
    assert deleted.delete_time is not None
    assert await world.change_payment.delete(failed.name) == deleted
    undeleted = await world.change_payment.undelete(failed.name)
    assert undeleted.delete_time is None
    assert await world.change_payment.undelete(failed.name) == undeleted


async def test_of_two_concurrent_deletions_one_is_written(world: UseCaseWorld) -> None:
    payment = await failed_payment(world)

    async def delete_concurrently() -> None:
        await world.change_payment.delete(payment.name)
        world.advance(seconds=1)

    world.payments.faults.plan("save", delete_concurrently)
    deleted = await world.change_payment.delete(payment.name)
    assert deleted == await world.current(payment)
    assert (deleted.version, deleted.delete_time) == (payment.version + 1, NOW)


# ---------------------------------------------------------------- release


async def test_a_released_payment_continues_and_the_event_has_the_note(
    world: UseCaseWorld,
) -> None:
    held = await held_payment(world)
    payment = await world.change_payment.release(held.name, "looked into it")
    assert payment.state is State.SUCCEEDED
    released = world.store.events[-2]
    assert (released.type, released.note) == (EventType.RELEASED, "looked into it")
    assert world.charge_count == 1


async def test_a_release_that_meets_the_same_contradiction_holds_the_payment_again(
    world: UseCaseWorld,
) -> None:
    held = await held_payment(world)
    intent = await world.simulated.retrieve(held.intent_id)
    assert isinstance(intent, Intent)
    world.processor.faults.plan("retrieve", replace(intent, payment_id=uuid4()))
    again = await world.change_payment.release(held.name, "looked into it")
    assert again.held is not None
    assert again.held != held.held


async def test_a_release_while_the_processor_is_unreachable_changes_nothing(
    world: UseCaseWorld,
) -> None:
    held = await held_payment(world)
    world.processor.faults.plan("retrieve", UNREACHABLE)
    with pytest.raises(ProcessorUnavailable):
        await world.change_payment.release(held.name, "looked into it")
    assert await world.current(held) == held


async def test_of_two_concurrent_releases_one_is_written(world: UseCaseWorld) -> None:
    held = await held_payment(world)

    async def release_concurrently() -> None:
        await world.change_payment.release(held.name, "I was faster")

    world.payments.faults.plan("save", release_concurrently)
    with pytest.raises(TryAgain):
        await world.change_payment.release(held.name, "looked into it")
    with pytest.raises(WrongState):
        await world.change_payment.release(held.name, "twice")
