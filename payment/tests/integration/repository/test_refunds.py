"""The contract of RefundRepository, on each implementation."""

from dataclasses import replace
from datetime import timedelta

import pytest
from support.repositories import SECOND, Repositories, request_record, some, unsaved_refund

from chassis.aip.pages import Position
from chassis.identifiers import uuid7
from payment.domain.errors import InvariantViolation, RefundNotFound
from payment.domain.events import EventType, NewEvent, refund_event_for
from payment.domain.payment import Payment, State
from payment.domain.refund import Refund, RefundReason, RefundState
from payment.domain.values import Failure

FAILURE = Failure("lost_or_stolen_card", "", "the bank says no")
UPDATED = NewEvent(EventType.REFUND_UPDATED)


async def saved(stores: Repositories, before: Refund, after: Refund) -> Refund:
    return some(await stores.refunds.save(before, after, some(refund_event_for(before, after))))


async def make_due(stores: Repositories, refund: Refund, attempt: int = 1) -> None:
    """End the attempt of this number, with no wait for the next."""
    await stores.refunds.reschedule(refund, -SECOND, attempt)


async def test_a_recorded_refund_comes_back_as_it_was_asked_for(stores: Repositories) -> None:
    payment = await stores.payment_in(State.SUCCEEDED)
    asked = replace(unsaved_refund(payment, 300), reason=RefundReason.FRAUDULENT)
    record = request_record(payment, asked)
    refund = some(await stores.refunds.insert(asked, record))
    assert refund == replace(asked, create_time=refund.create_time, update_time=refund.create_time)
    assert payment.update_time < refund.create_time <= (await stores.seen(payment)).now
    assert await stores.refunds.get(payment.id, refund.id) == refund
    assert await stores.payments.find_request(record.request_id) == record


async def test_a_refund_is_a_version_and_an_event_of_its_payment(stores: Repositories) -> None:
    payment = await stores.payment_in(State.SUCCEEDED)
    refund = await stores.refund(payment, 300)
    now = await stores.now(payment)
    assert now == replace(payment, version=3, amount_refunded=300, update_time=refund.create_time)
    event = (await stores.told_of(payment))[-1]
    assert (event.sequence, event.type, event.state) == (
        3,
        EventType.REFUND_CREATED,
        State.SUCCEEDED,
    )
    assert (event.refund_id, event.event_time) == (refund.id, refund.create_time)


@pytest.mark.parametrize("state", [each for each in State if each is not State.SUCCEEDED])
async def test_a_payment_that_took_nothing_gives_nothing_back(
    stores: Repositories, state: State
) -> None:
    payment = await stores.payment_in(state)
    asked = unsaved_refund(payment, 1)
    record = request_record(payment, asked)
    assert await stores.refunds.insert(asked, record) is None
    await nothing_happened(stores, payment, asked)
    assert await stores.payments.find_request(record.request_id) is None


async def test_no_more_is_refunded_than_was_captured(stores: Repositories) -> None:
    payment = await stores.payment_in(State.SUCCEEDED)
    await stores.refund(payment, 600)
    payment = await stores.now(payment)
    asked = unsaved_refund(payment, 401)
    assert await stores.refunds.insert(asked, request_record(payment, asked)) is None
    await nothing_happened(stores, payment, asked)
    await stores.refund(payment, 400)
    assert (await stores.now(payment)).amount_refunded == 1000


@pytest.mark.parametrize("used_by", ["a refund", "a capture"])
async def test_a_request_that_was_used_makes_no_refund(stores: Repositories, used_by: str) -> None:
    payment = await stores.payment_in(State.SUCCEEDED)
    if used_by == "a refund":
        first = unsaved_refund(payment, 100)
        record = request_record(payment, first)
        await stores.refunds.insert(first, record)
    else:
        other = await stores.payment_in(State.AUTHORIZED)
        record = request_record(other)
        await stores.payments.save(other, other.capture(None), UPDATED, record)
    payment = await stores.now(payment)
    asked = unsaved_refund(payment, 100)
    assert await stores.refunds.insert(asked, replace(record, refund_id=asked.id)) is None
    await nothing_happened(stores, payment, asked)
    assert await stores.payments.find_request(record.request_id) == record


async def nothing_happened(stores: Repositories, payment: Payment, asked: Refund) -> None:
    assert await stores.now(payment) == payment
    assert len(await stores.told_of(payment)) == payment.version
    with pytest.raises(RefundNotFound):
        await stores.refunds.get(payment.id, asked.id)


async def test_a_refund_that_succeeded_keeps_its_part_of_the_sum(stores: Repositories) -> None:
    payment = await stores.payment_in(State.SUCCEEDED)
    refund = await stores.refund(payment, 300)
    after = replace(refund, state=RefundState.SUCCEEDED, processor_id="re_1")
    row = await saved(stores, refund, after)
    assert row == replace(after, version=2, update_time=row.update_time)
    assert await stores.refunds.get(payment.id, refund.id) == row
    now = await stores.now(payment)
    assert (now.amount_refunded, now.version, now.update_time) == (300, 4, row.update_time)
    event = (await stores.told_of(payment))[-1]
    assert (event.sequence, event.type, event.refund_id) == (
        4,
        EventType.REFUND_SUCCEEDED,
        refund.id,
    )


@pytest.mark.parametrize("succeeded_before", [False, True])
async def test_a_refund_that_fails_gives_its_part_back(
    stores: Repositories, succeeded_before: bool
) -> None:
    payment = await stores.payment_in(State.SUCCEEDED)
    kept, refund = await stores.refund(payment, 600), await stores.refund(payment, 400)
    if succeeded_before:
        refund = await saved(stores, refund, replace(refund, state=RefundState.SUCCEEDED))
    row = await saved(stores, refund, refund.fail(FAILURE))
    assert (row.state, row.failure) == (RefundState.FAILED, FAILURE)
    assert await stores.refunds.get(payment.id, refund.id) == row
    assert (await stores.now(payment)).amount_refunded == kept.amount
    assert (await stores.told_of(payment))[-1].note == FAILURE.code
    await stores.refund(payment, 400)


async def test_a_failed_refund_gives_back_once(stores: Repositories) -> None:
    payment = await stores.payment_in(State.SUCCEEDED)
    await stores.refund(payment, 600)
    refund = await stores.refund(payment, 400)
    failed = await saved(stores, refund, refund.fail(FAILURE))
    assert await stores.refunds.save(failed, failed.fail(Failure("again")), UPDATED) is not None
    assert (await stores.now(payment)).amount_refunded == 600


async def test_a_change_of_a_refund_that_has_moved_is_not_written(stores: Repositories) -> None:
    payment = await stores.payment_in(State.SUCCEEDED)
    refund = await stores.refund(payment)
    row = await saved(stores, refund, replace(refund, processor_id="re_1"))
    seen = await stores.now(payment)
    assert await stores.refunds.save(refund, refund.fail(FAILURE), UPDATED) is None
    assert await stores.refunds.get(payment.id, refund.id) == row
    assert await stores.now(payment) == seen
    assert len(await stores.told_of(payment)) == seen.version


async def test_a_refund_of_the_processors_is_one_of_ours(stores: Repositories) -> None:
    payment = await stores.payment_in(State.SUCCEEDED)
    first, second = await stores.refund(payment, 1), await stores.refund(payment, 1)
    await saved(stores, first, replace(first, processor_id="re_1"))
    seen = await stores.now(payment)
    with pytest.raises(InvariantViolation):
        await stores.refunds.save(second, replace(second, processor_id="re_1"), UPDATED)
    assert await stores.refunds.get(payment.id, second.id) == second
    assert await stores.now(payment) == seen


async def test_a_refund_is_found_under_its_own_payment_only(stores: Repositories) -> None:
    payment, other = (
        await stores.payment_in(State.SUCCEEDED),
        await stores.payment_in(State.SUCCEEDED),
    )
    refund = await stores.refund(payment)
    for of, what in ((other.id, refund.id), (payment.id, uuid7())):
        with pytest.raises(RefundNotFound):
            await stores.refunds.get(of, what)
    assert await stores.refunds.list(other.id, 10, None) == []


async def test_the_refunds_of_a_payment_are_listed_the_newest_first(stores: Repositories) -> None:
    payment = await stores.payment_in(State.SUCCEEDED)
    made = [await stores.refund(payment, 1) for _ in range(5)]
    listed: list[Refund] = []
    after = None
    while page := await stores.refunds.list(payment.id, 2, after):
        listed += page
        after = Position(page[-1].create_time, page[-1].id)
    assert listed == made[::-1]


async def test_a_refund_that_is_due_is_claimed_once(stores: Repositories) -> None:
    payment = await stores.payment_in(State.SUCCEEDED)
    refund = await stores.refund(payment)
    assert await stores.refunds.claim_due(10) == []
    for ended in (1, 2):
        await make_due(stores, refund, ended)
        (due,) = await stores.refunds.claim_due(10)
        assert (due.snapshot.resource, due.attempt) == (refund, ended + 1)
        assert refund.create_time < due.snapshot.now <= (await stores.seen(payment)).now
        assert await stores.refunds.claim_due(10) == []
    row = await saved(stores, refund, replace(refund, state=RefundState.SUCCEEDED))
    assert await stores.refunds.claim_due(10) == [], "a step has just looked at it"
    await make_due(stores, row)
    assert [(due.snapshot.resource, due.attempt) for due in await stores.refunds.claim_due(9)] == [
        (row, 2)
    ]
    await make_due(stores, row)
    await saved(stores, row, row.fail(FAILURE))
    assert await stores.refunds.claim_due(10) == [], "failed is final"


async def test_the_refunds_that_wait_longest_are_claimed_first(stores: Repositories) -> None:
    payment = await stores.payment_in(State.SUCCEEDED)
    made = [await stores.refund(payment, 1) for _ in range(3)]
    for refund, seconds in zip(made, (10, 30, 20), strict=True):
        await stores.refunds.reschedule(refund, -seconds * SECOND, 1)
    claimed = {due.snapshot.resource.id for due in await stores.refunds.claim_due(2)}
    assert claimed == {made[1].id, made[2].id}


async def test_a_refund_that_has_moved_is_not_put_off(stores: Repositories) -> None:
    payment = await stores.payment_in(State.SUCCEEDED)
    refund = await stores.refund(payment)
    await stores.refunds.reschedule(refund, timedelta(hours=1), 1)
    assert await stores.refunds.claim_due(10) == []
    row = await saved(stores, refund, replace(refund, processor_id="re_1"))
    await make_due(stores, row)
    await stores.refunds.reschedule(refund, None, 1)
    assert len(await stores.refunds.claim_due(10)) == 1


async def test_a_refund_is_not_changed_later_than_is_said(stores: Repositories) -> None:
    payment = await stores.payment_in(State.SUCCEEDED)
    refund = await stores.refund(payment)
    failed, now = refund.fail(Failure("balance_insufficient")), (await stores.seen(payment)).now
    assert await stores.refunds.save(refund, failed, UPDATED, by=now - SECOND) is None
    assert await stores.refunds.get(payment.id, refund.id) == refund
    assert await stores.refunds.save(refund, failed, UPDATED, by=now + 60 * SECOND) is not None
