"""The contract of PaymentRepository, in each implementation: inserts, conflicts, changes and requests."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from support.repositories import (
    ACTION,
    DECLINE,
    Repositories,
    moved_to,
    new_request_id,
    not_none,
    request_record,
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
UPDATED = NewEvent(EventType.UPDATED, "in words")


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


async def test_an_inserted_payment_is_read_as_it_was_written_with_the_databases_times(
    repositories: Repositories,
) -> None:
    payment_to_insert = full_payment()
    before = (await repositories.payments.find_conflicts(new_request_id())).now
    created = not_none(await repositories.insert(payment_to_insert))
    assert created == replace(
        payment_to_insert, create_time=created.create_time, update_time=created.create_time
    )
    assert before <= created.create_time <= (await repositories.snapshot(created)).now
    assert await repositories.current(created) == created


async def test_an_inserted_payment_has_a_first_event(repositories: Repositories) -> None:
    created = await repositories.create()
    (event,) = await repositories.events_of(created)
    assert (event.payment_id, event.sequence, event.type) == (
        created.id,
        1,
        EventType.CREATED,
    )
    assert (event.state, event.refund_id, event.note) == (State.CONFIRMING, None, "")
    assert event.event_time == created.create_time


async def test_an_unknown_payment_and_an_unknown_request_are_not_found(
    repositories: Repositories,
) -> None:
    with pytest.raises(PaymentNotFound):
        await repositories.payments.get(uuid7())
    assert await repositories.payments.find_request(new_request_id()) is None


async def test_an_insert_at_its_latest_time_writes_nothing_and_takes_nothing_from_others(
    repositories: Repositories,
) -> None:
    late = unsaved_payment(reference=A_1)
    now = (await repositories.payments.find_conflicts(late.request.request_id)).now
    assert await repositories.payments.insert(late, now) is None
    with pytest.raises(PaymentNotFound):
        await repositories.payments.get(late.id)
    assert await repositories.events_of(late) == []
    assert await repositories.insert(late) is not None, "it took nothing from those in time"


@pytest.mark.parametrize("shared", ["id", "intent_id", "request_id", "reference"])
async def test_a_payment_with_the_id_intent_request_id_or_reference_of_another_is_not_inserted(
    repositories: Repositories, shared: str
) -> None:
    holder = await repositories.create(reference=A_1)
    held = {"id": holder.id, "intent_id": holder.intent_id, "reference": A_1}
    other = unsaved_payment(**{shared: held.get(shared, holder.request.request_id)})
    assert await repositories.insert(other) is None
    assert await repositories.current(holder) == holder
    assert len(await repositories.events_of(holder)) == 1
    if shared != "id":
        with pytest.raises(PaymentNotFound):
            await repositories.payments.get(other.id)


@pytest.mark.parametrize("state", State)
async def test_a_reference_is_free_when_its_payment_ended_without_money_and_only_then(
    repositories: Repositories, state: State
) -> None:
    holder = await repositories.create_in(state, reference=A_1)
    conflicts = await repositories.payments.find_conflicts(new_request_id(), A_1)
    second = await repositories.insert(unsaved_payment(reference=A_1))
    if state in {State.FAILED, State.CANCELED}:
        assert conflicts.same_reference is None
        assert second is not None
        assert (
            await repositories.payments.find_conflicts(new_request_id(), A_1)
        ).same_reference == second
    else:
        assert conflicts.same_reference == holder
        assert second is None


async def test_payments_without_a_reference_do_not_conflict(repositories: Repositories) -> None:
    await repositories.create()
    other = await repositories.create()
    assert (await repositories.payments.find_conflicts(new_request_id())).same_reference is None
    assert (await repositories.find_conflicts(other)).same_reference is None


async def test_each_conflicting_payment_is_found_by_what_it_shares(
    repositories: Repositories,
) -> None:
    same_request, same_id = await repositories.create(), await repositories.create()
    same_reference = await repositories.create(reference=A_1)
    new = unsaved_payment(id=same_id.id, request_id=same_request.request.request_id, reference=A_1)
    conflicts = await repositories.find_conflicts(new)
    assert (conflicts.same_request, conflicts.same_id) == (same_request, same_id)
    assert conflicts.same_reference == same_reference
    others = await repositories.payments.find_conflicts(new.request.request_id, A_1)
    assert (others.same_request, others.same_reference) == (same_request, same_reference)
    assert others.same_id is None


async def test_a_payment_conflicts_with_itself_in_all_respects(repositories: Repositories) -> None:
    own = await repositories.create(reference=A_1)
    conflicts = await repositories.find_conflicts(own)
    assert (conflicts.same_request, conflicts.same_id, conflicts.same_reference) == (own, own, own)


async def test_where_nothing_conflicts_the_databases_clock_is_given_too(
    repositories: Repositories,
) -> None:
    conflicts = await repositories.find_conflicts(unsaved_payment(reference=A_1))
    assert (conflicts.same_request, conflicts.same_id, conflicts.same_reference) == (
        None,
        None,
        None,
    )
    assert conflicts.now <= (await repositories.payments.find_conflicts(new_request_id())).now


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
async def test_a_saved_change_is_read_as_the_next_version_and_has_its_event(
    repositories: Repositories, state: State, changes: dict[str, Any]
) -> None:
    before = await repositories.create_in(state)
    time = before.create_time + timedelta(hours=1)
    changes = {name: time if value is True else value for name, value in changes.items()}
    if "held" in changes:
        changes["held"] = Held("why", time)
    after = replace(before, **changes)
    saved = not_none(await repositories.payments.save(before, after, UPDATED))
    assert saved == replace(after, version=before.version + 1, update_time=saved.update_time)
    assert before.update_time < saved.update_time <= (await repositories.snapshot(saved)).now
    assert await repositories.current(before) == saved
    event = (await repositories.events_of(saved))[-1]
    assert (event.sequence, event.type, event.note) == (saved.version, *_said(UPDATED))
    assert (event.state, event.event_time) == (saved.state, saved.update_time)


def _said(event_for: NewEvent) -> tuple[EventType, str]:
    return event_for.type, event_for.note


async def test_description_metadata_and_reference_are_saved(repositories: Repositories) -> None:
    before = await repositories.create_in(State.SUCCEEDED, metadata=Metadata.of({"a": "1"}))
    after = before.update(description="new", metadata=Metadata(), reference=A_1)
    saved = not_none(await repositories.save(before, after))
    assert saved.request == after.request
    assert (
        await repositories.payments.find_conflicts(new_request_id(), A_1)
    ).same_reference == saved


async def test_a_change_without_an_event_leaves_version_and_update_time(
    repositories: Repositories,
) -> None:
    before = await repositories.create()
    saved = not_none(
        await repositories.payments.save(before, replace(before, idempotency_counter=1), None)
    )
    assert saved == replace(before, idempotency_counter=1)
    assert await repositories.current(before) == saved
    assert len(await repositories.events_of(before)) == 1


async def test_the_events_of_a_payment_have_its_versions_as_their_sequence(
    repositories: Repositories,
) -> None:
    payment = await repositories.create_in(State.FAILED)
    payment = await repositories.delete(payment)
    events = await repositories.events_of(payment)
    assert [each.sequence for each in events] == [1, 2, 3, 4]
    assert payment.version == 4
    assert [each.type.value for each in events] == [
        "payment.created",
        "payment.declined",
        "payment.failed",
        "payment.deleted",
    ]


@pytest.mark.parametrize("stale", ["state", "idempotency_counter", "version"])
async def test_a_change_of_a_payment_that_changed_meanwhile_is_not_written(
    repositories: Repositories, stale: str
) -> None:
    row = await repositories.create()
    wrong: dict[str, Any] = {"state": State.AUTHORIZED, "idempotency_counter": 1, "version": 2}
    read = replace(row, **{stale: wrong[stale]})
    record = request_record(row)
    saved = await repositories.payments.save(read, moved_to(read, State.SUCCEEDED), UPDATED, record)
    assert saved is None
    assert await repositories.current(row) == row
    assert len(await repositories.events_of(row)) == 1
    assert await repositories.payments.find_request(record.request_id) is None


async def test_a_request_is_written_with_its_change_and_no_other_change_uses_it(
    repositories: Repositories,
) -> None:
    payment = await repositories.create_in(State.AUTHORIZED)
    record, capturing = request_record(payment), payment.capture(None)
    saved = not_none(await repositories.payments.save(payment, capturing, UPDATED, record))
    assert await repositories.payments.find_request(record.request_id) == record
    other = await repositories.create()
    again = replace(record, payment_id=other.id)
    assert await repositories.payments.save(other, other.cancel(), UPDATED, again) is None
    assert await repositories.current(other) == other
    assert len(await repositories.events_of(other)) == 1
    assert await repositories.payments.find_request(record.request_id) == record
    assert await repositories.current(payment) == saved


async def test_the_request_of_a_creation_is_found_too(repositories: Repositories) -> None:
    created = await repositories.create()
    request_id = created.request.request_id
    record = RequestRecord(request_id, created.fingerprint, created.id)
    assert await repositories.payments.find_request(request_id) == record


async def test_a_reference_of_a_payment_that_may_be_charged_is_not_saved_in_another(
    repositories: Repositories,
) -> None:
    holder, other = await repositories.create(reference=A_1), await repositories.create()
    after = replace(other, request=replace(other.request, reference=A_1))
    assert await repositories.save(other, after) is None
    assert await repositories.current(other) == other
    await repositories.move(holder, State.CANCELED)
    assert not_none(await repositories.save(other, after)).request.reference == A_1


async def test_a_payment_that_ended_without_money_may_share_a_reference(
    repositories: Repositories,
) -> None:
    await repositories.create(reference=A_1)
    failed = await repositories.create_in(State.FAILED)
    after = replace(failed, request=replace(failed.request, reference=A_1))
    assert await repositories.save(failed, after) is not None


async def test_a_request_id_of_a_capture_conflicts_with_a_creation(
    repositories: Repositories,
) -> None:
    payment = await repositories.create_in(State.AUTHORIZED)
    payment_to_insert, record = moved_to(payment, State.CAPTURING), request_record(payment)
    not_none(
        await repositories.payments.save(
            payment, payment_to_insert, event_for(payment, payment_to_insert), record
        )
    )
    assert (await repositories.payments.find_conflicts(record.request_id)).request_id_is_used
    assert not (await repositories.payments.find_conflicts(new_request_id())).request_id_is_used
