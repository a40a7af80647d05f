"""The contract of PaymentRepository: when a payment is due, and who claims it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from support.repositories import (
    SECOND,
    Repositories,
    not_none,
)

from chassis.values import Metadata
from payment.domain.payment import State


async def test_a_payment_that_was_just_written_is_not_due(repositories: Repositories) -> None:
    payment = await repositories.create()
    assert await repositories.claim() == []
    await repositories.make_due(payment)
    await repositories.move(payment, State.AUTHORIZED)
    assert await repositories.claim() == []
    await repositories.make_due(payment)
    now = await repositories.current(payment)
    await repositories.payments.save(now, replace(now, idempotency_counter=1), None)
    assert await repositories.claim() == []


async def test_a_change_that_moves_no_money_does_not_change_when_a_payment_is_due(
    repositories: Repositories,
) -> None:
    payment = await repositories.create()
    await repositories.make_due(payment)
    described = payment.update(description="new", metadata=Metadata(), reference=None)
    assert await repositories.save(payment, described) is not None
    assert await repositories.claim() == [payment.id]


async def test_a_payment_that_is_due_is_claimed_once_with_the_number_of_its_attempt(
    repositories: Repositories,
) -> None:
    payment = await repositories.create()
    for ended in (1, 2, 3):
        await repositories.make_due(payment, ended)
        (due,) = await repositories.payments.claim_due(10)
        assert (due.snapshot.resource, due.attempt) == (payment, ended + 1)
        assert payment.create_time < due.snapshot.now <= (await repositories.snapshot(payment)).now
        assert await repositories.claim() == []
    assert await repositories.current(payment) == payment, "a claim is no change"


async def test_attempts_are_counted_from_the_last_event(repositories: Repositories) -> None:
    payment = await repositories.create()
    await repositories.make_due(payment, 3)
    described = payment.update(description="new", metadata=Metadata(), reference=None)
    assert await repositories.save(payment, described) is not None
    (due,) = await repositories.payments.claim_due(10)
    assert due.attempt == 1


async def test_the_payments_that_are_due_longest_are_claimed_first_up_to_the_limit(
    repositories: Repositories,
) -> None:
    payments = [await repositories.create() for _ in range(3)]
    for seconds, payment in zip((10, 30, 20), payments, strict=True):
        await repositories.payments.reschedule(payment, -seconds * SECOND, 1)
    assert {due.snapshot.resource.id for due in await repositories.payments.claim_due(2)} == {
        payments[1].id,
        payments[2].id,
    }
    assert await repositories.claim(2) == [payments[0].id]


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.FAILED, State.CANCELED])
async def test_a_final_payment_is_never_due(repositories: Repositories, state: State) -> None:
    payment = await repositories.create()
    for each in (State.CANCELING, State.FAILED) if state is State.FAILED else (state,):
        await repositories.make_due(payment)
        payment = await repositories.move(payment, each)
    assert await repositories.claim() == []


async def test_a_held_payment_is_not_due_until_it_is_released(repositories: Repositories) -> None:
    payment = await repositories.create()
    await repositories.make_due(payment)
    held = await repositories.hold(payment)
    assert await repositories.claim() == []
    released = not_none(await repositories.save(held, held.release()))
    await repositories.make_due(released)
    assert len(await repositories.payments.claim_due(10)) == 1


async def test_the_end_of_an_attempt_sets_when_the_next_is_due_or_that_none_is(
    repositories: Repositories,
) -> None:
    payment = await repositories.create()
    await repositories.make_due(payment)
    await repositories.payments.claim_due(10)
    await repositories.payments.reschedule(payment, timedelta(hours=1), 1)
    assert await repositories.claim() == []
    await repositories.payments.reschedule(payment, 0 * SECOND, 1)
    assert [each.attempt for each in await repositories.payments.claim_due(10)] == [2]
    await repositories.make_due(payment)
    await repositories.payments.claim_due(10)
    await repositories.payments.reschedule(payment, None, 1)
    assert await repositories.claim() == []


@pytest.mark.parametrize("changed", ["version", "idempotency_counter"])
async def test_the_end_of_an_attempt_does_not_reschedule_a_payment_that_changed_meanwhile(
    repositories: Repositories, changed: str
) -> None:
    read = await repositories.create()
    if changed == "idempotency_counter":
        await repositories.payments.save(read, replace(read, idempotency_counter=1), None)
    else:
        await repositories.move(read, State.AUTHORIZED)
    await repositories.make_due(read)
    await repositories.payments.reschedule(read, None, 1)
    assert len(await repositories.payments.claim_due(10)) == 1
