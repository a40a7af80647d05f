"""The contract of PaymentRepository, on each implementation."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from support.repositories import (
    ACTION,
    DECLINE,
    SECOND,
    Repositories,
    moved,
    new_request_id,
    request_record,
    some,
    unsaved_payment,
)

from chassis.identifiers import uuid7
from chassis.values import Metadata, Reference
from payment.domain.errors import PaymentNotFound
from payment.domain.events import EventType, NewEvent, event_for
from payment.domain.payment import CancelReason, CaptureMethod, Held, Payment, State
from payment.domain.values import Failure, Money, ReturnUrl
from payment.service_layer.ports import RequestRecord

A_1 = Reference("A-1")
HAPPENED = NewEvent(EventType.UPDATED, "in words")


def full_payment() -> Payment:
    return unsaved_payment(
        customer_etag='"17"',
        amount=Money(999_999_999_999, "JPY"),
        capture_method=CaptureMethod.MANUAL,
        return_url=ReturnUrl("https://shop.example/back?a=1"),
        description="Ærø 王小明 \"'\\ %",
        reference=A_1,
        metadata=Metadata.of({"z": "x\ny", "ключ": "", "a": "\"'\\"}),
    )


async def test_an_inserted_payment_comes_back_as_it_was_asked_for(stores: Repositories) -> None:
    asked = full_payment()
    before = (await stores.payments.find_conflicts(new_request_id())).now
    build_payment = some(await stores.insert(asked))
    assert build_payment == replace(
        asked, create_time=build_payment.create_time, update_time=build_payment.create_time
    )
    assert before <= build_payment.create_time <= (await stores.seen(build_payment)).now
    assert await stores.now(build_payment) == build_payment


async def test_a_birth_is_told(stores: Repositories) -> None:
    build_payment = await stores.build_payment()
    (event,) = await stores.told_of(build_payment)
    assert (event.payment_id, event.sequence, event.type) == (
        build_payment.id,
        1,
        EventType.CREATED,
    )
    assert (event.state, event.refund_id, event.note) == (State.CONFIRMING, None, "")
    assert event.event_time == build_payment.create_time


async def test_what_was_never_inserted_is_not_there(stores: Repositories) -> None:
    with pytest.raises(PaymentNotFound):
        await stores.payments.get(uuid7())
    assert await stores.payments.find_request(new_request_id()) is None


async def test_an_insert_after_its_time_makes_no_payment(stores: Repositories) -> None:
    late = unsaved_payment(reference=A_1)
    now = (await stores.payments.find_conflicts(late.request.request_id)).now
    assert await stores.payments.insert(late, now) is None
    with pytest.raises(PaymentNotFound):
        await stores.payments.get(late.id)
    assert await stores.told_of(late) == []
    assert await stores.insert(late) is not None, "it took nothing from those in time"


@pytest.mark.parametrize("taken", ["id", "intent_id", "request_id", "reference"])
async def test_what_one_payment_holds_no_other_is_born_with(
    stores: Repositories, taken: str
) -> None:
    holder = await stores.build_payment(reference=A_1)
    held = {"id": holder.id, "intent_id": holder.intent_id, "reference": A_1}
    other = unsaved_payment(**{taken: held.get(taken, holder.request.request_id)})
    assert await stores.insert(other) is None
    assert await stores.now(holder) == holder
    assert len(await stores.told_of(holder)) == 1
    if taken != "id":
        with pytest.raises(PaymentNotFound):
            await stores.payments.get(other.id)


@pytest.mark.parametrize("state", State)
async def test_a_reference_is_held_by_the_living_alone(stores: Repositories, state: State) -> None:
    holder = await stores.payment_in(state, reference=A_1)
    found = await stores.payments.find_conflicts(new_request_id(), A_1)
    second = await stores.insert(unsaved_payment(reference=A_1))
    if state in {State.FAILED, State.CANCELED}:
        assert found.same_reference is None
        assert second is not None
        assert (
            await stores.payments.find_conflicts(new_request_id(), A_1)
        ).same_reference == second
    else:
        assert found.same_reference == holder
        assert second is None


async def test_payments_without_a_reference_do_not_share_one(stores: Repositories) -> None:
    await stores.build_payment()
    other = await stores.build_payment()
    assert (await stores.payments.find_conflicts(new_request_id())).same_reference is None
    assert (await stores.find_conflicts(other)).same_reference is None


async def test_each_holder_is_named_for_what_it_holds(stores: Repositories) -> None:
    same_request, same_id = await stores.build_payment(), await stores.build_payment()
    same_reference = await stores.build_payment(reference=A_1)
    wanted = unsaved_payment(
        id=same_id.id, request_id=same_request.request.request_id, reference=A_1
    )
    found = await stores.find_conflicts(wanted)
    assert (found.same_request, found.same_id) == (same_request, same_id)
    assert found.same_reference == same_reference
    looked_up = await stores.payments.find_conflicts(wanted.request.request_id, A_1)
    assert (looked_up.same_request, looked_up.same_reference) == (same_request, same_reference)
    assert looked_up.same_id is None


async def test_a_payment_holds_all_of_its_own(stores: Repositories) -> None:
    own = await stores.build_payment(reference=A_1)
    found = await stores.find_conflicts(own)
    assert (found.same_request, found.same_id, found.same_reference) == (own, own, own)


async def test_where_nobody_holds_anything_the_clock_is_told_all_the_same(
    stores: Repositories,
) -> None:
    found = await stores.find_conflicts(unsaved_payment(reference=A_1))
    assert (found.same_request, found.same_id, found.same_reference) == (None, None, None)
    assert found.now <= (await stores.payments.find_conflicts(new_request_id())).now


CHANGES: list[tuple[State, dict[str, Any]]] = [
    (State.CONFIRMING, {"state": State.REQUIRES_ACTION, "action_by": True} | ACTION),
    (State.CONFIRMING, {"state": State.AUTHORIZED, "capture_before": True}),
    (State.CONFIRMING, {"state": State.CANCELING} | DECLINE),
    (
        State.CONFIRMING,
        {"state": State.CANCELING, "failure": Failure("a", "b", 'c"ü'), "idempotency_counter": 1},
    ),
    (State.CONFIRMING, {"state": State.CANCELING, "cancel_reason": CancelReason.EXPIRED}),
    (State.CONFIRMING, {"held": True}),
    (State.AUTHORIZED, {"state": State.CAPTURING, "amount_capturing": 7}),
    (State.CAPTURING, {"state": State.SUCCEEDED, "amount_captured": 1000, "failure": None}),
    (State.CANCELED, {"delete_time": True}),
]


@pytest.mark.parametrize(("state", "changes"), CHANGES)
async def test_a_saved_change_comes_back_as_the_next_version(
    stores: Repositories, state: State, changes: dict[str, Any]
) -> None:
    before = await stores.payment_in(state)
    time = before.create_time + timedelta(hours=1)
    changes = {name: time if value is True else value for name, value in changes.items()}
    if "held" in changes:
        changes["held"] = Held("why", time)
    after = replace(before, **changes)
    saved = some(await stores.payments.save(before, after, HAPPENED))
    assert saved == replace(after, version=before.version + 1, update_time=saved.update_time)
    assert before.update_time < saved.update_time <= (await stores.seen(saved)).now
    assert await stores.now(before) == saved
    event = (await stores.told_of(saved))[-1]
    assert (event.sequence, event.type, event.note) == (saved.version, *_said(HAPPENED))
    assert (event.state, event.event_time) == (saved.state, saved.update_time)


def _said(event_for: NewEvent) -> tuple[EventType, str]:
    return event_for.type, event_for.note


async def test_what_is_no_money_can_be_changed(stores: Repositories) -> None:
    before = await stores.payment_in(State.SUCCEEDED, metadata=Metadata.of({"a": "1"}))
    after = before.update(description="new", metadata=Metadata(), reference=A_1)
    saved = some(await stores.save(before, after))
    assert saved.request == after.request
    assert (await stores.payments.find_conflicts(new_request_id(), A_1)).same_reference == saved


async def test_a_change_that_is_not_told_leaves_version_and_time(stores: Repositories) -> None:
    before = await stores.build_payment()
    saved = some(await stores.payments.save(before, replace(before, idempotency_counter=1), None))
    assert saved == replace(before, idempotency_counter=1)
    assert await stores.now(before) == saved
    assert len(await stores.told_of(before)) == 1


async def test_the_events_of_a_payment_are_numbered_by_its_versions(stores: Repositories) -> None:
    payment = await stores.payment_in(State.FAILED)
    payment = await stores.delete(payment)
    told = await stores.told_of(payment)
    assert [each.sequence for each in told] == [1, 2, 3, 4]
    assert payment.version == 4
    assert [each.type.value for each in told] == [
        "payment.created",
        "payment.declined",
        "payment.failed",
        "payment.deleted",
    ]


@pytest.mark.parametrize("stale", ["state", "idempotency_counter", "version"])
async def test_a_change_of_what_is_no_longer_so_is_not_written(
    stores: Repositories, stale: str
) -> None:
    row = await stores.build_payment()
    wrong: dict[str, Any] = {"state": State.AUTHORIZED, "idempotency_counter": 1, "version": 2}
    seen = replace(row, **{stale: wrong[stale]})
    record = request_record(row)
    saved = await stores.payments.save(seen, moved(seen, State.SUCCEEDED), HAPPENED, record)
    assert saved is None
    assert await stores.now(row) == row
    assert len(await stores.told_of(row)) == 1
    assert await stores.payments.find_request(record.request_id) is None


async def test_a_request_is_kept_with_what_it_does_and_does_it_once(stores: Repositories) -> None:
    payment = await stores.payment_in(State.AUTHORIZED)
    record, capturing = request_record(payment), payment.capture(None)
    saved = some(await stores.payments.save(payment, capturing, HAPPENED, record))
    assert await stores.payments.find_request(record.request_id) == record
    other = await stores.build_payment()
    again = replace(record, payment_id=other.id)
    assert await stores.payments.save(other, other.cancel(), HAPPENED, again) is None
    assert await stores.now(other) == other
    assert len(await stores.told_of(other)) == 1
    assert await stores.payments.find_request(record.request_id) == record
    assert await stores.now(payment) == saved


async def test_the_request_of_a_birth_is_found_too(stores: Repositories) -> None:
    build_payment = await stores.build_payment()
    request_id = build_payment.request.request_id
    record = RequestRecord(request_id, build_payment.fingerprint, build_payment.id)
    assert await stores.payments.find_request(request_id) == record


async def test_a_reference_that_a_living_payment_holds_is_not_given_away(
    stores: Repositories,
) -> None:
    holder, other = await stores.build_payment(reference=A_1), await stores.build_payment()
    after = replace(other, request=replace(other.request, reference=A_1))
    assert await stores.save(other, after) is None
    assert await stores.now(other) == other
    await stores.move(holder, State.CANCELED)
    assert some(await stores.save(other, after)).request.reference == A_1


async def test_a_payment_that_ended_without_money_may_get_a_reference_in_use(
    stores: Repositories,
) -> None:
    await stores.build_payment(reference=A_1)
    failed = await stores.payment_in(State.FAILED)
    after = replace(failed, request=replace(failed.request, reference=A_1))
    assert await stores.save(failed, after) is not None


async def test_nothing_is_due_that_was_just_written(stores: Repositories) -> None:
    payment = await stores.build_payment()
    assert await stores.payments.claim_due(10) == []
    await stores.make_due(payment)
    await stores.move(payment, State.AUTHORIZED)
    assert await stores.payments.claim_due(10) == []
    await stores.make_due(payment)
    now = await stores.now(payment)
    await stores.payments.save(now, replace(now, idempotency_counter=1), None)
    assert await stores.payments.claim_due(10) == []


async def test_a_change_of_what_is_no_money_puts_no_look_off(stores: Repositories) -> None:
    payment = await stores.build_payment()
    await stores.make_due(payment)
    described = payment.update(description="new", metadata=Metadata(), reference=None)
    assert await stores.save(payment, described) is not None
    assert [due.snapshot.resource.id for due in await stores.payments.claim_due(10)] == [payment.id]


async def test_what_is_due_is_claimed_once_and_its_attempts_are_counted(
    stores: Repositories,
) -> None:
    payment = await stores.build_payment()
    for ended in (1, 2, 3):
        await stores.make_due(payment, ended)
        (due,) = await stores.payments.claim_due(10)
        assert (due.snapshot.resource, due.attempt) == (payment, ended + 1)
        assert payment.create_time < due.snapshot.now <= (await stores.seen(payment)).now
        assert await stores.payments.claim_due(10) == []
    assert await stores.now(payment) == payment, "a claim is no change"


async def test_the_longest_due_are_claimed_first_and_no_more_than_asked(
    stores: Repositories,
) -> None:
    payments = [await stores.build_payment() for _ in range(3)]
    for seconds, payment in zip((10, 30, 20), payments, strict=True):
        await stores.payments.reschedule(payment, -seconds * SECOND, 1)
    assert {due.snapshot.resource.id for due in await stores.payments.claim_due(2)} == {
        payments[1].id,
        payments[2].id,
    }
    assert [due.snapshot.resource.id for due in await stores.payments.claim_due(2)] == [
        payments[0].id
    ]


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.FAILED, State.CANCELED])
async def test_what_is_final_is_never_due(stores: Repositories, state: State) -> None:
    payment = await stores.build_payment()
    for each in (State.CANCELING, State.FAILED) if state is State.FAILED else (state,):
        await stores.make_due(payment)
        payment = await stores.move(payment, each)
    assert await stores.payments.claim_due(10) == []


async def test_what_is_held_is_not_due_until_it_is_released(stores: Repositories) -> None:
    payment = await stores.build_payment()
    await stores.make_due(payment)
    held = await stores.hold(payment)
    assert await stores.payments.claim_due(10) == []
    released = some(await stores.save(held, held.release()))
    await stores.make_due(released)
    assert len(await stores.payments.claim_due(10)) == 1


async def test_an_attempt_ends_with_the_time_of_the_next(stores: Repositories) -> None:
    payment = await stores.build_payment()
    await stores.make_due(payment)
    await stores.payments.claim_due(10)
    await stores.payments.reschedule(payment, timedelta(hours=1), 1)
    assert await stores.payments.claim_due(10) == []
    await stores.payments.reschedule(payment, 0 * SECOND, 1)
    assert [each.attempt for each in await stores.payments.claim_due(10)] == [2]
    await stores.make_due(payment)
    await stores.payments.claim_due(10)
    await stores.payments.reschedule(payment, None, 1)
    assert await stores.payments.claim_due(10) == []


@pytest.mark.parametrize("moved_by", ["version", "idempotency_counter"])
async def test_an_attempt_does_not_put_off_what_has_moved(
    stores: Repositories, moved_by: str
) -> None:
    seen = await stores.build_payment()
    if moved_by == "idempotency_counter":
        await stores.payments.save(seen, replace(seen, idempotency_counter=1), None)
    else:
        await stores.move(seen, State.AUTHORIZED)
    await stores.make_due(seen)
    await stores.payments.reschedule(seen, None, 1)
    assert len(await stores.payments.claim_due(10)) == 1


async def test_a_request_id_that_came_with_something_else_is_seen_to_be_used(
    stores: Repositories,
) -> None:
    payment = await stores.payment_in(State.AUTHORIZED)
    asked, record = moved(payment, State.CAPTURING), request_record(payment)
    some(await stores.payments.save(payment, asked, event_for(payment, asked), record))
    assert (await stores.payments.find_conflicts(record.request_id)).request_id_is_used
    assert not (await stores.payments.find_conflicts(new_request_id())).request_id_is_used
