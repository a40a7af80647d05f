"""Concurrent writers on PostgreSQL: one of them wins each time, and none is told anything wrong."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import asyncpg
import pytest
from support.repositories import (
    INSERT_WITHIN,
    SECOND,
    Repositories,
    in_transaction,
    moved_to,
    new_request_id,
    request_record,
    unsaved_payment,
    unsaved_refund,
)
from support.waiting import until

from chassis import database as chassis_database
from chassis.database import Connection, Database
from chassis.values import Reference, RequestId
from payment.domain.creation import CreationFailed, DuplicateRequest, RetryInsert, resolve_conflict
from payment.domain.errors import PaymentNotFound, ReferenceTaken
from payment.domain.events import EventType, NewEvent
from payment.domain.payment import Payment, State
from payment.domain.refund import Refund
from payment.domain.values import Failure
from payment.repository.postgresql.payments import PostgresPayments
from payment.repository.postgresql.refunds import PostgresRefunds
from payment.service_layer.change_payment import ChangePayment
from payment.service_layer.ports import CommitUnknown, RequestRecord

Result = TypeVar("Result")

CAPTURE_REQUESTED = NewEvent(EventType.CAPTURE_REQUESTED)
REFUND_FAILED = NewEvent(EventType.REFUND_FAILED)
FAR_FUTURE = datetime(9999, 1, 1, tzinfo=UTC)
WAITING_FOR_A_LOCK = """
SELECT count(*) FROM pg_stat_activity
 WHERE datname = current_database() AND wait_event_type = 'Lock'
"""
TERMINATE_WHO_WAITS_FOR_A_LOCK = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
 WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


class RolledBackError(Exception):
    """Rolls a transaction back."""


async def concurrently(calls: Sequence[Awaitable[Result]]) -> list[Result]:
    return list(await asyncio.gather(*calls))


# ---------------------------------------------------------------- creations


async def create(repositories: Repositories, payment: Payment) -> tuple[str, object]:
    """The outcome of an attempt to create a payment, by the domain's rules."""
    request = payment.request
    now = (await repositories.payments.find_conflicts(request.request_id)).now
    insert_by = now + INSERT_WITHIN
    for _ in range(3):
        if await repositories.payments.insert(payment, insert_by):
            return "created", payment.id
        conflicts = await repositories.find_conflicts(payment)
        match resolve_conflict(payment, conflicts, insert_by, ambiguous=False):
            case DuplicateRequest(other):
                return "duplicate", other.id
            case CreationFailed(ReferenceTaken(_, holder)):
                return "reference taken", holder
            case RetryInsert():
                continue
    return "conflicts with nothing", payment.id


async def test_twenty_copies_of_a_request_create_one_payment(postgres: Repositories) -> None:
    for number in range(30):
        request_id = new_request_id()
        reference = Reference(request_id.text) if number % 2 else None
        attempts = [
            unsaved_payment(request_id=request_id, reference=reference, fingerprint=b"same")
            for _ in range(20)
        ]
        outcomes = await concurrently([create(postgres, attempt) for attempt in attempts])
        assert Counter(outcome for outcome, _ in outcomes) == {"created": 1, "duplicate": 19}
        (created,) = {payment_id for _, payment_id in outcomes}
        stored: list[object] = []
        for attempt in attempts:
            with suppress(PaymentNotFound):
                stored.append((await postgres.current(attempt)).id)
        assert stored == [created]


async def test_twenty_requests_with_one_reference_create_one_payment(
    postgres: Repositories,
) -> None:
    for number in range(30):
        reference = Reference(f"order-{number}")
        attempts = [unsaved_payment(reference=reference) for _ in range(20)]
        outcomes = await concurrently([create(postgres, attempt) for attempt in attempts])
        assert Counter(outcome for outcome, _ in outcomes) == {"created": 1, "reference taken": 19}
        (created,) = [about for outcome, about in outcomes if outcome == "created"]
        holders = {about for outcome, about in outcomes if outcome != "created"}
        assert holders == {f"payments/{created}"}


# ---------------------------------------------------------------- changes


async def test_of_twenty_changes_of_one_version_one_is_written(postgres: Repositories) -> None:
    states = [State.REQUIRES_ACTION, State.AUTHORIZED, State.CANCELING, State.SUCCEEDED] * 5
    for _ in range(15):
        payment = await postgres.create()
        saves = [postgres.save(payment, moved_to(payment, state)) for state in states]
        (saved,) = [result for result in await concurrently(saves) if result is not None]
        assert await postgres.current(payment) == saved
        assert [event.sequence for event in await postgres.events_of(payment)] == [1, 2]


async def test_twenty_concurrent_deletions_delete_once_and_all_return_the_deleted_payment(
    postgres: Repositories,
) -> None:
    unused: Any = None  # a deletion makes no step
    change_payment = ChangePayment(postgres.payments, unused, unused, unused)
    for _ in range(15):
        payment = await postgres.create_in(State.FAILED)
        deleted = await concurrently([change_payment.delete(payment.name) for _ in range(20)])
        assert deleted == [await postgres.current(payment)] * 20


async def test_an_idempotency_key_is_used_up_once(postgres: Repositories) -> None:
    payment = await postgres.create()
    used_up = replace(payment, idempotency_counter=1)
    saves = [postgres.payments.save(payment, used_up, None) for _ in range(20)]
    assert [saved for saved in await concurrently(saves) if saved is not None] == [used_up]


async def test_twenty_copies_of_a_capture_of_two_payments_capture_once(
    postgres: Repositories,
) -> None:
    for _ in range(10):
        payments = [await postgres.create_in(State.AUTHORIZED) for _ in range(2)]
        record = request_record(payments[0])
        saves = [
            postgres.payments.save(payment, payment.capture(None), CAPTURE_REQUESTED, record)
            for payment in payments * 10
        ]
        (saved,) = [result for result in await concurrently(saves) if result is not None]
        (other,) = [payment for payment in payments if payment.id != saved.id]
        assert await postgres.current(saved) == saved
        assert await postgres.current(other) == other
        assert len(await postgres.events_of(other)) == other.version


# ---------------------------------------------------------------- claims


async def test_a_payment_that_is_due_is_claimed_by_one_of_many(postgres: Repositories) -> None:
    payments = [await postgres.create() for _ in range(60)]
    await concurrently([postgres.payments.reschedule(each, -SECOND, 1) for each in payments])
    claims = await concurrently([postgres.claim(7) for _ in range(20)])
    claimed = [payment_id for claim in claims for payment_id in claim]
    assert sorted(claimed) == sorted(payment.id for payment in payments)


async def test_a_refund_that_is_due_is_claimed_by_one_of_many(postgres: Repositories) -> None:
    payment = await postgres.create_in(State.SUCCEEDED)
    refunds = [await postgres.create_refund(payment, 1) for _ in range(60)]
    await concurrently([postgres.refunds.reschedule(each, -SECOND, 1) for each in refunds])
    claims = await concurrently([postgres.claim_refunds(7) for _ in range(20)])
    claimed = [refund_id for claim in claims for refund_id in claim]
    assert sorted(claimed) == sorted(refund.id for refund in refunds)


async def test_a_claim_does_not_wait_for_what_another_transaction_writes(
    postgres: Repositories, short_lock_timeout: Repositories, database: Database
) -> None:
    payments = [await postgres.create() for _ in range(2)]
    paid = await postgres.create_in(State.SUCCEEDED)
    refunds = [await postgres.create_refund(paid, 1) for _ in range(2)]
    for payment, refund in zip(payments, refunds, strict=True):
        await postgres.make_due(payment)
        await postgres.refunds.reschedule(refund, -SECOND, 1)
    async with in_transaction(database.pool) as connection:
        key_used_up = replace(payments[0], idempotency_counter=1)
        failed = refunds[0].fail(Failure("no"))
        assert await PostgresPayments(connection).save(payments[0], key_used_up, None)
        assert await PostgresRefunds(connection).save(refunds[0], failed, REFUND_FAILED)

        assert await short_lock_timeout.claim() == [payments[1].id]
        assert await short_lock_timeout.claim_refunds() == [refunds[1].id]


# ---------------------------------------------------------------- refunds


async def test_of_a_thousand_refunds_of_3_on_a_payment_of_1000_333_are_inserted(
    postgres: Repositories,
) -> None:
    payment = await postgres.create_in(State.SUCCEEDED)

    async def insert() -> Refund | None:
        refund = unsaved_refund(payment, 3)
        return await postgres.refunds.insert(refund, request_record(payment, refund))

    inserts = await concurrently([insert() for _ in range(1_000)])
    refunds = [refund for refund in inserts if refund is not None]
    assert len(refunds) == 333
    current = await postgres.current(payment)
    assert (current.amount_refunded, current.version) == (999, 2 + 333)
    listed = await postgres.refunds.list(payment.id, 1_000, None)
    assert {refund.id for refund in refunds} == {refund.id for refund in listed}
    sequences = [event.sequence for event in await postgres.events_of(payment)]
    assert sequences == [*range(1, 336)]


async def test_a_thousand_calls_of_50_refund_requests_make_50_refunds(
    postgres: Repositories,
) -> None:
    """Together they refund the payment whole: a copy of the request that took the last of the amount must
    find that refund, and not that nothing is left.
    """
    payment = await postgres.create_in(State.SUCCEEDED)
    requests = [new_request_id() for _ in range(50)]

    async def refund(request_id: RequestId) -> tuple[str, object]:
        new = unsaved_refund(payment, 20)
        record = RequestRecord(request_id, b"same", payment.id, new.id)
        if await postgres.refunds.insert(new, record):
            return "created", new.id
        if found := await postgres.payments.find_request(request_id):
            return "duplicate", found.refund_id
        return "too large", None

    calls = [refund(request_id) for request_id in requests * 20]
    random.Random(7).shuffle(calls)  # noqa: S311
    outcomes = await concurrently(calls)
    assert Counter(outcome for outcome, _ in outcomes) == {"created": 50, "duplicate": 950}
    created, found = (
        {refund_id for outcome, refund_id in outcomes if outcome == kind}
        for kind in ("created", "duplicate")
    )
    assert created == found
    assert (await postgres.current(payment)).amount_refunded == 1_000


async def test_refunds_that_fail_while_others_are_created_keep_the_payments_sum(
    postgres: Repositories,
) -> None:
    payment = await postgres.create_in(State.SUCCEEDED)
    failure = Failure("lost_or_stolen_card")

    async def create_and_fail() -> None:
        new = unsaved_refund(payment, 100)
        refund = await postgres.refunds.insert(new, request_record(payment, new))
        if refund is not None:
            failed = refund.fail(failure)
            saves = [postgres.refunds.save(refund, failed, REFUND_FAILED) for _ in range(2)]
            await concurrently(saves)

    await concurrently([create_and_fail() for _ in range(60)])
    current, events = await postgres.current(payment), await postgres.events_of(payment)
    assert current.amount_refunded == 0
    assert len(events) == current.version
    types = Counter(event.type for event in events)
    assert types[EventType.REFUND_CREATED] == types[EventType.REFUND_FAILED] >= 10


# ---------------------------------------------------------------- inserts without an answer


async def waits_for_a_lock(insert: asyncio.Task[Any], superuser: Connection) -> None:
    """Return when an insert, which is all that runs in this database, waits for a lock."""

    async def waits_or_has_ended() -> bool:
        return insert.done() or bool(await superuser.fetchval(WAITING_FOR_A_LOCK))

    await until(waits_or_has_ended)
    assert not insert.done(), "it did not wait"


@pytest.fixture
async def short_lock_timeout(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Repositories]:
    """Repositories whose statements wait for a lock for a tenth of a second, if they have a limit."""
    limits = chassis_database.LIMITS | {"lock_timeout": "100ms"}
    monkeypatch.setattr(chassis_database, "LIMITS", limits)
    pool = await database.another_pool(2)
    events: Any = None
    yield Repositories(PostgresPayments(pool), PostgresRefunds(pool), events)


async def lock_timeout_passes(repositories: Repositories, locked: Payment) -> None:
    """Let a statement that has a limit wait for a locked row until it is ended."""
    with pytest.raises(asyncpg.LockNotAvailableError):
        await repositories.save(locked, moved_to(locked, State.CANCELING))


@pytest.mark.parametrize("commits", [True, False])
async def test_an_insert_that_is_sent_again_waits_for_its_first_copy_longer_than_the_lock_timeout(
    postgres: Repositories,
    short_lock_timeout: Repositories,
    database: Database,
    superuser: Connection,
    commits: bool,
) -> None:
    """A look-up would not see the first copy meanwhile."""
    payment, locked = unsaved_payment(), await postgres.create()
    with suppress(RolledBackError):
        async with in_transaction(database.pool) as connection:
            first = PostgresPayments(connection)
            assert await first.insert(payment, FAR_FUTURE) is not None
            await first.save(locked, replace(locked, idempotency_counter=1), None)
            again = asyncio.create_task(short_lock_timeout.payments.insert(payment, FAR_FUTURE))
            await waits_for_a_lock(again, superuser)
            await lock_timeout_passes(short_lock_timeout, locked)
            assert (await postgres.find_conflicts(payment)).same_id is None
            assert not again.done()
            if not commits:
                raise RolledBackError
    inserted = await again
    assert (inserted is None) is commits
    assert len(await postgres.events_of(payment)) == 1


async def test_a_refund_that_is_sent_again_waits_for_its_first_copy_longer_than_the_lock_timeout(
    postgres: Repositories,
    short_lock_timeout: Repositories,
    database: Database,
    superuser: Connection,
) -> None:
    payment, locked = await postgres.create_in(State.SUCCEEDED), await postgres.create()
    refund = unsaved_refund(payment)
    record = request_record(payment, refund)
    async with in_transaction(database.pool) as connection:
        assert await PostgresRefunds(connection).insert(refund, record) is not None
        payments = PostgresPayments(connection)
        await payments.save(locked, replace(locked, idempotency_counter=1), None)
        again = asyncio.create_task(short_lock_timeout.refunds.insert(refund, record))
        await waits_for_a_lock(again, superuser)
        await lock_timeout_passes(short_lock_timeout, locked)
        assert not again.done()
    assert await again is None
    assert (await postgres.current(payment)).amount_refunded == refund.amount


@pytest.mark.parametrize("inserted", ["payment", "refund"])
async def test_an_insert_whose_connection_breaks_has_an_unknown_outcome(
    postgres: Repositories, database: Database, superuser: Connection, inserted: str
) -> None:
    paid = await postgres.create_in(State.SUCCEEDED)
    payment, refund = unsaved_payment(), unsaved_refund(paid)
    record = request_record(paid, refund)
    async with in_transaction(database.pool) as connection:
        again: Any
        if inserted == "payment":
            await PostgresPayments(connection).insert(payment, FAR_FUTURE)
            again = asyncio.create_task(postgres.payments.insert(payment, FAR_FUTURE))
        else:
            await PostgresRefunds(connection).insert(refund, record)
            again = asyncio.create_task(postgres.refunds.insert(refund, record))
        await waits_for_a_lock(again, superuser)
        await superuser.execute(TERMINATE_WHO_WAITS_FOR_A_LOCK)
        with pytest.raises(CommitUnknown):
            await again


async def test_an_insert_that_was_never_sent_has_no_unknown_outcome(
    postgres: Repositories, database: Database
) -> None:
    await database.pool.close()
    with pytest.raises(asyncpg.InterfaceError):
        await postgres.payments.insert(unsaved_payment(), FAR_FUTURE)
