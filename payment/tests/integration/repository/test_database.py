"""What the database itself refuses, whatever the code says."""

# ruff: noqa: S608 - the statements are put together of the pieces in this file

from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from support.repositories import SECOND, Repositories, some

from chassis.database import Connection, Database
from chassis.values import Reference
from payment.domain.events import EventType, NewEvent
from payment.domain.evidence import Intent, IntentStatus
from payment.domain.machine import apply
from payment.domain.payment import CancelReason, Payment, State
from payment.domain.refund import RefundState
from payment.domain.schedule import CLAIM_LASTS

UPDATED = NewEvent(EventType.REFUND_UPDATED)
NEXT = "UPDATE payments SET version = version + 1"
BIRTH = (
    "INSERT INTO payments (id, request_id, fingerprint, customer_id, customer_etag, amount,"
    " currency_code, payment_method, capture_method, description, metadata, intent_id, start_by"
)
BORN = (
    "gen_random_uuid(), gen_random_uuid(), '', gen_random_uuid(), '', 1, 'EUR', 'pm_1',"
    " 'AUTOMATIC', '', '{}', 'pi_new', now()"
)

NO_RIGHT = [
    "DELETE FROM payments",
    "DELETE FROM payment_events",
    "DELETE FROM refunds",
    "DELETE FROM requests",
    "TRUNCATE payments, payment_events, refunds, requests",
    f"{NEXT}, id = gen_random_uuid()",
    f"{NEXT}, request_id = gen_random_uuid()",
    f"{NEXT}, fingerprint = ''",
    f"{NEXT}, intent_id = 'pi_other'",
    f"{NEXT}, customer_id = gen_random_uuid()",
    f"{NEXT}, amount = amount + 1",
    f"{NEXT}, currency_code = 'JPY'",
    f"{NEXT}, payment_method = 'pm_other'",
    f"{NEXT}, start_by = now()",
    f"{NEXT}, create_time = now()",
    f"{BIRTH}, state) VALUES ({BORN}, 'SUCCEEDED')",
    f"{BIRTH}, amount_captured) VALUES ({BORN}, 1)",
    f"{BIRTH}, version) VALUES ({BORN}, 7)",
    f"{BIRTH}, create_time) VALUES ({BORN}, now())",
    "UPDATE webhook_notifications SET payment_id = payment_id",
    "TRUNCATE webhook_notifications",
    "UPDATE payment_events SET note = 'x'",
    "UPDATE payment_events SET sequence = 7",
    "UPDATE requests SET fingerprint = ''",
    "UPDATE refunds SET version = version + 1, amount = 1",
    "UPDATE refunds SET version = version + 1, payment_id = payment_id",
    "UPDATE installation SET generation = 2",
    "DELETE FROM installation",
    "INSERT INTO schema_migrations VALUES ('9999')",
    "CREATE TABLE mine ()",
    "ALTER TABLE payments DISABLE TRIGGER ALL",
    "SET session_replication_role = replica",
]


@pytest.fixture
async def succeeded(postgres: Repositories) -> Payment:
    """A payment of 1000 of which 400 were refunded."""
    payment = await postgres.payment_in(State.SUCCEEDED, reference=Reference("A-1"))
    await postgres.refund(payment, 400)
    return await postgres.now(payment)


async def test_the_service_has_no_right_to_more_than_it_does(
    database: Database, postgres: Repositories, succeeded: Payment, subtests: Any
) -> None:
    for statement in NO_RIGHT:
        with subtests.test(statement), pytest.raises(asyncpg.InsufficientPrivilegeError):
            await database.pool.execute(statement)
    assert await postgres.now(succeeded) == succeeded


# State a payment is in, what is written, and the rule that refuses it, whoever writes.
LAWLESS: list[tuple[State, str, str]] = [
    (State.CONFIRMING, "intent_id = 'pi_other'", "request_never_changes"),
    (State.CONFIRMING, "id = gen_random_uuid()", "request_never_changes"),
    (State.CONFIRMING, "request_id = gen_random_uuid()", "request_never_changes"),
    (State.CONFIRMING, "fingerprint = ''", "request_never_changes"),
    (State.CONFIRMING, "customer_id = gen_random_uuid()", "request_never_changes"),
    (State.CONFIRMING, "customer_etag = ''", "request_never_changes"),
    (State.CONFIRMING, "amount = amount + 1", "request_never_changes"),
    (State.CONFIRMING, "currency_code = 'JPY'", "request_never_changes"),
    (State.CONFIRMING, "payment_method = 'pm_other'", "request_never_changes"),
    (State.CONFIRMING, "capture_method = 'MANUAL'", "request_never_changes"),
    (State.CONFIRMING, "return_url = 'https://other.example'", "request_never_changes"),
    (State.CONFIRMING, "start_by = now()", "request_never_changes"),
    (State.CONFIRMING, "create_time = now()", "request_never_changes"),
    (State.CONFIRMING, "reference = 'A-2'", "written_once"),
    (State.CONFIRMING, "reference = NULL", "written_once"),
    (State.CANCELING, "cancel_reason = 'USER'", "written_once"),
    (State.CANCELING, "cancel_reason = NULL", "written_once"),
    (State.CAPTURING, "amount_capturing = 7", "written_once"),
    (State.CAPTURING, "amount_capturing = 0", "written_once"),
    (State.SUCCEEDED, "amount_captured = 999", "written_once"),
    (State.SUCCEEDED, "amount_captured = 0", "written_once"),
    (State.CONFIRMING, "version = version + 2", "versions_follow"),
    (State.REQUIRES_ACTION, "version = version - 1", "versions_follow"),
    (State.CONFIRMING, "idempotency_counter = idempotency_counter + 2", "versions_follow"),
    (State.CONFIRMING, "idempotency_counter = idempotency_counter - 1", "versions_follow"),
    (State.CONFIRMING, "event_xid = '3'", "versions_follow"),
    (State.CONFIRMING, "delete_time = now()", "only_failures_are_deleted"),
    (State.SUCCEEDED, "delete_time = now()", "only_failures_are_deleted"),
    (State.FAILED, "delete_time = now(), held_time = now()", "only_failures_are_deleted"),
    (State.SUCCEEDED, "amount_refunded = 1001", "money_adds_up"),
    (State.SUCCEEDED, "amount_refunded = -1", "money_adds_up"),
    (State.CONFIRMING, "state = 'SUCCEEDED'", "money_adds_up"),
    (State.CONFIRMING, "state = 'SUCCEEDED', amount_captured = 1001", "money_adds_up"),
    (State.CONFIRMING, "amount_captured = 1", "money_adds_up"),
    (State.AUTHORIZED, "state = 'CAPTURING', amount_capturing = 1001", "money_adds_up"),
    (State.AUTHORIZED, "state = 'CAPTURING', amount_capturing = -1", "money_adds_up"),
    (State.CONFIRMING, "amount_refunded = 1", "money_adds_up"),
]
UNTOLD = [
    "state = 'AUTHORIZED'",
    "amount_capturing = 1",
    "action_by = now()",
    "capture_before = now()",
    "redirect_url = 'x'",
    "failure = '{}'",
    "held_time = now()",
    "held_reason = 'x'",
    "cancel_reason = 'USER'",
    "description = 'x'",
    """metadata = '{"a": "b"}'""",
    "update_time = now()",
    "event_xid = '9999999'",
]


@pytest.mark.parametrize("as_superuser", [False, True])
async def test_a_change_that_breaks_a_rule_is_refused(
    postgres: Repositories,
    database: Database,
    superuser: Connection,
    as_superuser: bool,
    subtests: Any,
) -> None:
    """By a rule, or to the service by its rights already."""
    written = superuser if as_superuser else database.pool
    refusals: list[type[asyncpg.PostgresError]] = [asyncpg.IntegrityConstraintViolationError]
    if not as_superuser:
        refusals.append(asyncpg.InsufficientPrivilegeError)
    for number, (state, changes, rule) in enumerate(LAWLESS):
        payment = await postgres.payment_in(state, reference=Reference(f"A-{number}0"))
        version = "" if "version" in changes else "version = version + 1, "
        statement = f"UPDATE payments SET {version}{changes} WHERE id = $1"
        with subtests.test(statement), pytest.raises(tuple(refusals)) as refused:
            await written.execute(statement, payment.id)
        assert await postgres.now(payment) == payment
        if as_superuser:
            assert refused.value.constraint_name == rule
    for changes in UNTOLD:
        payment = await postgres.build_payment()
        statement = f"UPDATE payments SET {changes} WHERE id = $1"
        with subtests.test(statement), pytest.raises(asyncpg.PostgresError) as refused:
            await written.execute(statement, payment.id)
        assert refused.value.constraint_name == "versions_follow"
        assert await postgres.now(payment) == payment


FORWARD = {
    State.CONFIRMING: {"REQUIRES_ACTION", "AUTHORIZED", "CANCELING", "SUCCEEDED", "CANCELED"},
    State.REQUIRES_ACTION: {"AUTHORIZED", "CANCELING", "SUCCEEDED", "CANCELED"},
    State.AUTHORIZED: {"CAPTURING", "CANCELING", "SUCCEEDED", "CANCELED"},
    State.CAPTURING: {"SUCCEEDED", "CANCELED"},
    State.CANCELING: {"SUCCEEDED", "FAILED", "CANCELED"},
}


@pytest.mark.parametrize("state", State)
async def test_states_go_forward_only_and_the_last_ones_stay(
    postgres: Repositories, database: Database, state: State
) -> None:
    for target in State:
        payment = await postgres.payment_in(state)
        captured = ", amount_captured = 1000" if target is State.SUCCEEDED else ""
        statement = f"{NEXT}, state = $2{captured} WHERE id = $1"
        if target is state or target.value in FORWARD.get(state, ()):
            await database.pool.execute(statement, payment.id, target.value)
        else:
            with pytest.raises(asyncpg.IntegrityConstraintViolationError) as refused:
                await database.pool.execute(statement, payment.id, target.value)
            assert refused.value.constraint_name == "states_go_forward"


async def test_the_domain_moves_as_the_database_lets_it(postgres: Repositories) -> None:
    """The machine's own table is inside the database's, and nothing else is."""
    moved = {}
    for state in State:
        payment = replace(await postgres.payment_in(state), cancel_reason=None)
        declined = replace(payment, cancel_reason=CancelReason.DECLINE)
        said = [
            Intent(
                id=payment.intent_id,
                status=status,
                amount=payment.request.amount,
                amount_received=1000 if status is IntentStatus.SUCCEEDED else 0,
                payment_id=payment.id,
            )
            for status in IntentStatus
        ]
        starts = [payment, declined] if state is State.CANCELING else [payment]
        reached = {
            apply(start, each, payment.create_time).state.value for start in starts for each in said
        }
        asked = {State.AUTHORIZED: {"CAPTURING", "CANCELING"}}.get(state, set())
        if state in {State.CONFIRMING, State.REQUIRES_ACTION}:
            asked = {"CANCELING"}
        moved[state] = (reached | asked) - {state.value}
    assert {state: goes for state, goes in moved.items() if goes} == FORWARD


@pytest.mark.parametrize("table", ["payments", "payment_events", "refunds", "requests"])
async def test_rows_stay_for_ever_whoever_would_have_them_gone(
    postgres: Repositories, superuser: Connection, succeeded: Payment, table: str
) -> None:
    for statement in (f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="for ever"):
            await superuser.execute(statement)
    if table in ("payment_events", "requests"):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="written once"):
            await superuser.execute(f"UPDATE {table} SET payment_id = payment_id")
    assert await postgres.now(succeeded) == succeeded
    assert len(await postgres.told_of(succeeded)) == succeeded.version


async def test_a_refund_goes_forward_only(
    postgres: Repositories, superuser: Connection, succeeded: Payment, subtests: Any
) -> None:
    lawless = {
        RefundState.PENDING: [
            "id = gen_random_uuid()",
            "amount = 1",
            "create_time = now()",
            "reason = 'duplicate'",
            "version = version + 2",
            "version = version - 1",
            "version = version, state = 'SUCCEEDED'",
            "version = version, processor_id = 're_2'",
            "version = version, failure = '{}'",
            "version = version, update_time = now()",
        ],
        RefundState.SUCCEEDED: [
            "state = 'PENDING'",
            "processor_id = 're_2'",
            "processor_id = NULL",
        ],
        RefundState.FAILED: ["state = 'PENDING'", "state = 'SUCCEEDED'"],
    }
    (refund,) = await postgres.refunds.list(succeeded.id, 10, None)
    for state, changes in lawless.items():
        if state is not RefundState.PENDING:
            after = replace(refund, state=state, processor_id="re_1")
            refund = some(await postgres.refunds.save(refund, after, UPDATED))
        for change in changes:
            version = "" if "version" in change else "version = version + 1, "
            statement = f"UPDATE refunds SET {version}{change}"
            with subtests.test(f"{state}: {change}"):
                with pytest.raises(asyncpg.IntegrityConstraintViolationError) as refused:
                    await superuser.execute(statement)
                assert refused.value.constraint_name == "refunds_go_forward"
    with pytest.raises(asyncpg.CheckViolationError):
        await superuser.execute(
            "INSERT INTO refunds (id, payment_id, amount) VALUES (gen_random_uuid(), $1, 0)",
            succeeded.id,
        )


async def test_what_belongs_to_a_payment_belongs_to_one_that_is_there(
    superuser: Connection,
) -> None:
    for statement in (
        "INSERT INTO refunds (id, payment_id, amount)"
        " VALUES (gen_random_uuid(), gen_random_uuid(), 1)",
        "INSERT INTO requests (request_id, payment_id, fingerprint)"
        " VALUES (gen_random_uuid(), gen_random_uuid(), '')",
    ):
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await superuser.execute(statement)


async def test_every_write_sets_the_due_time_as_far_ahead_as_a_step_may_last(
    postgres: Repositories, superuser: Connection
) -> None:
    async def ahead(table: str = "payments") -> timedelta | None:
        return await superuser.fetchval(  # type: ignore[no-any-return]
            f"SELECT due_time - $1::timestamptz FROM {table}",
            await superuser.fetchval("SELECT now()"),
        )

    def is_hold(since: timedelta | None) -> bool:
        return since is not None and timedelta() < CLAIM_LASTS - since < timedelta(seconds=5)

    payment = await postgres.build_payment()
    assert is_hold(await ahead())
    await postgres.make_due(payment)
    await postgres.payments.claim_due(1)
    assert is_hold(await ahead())
    await postgres.make_due(payment)
    payment = some(
        await postgres.payments.save(payment, replace(payment, idempotency_counter=1), None)
    )
    assert is_hold(await ahead())
    await postgres.make_due(payment)
    payment = await postgres.move(payment, State.AUTHORIZED)
    assert is_hold(await ahead())
    payment = await postgres.move(payment, State.SUCCEEDED)
    assert await ahead() is None
    refund = await postgres.refund(payment)
    assert is_hold(await ahead("refunds"))
    await postgres.refunds.reschedule(refund, timedelta(seconds=-1), 1)
    await postgres.refunds.claim_due(1)
    assert is_hold(await ahead("refunds"))
    await postgres.refunds.reschedule(refund, timedelta(seconds=-1), 1)
    refund = some(await postgres.refunds.save(refund, replace(refund, processor_id="r"), UPDATED))
    assert is_hold(await ahead("refunds"))
    failed = replace(refund, state=RefundState.FAILED)
    await postgres.refunds.save(refund, failed, UPDATED)
    assert await ahead("refunds") is None


async def test_attempts_are_counted_at_their_end_and_from_the_last_event(
    postgres: Repositories, superuser: Connection
) -> None:
    async def attempts() -> tuple[int, int]:
        await superuser.execute("UPDATE payments SET due_time = now() WHERE id = $1", payment.id)
        await superuser.execute("UPDATE refunds SET due_time = now()")
        (due,) = await postgres.payments.claim_due(10)
        (due_refund,) = await postgres.refunds.claim_due(10)
        return due.attempt, due_refund.attempt

    payment = await postgres.build_payment()
    refund = await postgres.refund(await postgres.payment_in(State.SUCCEEDED))
    assert [await attempts() for _ in range(3)] == [(1, 1)] * 3, "a crash cut them off"
    await postgres.payments.reschedule(payment, SECOND, 3)
    await postgres.refunds.reschedule(refund, SECOND, 3)
    payment = some(
        await postgres.payments.save(payment, replace(payment, idempotency_counter=1), None)
    )
    assert await attempts() == (4, 4), "n is no event"
    await postgres.move(payment, State.AUTHORIZED)
    await postgres.refunds.save(refund, replace(refund, processor_id="re_1"), UPDATED)
    assert await attempts() == (1, 1)


async def test_there_is_one_installation(superuser: Connection) -> None:
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await superuser.execute("INSERT INTO installation SELECT * FROM installation")
    with pytest.raises(asyncpg.CheckViolationError):
        await superuser.execute("UPDATE installation SET only_row = false")
