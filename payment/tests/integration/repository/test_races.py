"""Many at once on PostgreSQL, through the repository: one winner each time, whatever they do."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Sequence
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
    moved,
    new_request_id,
    request_record,
    unsaved_payment,
    unsaved_refund,
)

from chassis.database import Connection, Database
from chassis.values import Reference
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

Made = TypeVar("Made")
Told = tuple[str, object]
CAPTURE = NewEvent(EventType.CAPTURE_REQUESTED)
FAILED = NewEvent(EventType.REFUND_FAILED)
FAILURE = Failure("lost_or_stolen_card")
LOCK_TIMEOUT = 2.0
FAR = datetime(9999, 1, 1, tzinfo=UTC)
BREAK_WHO_WAITS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
 WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


class GaveUpError(Exception):
    """A writer changed its mind, and rolls back."""


async def side_by_side(makes: Sequence[Awaitable[Made]]) -> list[Made]:
    return list(await asyncio.gather(*makes))


async def recorded(stores: Repositories, payment: Payment) -> Told:
    """What becomes of an attempt, as the service tells it by the domain's rules."""
    asked = payment.request
    insert_by = (await stores.payments.find_conflicts(asked.request_id)).now + INSERT_WITHIN
    for _ in range(3):
        if await stores.payments.insert(payment, insert_by):
            return "new", payment.id
        holders = await stores.find_conflicts(payment)
        match resolve_conflict(payment, holders, insert_by, ambiguous=False):
            case DuplicateRequest(other):
                return "theirs", other.id
            case CreationFailed(ReferenceTaken(_, holder)):
                return "reference taken", holder
            case RetryInsert():
                continue
    return "nobody holds it, and it is not inserted", payment.id


async def test_twenty_copies_of_a_request_make_one_payment(postgres: Repositories) -> None:
    for number in range(30):
        request_id = new_request_id()
        reference = Reference(request_id.text) if number % 2 else None
        attempts = [
            unsaved_payment(request_id=request_id, reference=reference, fingerprint=b"same")
            for _ in range(20)
        ]
        told = await side_by_side([recorded(postgres, each) for each in attempts])
        assert Counter(what for what, _ in told) == {"new": 1, "theirs": 19}
        (winner,) = {payment_id for _, payment_id in told}
        found: list[object] = []
        for each in attempts:
            with suppress(PaymentNotFound):
                found.append((await postgres.payments.get(each.id)).resource.id)
        assert found == [winner]


async def test_twenty_requests_for_a_reference_make_one_payment(postgres: Repositories) -> None:
    for number in range(30):
        reference = Reference(f"order-{number}")
        attempts = [unsaved_payment(reference=reference) for _ in range(20)]
        told = await side_by_side([recorded(postgres, each) for each in attempts])
        assert Counter(what for what, _ in told) == {"new": 1, "reference taken": 19}
        (winner,) = [who for what, who in told if what == "new"]
        assert {who for what, who in told if what != "new"} == {f"payments/{winner}"}


async def test_of_twenty_movers_of_a_version_one_wins(postgres: Repositories) -> None:
    for _ in range(15):
        payment = await postgres.build_payment()
        movers = [State.REQUIRES_ACTION, State.AUTHORIZED, State.CANCELING, State.SUCCEEDED] * 5
        moves = await side_by_side(
            [postgres.save(payment, moved(payment, state)) for state in movers]
        )
        (winner,) = [each for each in moves if each is not None]
        assert await postgres.now(payment) == winner
        assert [each.sequence for each in await postgres.told_of(payment)] == [1, 2]


async def test_of_twenty_that_delete_all_are_told_of_one_deletion(postgres: Repositories) -> None:
    machine: Any = None
    change = ChangePayment(postgres.payments, machine, machine, machine)
    for _ in range(15):
        payment = await postgres.payment_in(State.FAILED)
        deleted = await side_by_side([change.delete(payment.name) for _ in range(20)])
        assert deleted == [await postgres.now(payment)] * 20


async def test_an_answer_is_used_up_once(postgres: Repositories) -> None:
    payment = await postgres.build_payment()
    used_up = replace(payment, idempotency_counter=1)
    saved = await side_by_side([postgres.payments.save(payment, used_up, None) for _ in range(20)])
    assert [each for each in saved if each is not None] == [used_up]


async def test_twenty_copies_of_a_capture_capture_once(postgres: Repositories) -> None:
    for _ in range(10):
        payments = [await postgres.payment_in(State.AUTHORIZED) for _ in range(2)]
        record = request_record(payments[0])
        done = await side_by_side(
            [
                postgres.payments.save(each, each.capture(None), CAPTURE, record)
                for each in payments * 10
            ]
        )
        (winner,) = [each for each in done if each is not None]
        (loser,) = [each for each in payments if each.id != winner.id]
        assert await postgres.now(winner) == winner
        assert await postgres.now(loser) == loser
        assert len(await postgres.told_of(loser)) == loser.version


async def test_a_thousand_refunds_of_3_on_1000_are_333(postgres: Repositories) -> None:
    payment = await postgres.payment_in(State.SUCCEEDED)

    async def refund() -> Refund | None:
        asked = unsaved_refund(payment, 3)
        return await postgres.refunds.insert(asked, request_record(payment, asked))

    made = [each for each in await side_by_side([refund() for _ in range(1_000)]) if each]
    assert len(made) == 333
    now = await postgres.now(payment)
    assert (now.amount_refunded, now.version) == (999, 2 + 333)
    assert {each.id for each in made} == {
        each.id for each in await postgres.refunds.list(payment.id, 1_000, None)
    }
    assert [each.sequence for each in await postgres.told_of(payment)] == [*range(1, 336)]


async def test_a_thousand_calls_of_50_refund_requests_make_50_refunds(
    postgres: Repositories,
) -> None:
    """The payment is refunded whole by them: the twin of the one that took the last of the money
    must find that one, and not be told that nothing is left.
    """
    payment = await postgres.payment_in(State.SUCCEEDED)
    requests = [new_request_id() for _ in range(50)]

    async def refund(request_id: Any) -> tuple[str, object]:
        asked = unsaved_refund(payment, 20)
        record = RequestRecord(request_id, b"same", payment.id, asked.id)
        if await postgres.refunds.insert(asked, record):
            return "new", asked.id
        if found := await postgres.payments.find_request(request_id):
            return "same", found.refund_id
        return "too large", None

    calls = [refund(request_id) for request_id in requests * 20]
    random.Random(7).shuffle(calls)  # noqa: S311
    told = await side_by_side(calls)
    assert Counter(what for what, _ in told) == {"new": 50, "same": 950}
    assert {who for what, who in told if what == "same"} == {
        who for what, who in told if what == "new"
    }
    assert (await postgres.now(payment)).amount_refunded == 1_000


async def test_refunds_that_fail_while_others_are_made_keep_the_sum(postgres: Repositories) -> None:
    payment = await postgres.payment_in(State.SUCCEEDED)

    async def make_and_fail() -> None:
        asked = unsaved_refund(payment, 100)
        refund = await postgres.refunds.insert(asked, request_record(payment, asked))
        if refund is not None:
            failed = refund.fail(FAILURE)
            await side_by_side([postgres.refunds.save(refund, failed, FAILED) for _ in range(2)])

    await side_by_side([make_and_fail() for _ in range(60)])
    now = await postgres.now(payment)
    assert now.amount_refunded == 0
    told = await postgres.told_of(payment)
    assert len(told) == now.version
    kinds = Counter(each.type for each in told)
    assert kinds[EventType.REFUND_CREATED] == kinds[EventType.REFUND_FAILED] >= 10


async def test_what_is_due_is_claimed_by_one_of_many(postgres: Repositories) -> None:
    payments = [await postgres.build_payment() for _ in range(60)]
    await side_by_side([postgres.payments.reschedule(each, -SECOND, 1) for each in payments])
    claims = await side_by_side([postgres.payments.claim_due(7) for _ in range(20)])
    claimed = [due.snapshot.resource.id for claim in claims for due in claim]
    assert sorted(claimed) == sorted(each.id for each in payments)


# ---------------------------------------------------------------- answers that are lost


@pytest.mark.parametrize("commits", [True, False])
async def test_an_insert_that_is_sent_again_waits_for_its_first_copy(
    postgres: Repositories, database: Database, commits: bool
) -> None:
    """Longer than any other statement waits for a lock. A look-up would see nothing meanwhile."""
    payment = unsaved_payment()
    insert_by = (await postgres.payments.find_conflicts(payment.request.request_id)).now
    insert_by += INSERT_WITHIN
    with suppress(GaveUpError):
        async with in_transaction(database.pool) as connection:
            first = PostgresPayments(connection)
            assert await first.insert(payment, insert_by) is not None
            again = asyncio.create_task(postgres.payments.insert(payment, insert_by))
            await asyncio.sleep(LOCK_TIMEOUT + 0.3)
            assert (await postgres.find_conflicts(payment)).same_id is None
            assert not again.done()
            if not commits:
                raise GaveUpError
    row = await again
    assert (row is None) is commits
    assert len(await postgres.told_of(payment)) == 1


async def test_a_refund_that_is_sent_again_waits_for_its_first_copy(
    postgres: Repositories, database: Database
) -> None:
    payment = await postgres.payment_in(State.SUCCEEDED)
    refund = unsaved_refund(payment)
    record = request_record(payment, refund)
    async with in_transaction(database.pool) as connection:
        first = PostgresRefunds(connection)
        assert await first.insert(refund, record) is not None
        again = asyncio.create_task(postgres.refunds.insert(refund, record))
        await asyncio.sleep(LOCK_TIMEOUT + 0.3)
        assert not again.done()
    assert await again is None
    assert (await postgres.now(payment)).amount_refunded == refund.amount


@pytest.mark.parametrize("what", ["payment", "refund"])
async def test_an_insert_whose_connection_breaks_is_unknown(
    postgres: Repositories, database: Database, superuser: Connection, what: str
) -> None:
    paid = await postgres.payment_in(State.SUCCEEDED)
    payment, refund = unsaved_payment(), unsaved_refund(paid)
    record = request_record(paid, refund)
    async with in_transaction(database.pool) as connection:
        if what == "payment":
            first = PostgresPayments(connection)
            await first.insert(payment, FAR)
            again: Any = postgres.insert(payment)
        else:
            await PostgresRefunds(connection).insert(refund, record)
            again = postgres.refunds.insert(refund, record)
        task = asyncio.create_task(again)
        while not await superuser.fetch(BREAK_WHO_WAITS):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        with pytest.raises(CommitUnknown):
            await task


async def test_an_insert_that_was_never_sent_is_not_unknown(
    postgres: Repositories, database: Database
) -> None:
    payment = unsaved_payment()
    insert_by = (await postgres.payments.find_conflicts(payment.request.request_id)).now
    await database.pool.close()
    with pytest.raises(asyncpg.InterfaceError):
        await postgres.payments.insert(payment, insert_by + INSERT_WITHIN)
