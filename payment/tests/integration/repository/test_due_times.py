"""When payments and refunds are due, in memory, on a clock that tests set. PostgreSQL writes the same
times: test_database.
"""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from support.examples import NOW
from support.repositories import PATHS_TO, SECOND, Repositories, not_none, unsaved_payment

from payment.domain.events import EventType, NewEvent
from payment.domain.payment import State
from payment.domain.schedule import CLAIM_LASTS
from payment.domain.values import Failure
from payment.repository.memory import MemoryEvents, MemoryPayments, MemoryRefunds, Store

MICROSECOND = timedelta(microseconds=1)
UPDATED = NewEvent(EventType.REFUND_UPDATED)


class Clock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def memory(clock: Clock) -> Repositories:
    store = Store(clock)
    return Repositories(MemoryPayments(store), MemoryRefunds(store), MemoryEvents(store))


async def test_a_payment_is_inserted_before_its_time_and_not_at_it(memory: Repositories) -> None:
    payment = unsaved_payment()
    assert await memory.payments.insert(payment, NOW) is None
    assert await memory.payments.insert(payment, NOW + MICROSECOND) is not None


async def due_in(repositories: Repositories, clock: Clock) -> timedelta | None:
    """How far ahead the only payment or refund is due; None: not within a year."""
    start = clock.now
    for ahead in (CLAIM_LASTS - MICROSECOND, CLAIM_LASTS, timedelta(days=365)):
        clock.now = start + ahead
        claimed = [
            *await repositories.payments.claim_due(1),
            *await repositories.refunds.claim_due(1),
        ]
        if claimed:
            return ahead
    return None


@pytest.mark.parametrize("state", State)
async def test_a_payment_is_due_when_a_step_must_have_ended_or_never_where_it_is_final(
    memory: Repositories, clock: Clock, state: State
) -> None:
    payment = await memory.create()
    for each in PATHS_TO[state]:
        clock.now += SECOND
        payment = await memory.move(payment, each)
    assert await due_in(memory, clock) == (None if state.is_final else CLAIM_LASTS)


async def test_a_claimed_payment_is_due_again_when_a_step_must_have_ended(
    memory: Repositories, clock: Clock
) -> None:
    await memory.create()
    clock.now += timedelta(hours=1)
    assert len(await memory.payments.claim_due(1)) == 1
    assert await due_in(memory, clock) == CLAIM_LASTS


async def test_a_payment_whose_idempotency_key_was_used_up_is_due_when_a_step_must_have_ended(
    memory: Repositories, clock: Clock
) -> None:
    payment = await memory.create()
    clock.now += SECOND
    await memory.payments.save(payment, replace(payment, idempotency_counter=1), None)
    assert await due_in(memory, clock) == CLAIM_LASTS


async def test_a_payment_that_a_caller_has_stepped_without_a_change_is_due_when_a_step_must_have_ended(
    memory: Repositories, clock: Clock
) -> None:
    payment = await memory.create()
    await memory.payments.reschedule(payment, timedelta(hours=1), 1)
    await memory.payments.save(payment, payment, None)
    assert await due_in(memory, clock) == CLAIM_LASTS


async def test_a_held_payment_is_never_due(memory: Repositories, clock: Clock) -> None:
    await memory.hold(await memory.create())
    assert await due_in(memory, clock) is None


@pytest.mark.parametrize("fails", [False, True])
async def test_a_refund_is_due_when_a_step_must_have_ended_or_never_where_it_failed(
    memory: Repositories, clock: Clock, fails: bool
) -> None:
    refund = await memory.create_refund(await memory.create_in(State.SUCCEEDED))
    clock.now += SECOND
    after = refund.fail(Failure("no")) if fails else replace(refund, processor_id="re_1")
    not_none(await memory.refunds.save(refund, after, UPDATED))
    assert await due_in(memory, clock) == (None if fails else CLAIM_LASTS)


async def test_a_claimed_refund_is_due_again_when_a_step_must_have_ended(
    memory: Repositories, clock: Clock
) -> None:
    await memory.create_refund(await memory.create_in(State.SUCCEEDED))
    clock.now += timedelta(hours=1)
    assert len(await memory.refunds.claim_due(1)) == 1
    assert await due_in(memory, clock) == CLAIM_LASTS


async def test_attempts_at_a_refund_are_counted_from_its_last_event(
    memory: Repositories, clock: Clock
) -> None:
    refund = await memory.create_refund(await memory.create_in(State.SUCCEEDED))
    await memory.refunds.reschedule(refund, SECOND, 3)
    await memory.refunds.save(refund, replace(refund, processor_id="re_1"), UPDATED)
    clock.now += CLAIM_LASTS
    (due,) = await memory.refunds.claim_due(1)
    assert due.attempt == 1
