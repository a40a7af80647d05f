"""The contract of RefundRepository, on each implementation."""

from dataclasses import replace
from datetime import timedelta

import pytest
from support.repositories import SECOND, Repositories, not_none, request_record, unsaved_refund

from chassis.aip.pages import Position
from chassis.identifiers import uuid7
from payment.domain.errors import InvariantViolation, RefundNotFound
from payment.domain.events import EventType, NewEvent, refund_event_for
from payment.domain.payment import Payment, State
from payment.domain.refund import Refund, RefundReason, RefundState
from payment.domain.values import Failure

FAILURE = Failure("lost_or_stolen_card", "", "the bank says no")
UPDATED = NewEvent(EventType.REFUND_UPDATED)


async def saved(repositories: Repositories, before: Refund, after: Refund) -> Refund:
    return not_none(
        await repositories.refunds.save(before, after, not_none(refund_event_for(before, after)))
    )


async def make_due(repositories: Repositories, refund: Refund, attempt: int = 1) -> None:
    """End the attempt of this number, with no wait for the next."""
    await repositories.refunds.reschedule(refund, -SECOND, attempt)


async def test_an_inserted_refund_is_read_as_it_was_written_with_the_databases_times(
    repositories: Repositories,
) -> None:
    payment = await repositories.create_in(State.SUCCEEDED)
    new_refund = replace(unsaved_refund(payment, 300), reason=RefundReason.FRAUDULENT)
    record = request_record(payment, new_refund)
    refund = not_none(await repositories.refunds.insert(new_refund, record))
    assert refund == replace(
        new_refund, create_time=refund.create_time, update_time=refund.create_time
    )
    assert payment.update_time < refund.create_time <= (await repositories.snapshot(payment)).now
    assert await repositories.refunds.get(payment.id, refund.id) == refund
    assert await repositories.payments.find_request(record.request_id) == record


async def test_a_refund_is_a_version_and_an_event_of_its_payment(
    repositories: Repositories,
) -> None:
    payment = await repositories.create_in(State.SUCCEEDED)
    refund = await repositories.create_refund(payment, 300)
    now = await repositories.current(payment)
    assert now == replace(payment, version=3, amount_refunded=300, update_time=refund.create_time)
    event = (await repositories.events_of(payment))[-1]
    assert (event.sequence, event.type, event.state) == (
        3,
        EventType.REFUND_CREATED,
        State.SUCCEEDED,
    )
    assert (event.refund_id, event.event_time) == (refund.id, refund.create_time)


@pytest.mark.parametrize("state", [each for each in State if each is not State.SUCCEEDED])
async def test_a_refund_of_a_payment_that_did_not_succeed_is_not_inserted(
    repositories: Repositories, state: State
) -> None:
    payment = await repositories.create_in(state)
    new_refund = unsaved_refund(payment, 1)
    record = request_record(payment, new_refund)
    assert await repositories.refunds.insert(new_refund, record) is None
    await assert_nothing_was_written(repositories, payment, new_refund)
    assert await repositories.payments.find_request(record.request_id) is None


async def test_a_refund_that_exceeds_what_was_captured_is_not_inserted(
    repositories: Repositories,
) -> None:
    payment = await repositories.create_in(State.SUCCEEDED)
    await repositories.create_refund(payment, 600)
    payment = await repositories.current(payment)
    new_refund = unsaved_refund(payment, 401)
    assert (
        await repositories.refunds.insert(new_refund, request_record(payment, new_refund)) is None
    )
    await assert_nothing_was_written(repositories, payment, new_refund)
    await repositories.create_refund(payment, 400)
    assert (await repositories.current(payment)).amount_refunded == 1000


@pytest.mark.parametrize("used_by", ["a refund", "a capture"])
async def test_a_refund_with_a_used_request_id_is_not_inserted(
    repositories: Repositories, used_by: str
) -> None:
    payment = await repositories.create_in(State.SUCCEEDED)
    if used_by == "a refund":
        first = unsaved_refund(payment, 100)
        record = request_record(payment, first)
        await repositories.refunds.insert(first, record)
    else:
        other = await repositories.create_in(State.AUTHORIZED)
        record = request_record(other)
        await repositories.payments.save(other, other.capture(None), UPDATED, record)
    payment = await repositories.current(payment)
    new_refund = unsaved_refund(payment, 100)
    assert (
        await repositories.refunds.insert(new_refund, replace(record, refund_id=new_refund.id))
        is None
    )
    await assert_nothing_was_written(repositories, payment, new_refund)
    assert await repositories.payments.find_request(record.request_id) == record


async def assert_nothing_was_written(
    repositories: Repositories, payment: Payment, new_refund: Refund
) -> None:
    assert await repositories.current(payment) == payment
    assert len(await repositories.events_of(payment)) == payment.version
    with pytest.raises(RefundNotFound):
        await repositories.refunds.get(payment.id, new_refund.id)


async def test_a_refund_that_succeeds_leaves_the_payments_sum(
    repositories: Repositories,
) -> None:
    payment = await repositories.create_in(State.SUCCEEDED)
    refund = await repositories.create_refund(payment, 300)
    after = replace(refund, state=RefundState.SUCCEEDED, processor_id="re_1")
    row = await saved(repositories, refund, after)
    assert row == replace(after, version=2, update_time=row.update_time)
    assert await repositories.refunds.get(payment.id, refund.id) == row
    now = await repositories.current(payment)
    assert (now.amount_refunded, now.version, now.update_time) == (300, 4, row.update_time)
    event = (await repositories.events_of(payment))[-1]
    assert (event.sequence, event.type, event.refund_id) == (
        4,
        EventType.REFUND_SUCCEEDED,
        refund.id,
    )


@pytest.mark.parametrize("succeeded_before", [False, True])
async def test_a_refund_that_fails_gives_its_amount_back_to_the_payments_sum(
    repositories: Repositories, succeeded_before: bool
) -> None:
    payment = await repositories.create_in(State.SUCCEEDED)
    kept, refund = (
        await repositories.create_refund(payment, 600),
        await repositories.create_refund(payment, 400),
    )
    if succeeded_before:
        refund = await saved(repositories, refund, replace(refund, state=RefundState.SUCCEEDED))
    row = await saved(repositories, refund, refund.fail(FAILURE))
    assert (row.state, row.failure) == (RefundState.FAILED, FAILURE)
    assert await repositories.refunds.get(payment.id, refund.id) == row
    assert (await repositories.current(payment)).amount_refunded == kept.amount
    assert (await repositories.events_of(payment))[-1].note == FAILURE.code
    await repositories.create_refund(payment, 400)


async def test_a_failed_refund_gives_its_amount_back_once(repositories: Repositories) -> None:
    payment = await repositories.create_in(State.SUCCEEDED)
    await repositories.create_refund(payment, 600)
    refund = await repositories.create_refund(payment, 400)
    failed = await saved(repositories, refund, refund.fail(FAILURE))
    assert (
        await repositories.refunds.save(failed, failed.fail(Failure("again")), UPDATED) is not None
    )
    assert (await repositories.current(payment)).amount_refunded == 600


async def test_a_change_of_a_refund_that_changed_meanwhile_is_not_written(
    repositories: Repositories,
) -> None:
    payment = await repositories.create_in(State.SUCCEEDED)
    refund = await repositories.create_refund(payment)
    row = await saved(repositories, refund, replace(refund, processor_id="re_1"))
    read = await repositories.current(payment)
    assert await repositories.refunds.save(refund, refund.fail(FAILURE), UPDATED) is None
    assert await repositories.refunds.get(payment.id, refund.id) == row
    assert await repositories.current(payment) == read
    assert len(await repositories.events_of(payment)) == read.version


async def test_a_refund_of_the_processor_belongs_to_one_refund_of_ours(
    repositories: Repositories,
) -> None:
    payment = await repositories.create_in(State.SUCCEEDED)
    first, second = (
        await repositories.create_refund(payment, 1),
        await repositories.create_refund(payment, 1),
    )
    await saved(repositories, first, replace(first, processor_id="re_1"))
    read = await repositories.current(payment)
    with pytest.raises(InvariantViolation):
        await repositories.refunds.save(second, replace(second, processor_id="re_1"), UPDATED)
    assert await repositories.refunds.get(payment.id, second.id) == second
    assert await repositories.current(payment) == read


async def test_a_refund_is_found_by_its_own_payment_only(repositories: Repositories) -> None:
    payment, other = (
        await repositories.create_in(State.SUCCEEDED),
        await repositories.create_in(State.SUCCEEDED),
    )
    refund = await repositories.create_refund(payment)
    for of, what in ((other.id, refund.id), (payment.id, uuid7())):
        with pytest.raises(RefundNotFound):
            await repositories.refunds.get(of, what)
    assert await repositories.refunds.list(other.id, 10, None) == []


async def test_the_refunds_of_a_payment_are_listed_newest_first_page_by_page(
    repositories: Repositories,
) -> None:
    payment = await repositories.create_in(State.SUCCEEDED)
    created = [await repositories.create_refund(payment, 1) for _ in range(5)]
    listed: list[Refund] = []
    after = None
    while page := await repositories.refunds.list(payment.id, 2, after):
        listed += page
        after = Position(page[-1].create_time, page[-1].id)
    assert listed == created[::-1]


async def test_a_refund_that_is_due_is_claimed_once_with_the_number_of_its_attempt(
    repositories: Repositories,
) -> None:
    payment = await repositories.create_in(State.SUCCEEDED)
    refund = await repositories.create_refund(payment)
    assert await repositories.claim_refunds() == []
    for ended in (1, 2):
        await make_due(repositories, refund, ended)
        (due,) = await repositories.refunds.claim_due(10)
        assert (due.snapshot.resource, due.attempt) == (refund, ended + 1)
        assert refund.create_time < due.snapshot.now <= (await repositories.snapshot(payment)).now
        assert await repositories.claim_refunds() == []
    row = await saved(repositories, refund, replace(refund, state=RefundState.SUCCEEDED))
    assert await repositories.claim_refunds() == [], "a step has just been taken"
    await make_due(repositories, row)
    assert [
        (due.snapshot.resource, due.attempt) for due in await repositories.refunds.claim_due(9)
    ] == [(row, 2)]
    await make_due(repositories, row)
    await saved(repositories, row, row.fail(FAILURE))
    assert await repositories.claim_refunds() == [], "failed is final"


async def test_the_refunds_that_are_due_longest_are_claimed_first(
    repositories: Repositories,
) -> None:
    payment = await repositories.create_in(State.SUCCEEDED)
    created = [await repositories.create_refund(payment, 1) for _ in range(3)]
    for refund, seconds in zip(created, (10, 30, 20), strict=True):
        await repositories.refunds.reschedule(refund, -seconds * SECOND, 1)
    claimed = {due.snapshot.resource.id for due in await repositories.refunds.claim_due(2)}
    assert claimed == {created[1].id, created[2].id}


async def test_the_end_of_an_attempt_does_not_reschedule_a_refund_that_changed_meanwhile(
    repositories: Repositories,
) -> None:
    payment = await repositories.create_in(State.SUCCEEDED)
    refund = await repositories.create_refund(payment)
    await repositories.refunds.reschedule(refund, timedelta(hours=1), 1)
    assert await repositories.claim_refunds() == []
    row = await saved(repositories, refund, replace(refund, processor_id="re_1"))
    await make_due(repositories, row)
    await repositories.refunds.reschedule(refund, None, 1)
    assert len(await repositories.refunds.claim_due(10)) == 1


async def test_a_change_of_a_refund_at_its_latest_time_is_not_written(
    repositories: Repositories,
) -> None:
    payment = await repositories.create_in(State.SUCCEEDED)
    refund = await repositories.create_refund(payment)
    failed, now = (
        refund.fail(Failure("balance_insufficient")),
        (await repositories.snapshot(payment)).now,
    )
    assert await repositories.refunds.save(refund, failed, UPDATED, by=now - SECOND) is None
    assert await repositories.refunds.get(payment.id, refund.id) == refund
    assert (
        await repositories.refunds.save(refund, failed, UPDATED, by=now + 60 * SECOND) is not None
    )
