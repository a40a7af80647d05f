"""The database's own rules: what it refuses and writes, whatever the code does."""

# ruff: noqa: S608 - the statements are put together of the pieces in this file

from collections.abc import Awaitable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

import asyncpg
import pytest
from support.repositories import SECOND, Repositories, not_none

from chassis.database import Connection, Database
from chassis.values import Reference
from payment.domain.events import EventType, NewEvent
from payment.domain.evidence import Intent, IntentStatus
from payment.domain.machine import apply
from payment.domain.payment import CancelReason, Payment, State
from payment.domain.refund import RefundState
from payment.domain.schedule import CLAIM_LASTS

Result = TypeVar("Result")

UPDATED = NewEvent(EventType.REFUND_UPDATED)
NEXT_VERSION = "UPDATE payments SET version = version + 1"
INSERT = (
    "INSERT INTO payments (id, request_id, fingerprint, customer_id, customer_etag, amount,"
    " currency_code, payment_method, capture_method, description, metadata, intent_id, start_by"
)
VALUES = (
    "gen_random_uuid(), gen_random_uuid(), '', gen_random_uuid(), '', 1, 'EUR', 'pm_1',"
    " 'AUTOMATIC', '', '{}', 'pi_new', now()"
)

FORBIDDEN = [
    "DELETE FROM payments",
    "DELETE FROM payment_events",
    "DELETE FROM refunds",
    "DELETE FROM requests",
    "TRUNCATE payments, payment_events, refunds, requests",
    f"{NEXT_VERSION}, id = gen_random_uuid()",
    f"{NEXT_VERSION}, request_id = gen_random_uuid()",
    f"{NEXT_VERSION}, fingerprint = ''",
    f"{NEXT_VERSION}, intent_id = 'pi_other'",
    f"{NEXT_VERSION}, customer_id = gen_random_uuid()",
    f"{NEXT_VERSION}, amount = amount + 1",
    f"{NEXT_VERSION}, currency_code = 'JPY'",
    f"{NEXT_VERSION}, payment_method = 'pm_other'",
    f"{NEXT_VERSION}, start_by = now()",
    f"{NEXT_VERSION}, create_time = now()",
    f"{INSERT}, state) VALUES ({VALUES}, 'SUCCEEDED')",
    f"{INSERT}, amount_captured) VALUES ({VALUES}, 1)",
    f"{INSERT}, version) VALUES ({VALUES}, 7)",
    f"{INSERT}, create_time) VALUES ({VALUES}, now())",
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
    payment = await postgres.create_in(State.SUCCEEDED, reference=Reference("A-1"))
    await postgres.create_refund(payment, 400)
    return await postgres.current(payment)


async def test_the_services_role_may_do_no_more_than_the_service_does(
    database: Database, postgres: Repositories, succeeded: Payment, subtests: Any
) -> None:
    for statement in FORBIDDEN:
        with subtests.test(statement), pytest.raises(asyncpg.InsufficientPrivilegeError):
            await database.pool.execute(statement)
    assert await postgres.current(succeeded) == succeeded


# The state of a payment, an update of it, and the rule that refuses that update.
BROKEN_RULES: list[tuple[State, str, str]] = [
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
CHANGES_WITHOUT_A_VERSION = [
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
async def test_an_update_that_breaks_a_rule_is_refused_whoever_writes_it(
    postgres: Repositories,
    database: Database,
    superuser: Connection,
    as_superuser: bool,
    subtests: Any,
) -> None:
    """By the rule; the service's role may lack the privilege already."""
    connection = superuser if as_superuser else database.pool
    refusals: list[type[asyncpg.PostgresError]] = [asyncpg.IntegrityConstraintViolationError]
    if not as_superuser:
        refusals.append(asyncpg.InsufficientPrivilegeError)
    for number, (state, changes, rule) in enumerate(BROKEN_RULES):
        payment = await postgres.create_in(state, reference=Reference(f"A-{number}0"))
        version = "" if "version" in changes else "version = version + 1, "
        statement = f"UPDATE payments SET {version}{changes} WHERE id = $1"
        with subtests.test(statement), pytest.raises(tuple(refusals)) as error:
            await connection.execute(statement, payment.id)
        assert await postgres.current(payment) == payment
        if as_superuser:
            assert error.value.constraint_name == rule
    for changes in CHANGES_WITHOUT_A_VERSION:
        payment = await postgres.create()
        statement = f"UPDATE payments SET {changes} WHERE id = $1"
        with subtests.test(statement), pytest.raises(asyncpg.PostgresError) as error:
            await connection.execute(statement, payment.id)
        assert error.value.constraint_name == "versions_follow"
        assert await postgres.current(payment) == payment


FORWARD = {
    State.CONFIRMING: {"REQUIRES_ACTION", "AUTHORIZED", "CANCELING", "SUCCEEDED", "CANCELED"},
    State.REQUIRES_ACTION: {"AUTHORIZED", "CANCELING", "SUCCEEDED", "CANCELED"},
    State.AUTHORIZED: {"CAPTURING", "CANCELING", "SUCCEEDED", "CANCELED"},
    State.CAPTURING: {"SUCCEEDED", "CANCELED"},
    State.CANCELING: {"SUCCEEDED", "FAILED", "CANCELED"},
}


@pytest.mark.parametrize("state", State)
async def test_an_update_of_a_state_goes_forward_or_is_refused(
    postgres: Repositories, database: Database, state: State
) -> None:
    for target in State:
        payment = await postgres.create_in(state)
        captured = ", amount_captured = 1000" if target is State.SUCCEEDED else ""
        statement = f"{NEXT_VERSION}, state = $2{captured} WHERE id = $1"
        if target is state or target.value in FORWARD.get(state, ()):
            await database.pool.execute(statement, payment.id, target.value)
        else:
            with pytest.raises(asyncpg.IntegrityConstraintViolationError) as error:
                await database.pool.execute(statement, payment.id, target.value)
            assert error.value.constraint_name == "states_go_forward"


async def test_the_domains_transitions_are_those_that_the_database_allows(
    postgres: Repositories,
) -> None:
    """The transitions by evidence and by request together, in each state."""
    reachable = {}
    for state in State:
        payment = replace(await postgres.create_in(state), cancel_reason=None)
        declined = replace(payment, cancel_reason=CancelReason.DECLINE)
        reported = [
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
            apply(start, each, payment.create_time).state.value
            for start in starts
            for each in reported
        }
        requested = {State.AUTHORIZED: {"CAPTURING", "CANCELING"}}.get(state, set())
        if state in {State.CONFIRMING, State.REQUIRES_ACTION}:
            requested = {"CANCELING"}
        reachable[state] = (reached | requested) - {state.value}
    assert {state: targets for state, targets in reachable.items() if targets} == FORWARD


@pytest.mark.parametrize("table", ["payments", "payment_events", "refunds", "requests"])
async def test_no_row_is_deleted_whoever_tries(
    postgres: Repositories, superuser: Connection, succeeded: Payment, table: str
) -> None:
    for statement in (f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="for ever"):
            await superuser.execute(statement)
    if table in ("payment_events", "requests"):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="written once"):
            await superuser.execute(f"UPDATE {table} SET payment_id = payment_id")
    assert await postgres.current(succeeded) == succeeded
    assert len(await postgres.events_of(succeeded)) == succeeded.version


async def test_a_webhook_notification_is_never_changed_whoever_tries(
    postgres: Repositories, superuser: Connection, succeeded: Payment
) -> None:
    insert = "INSERT INTO webhook_notifications (id, payment_id, type) VALUES ('evt_1', $1, 'x')"
    await superuser.execute(insert, succeeded.id)
    for statement in (
        "UPDATE webhook_notifications SET receive_time = now()",
        "TRUNCATE webhook_notifications",
    ):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="written once"):
            await superuser.execute(statement)


async def test_an_update_of_a_refund_that_breaks_a_rule_is_refused(
    postgres: Repositories, superuser: Connection, succeeded: Payment, subtests: Any
) -> None:
    broken_rules = {
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
    for state, changes in broken_rules.items():
        if state is not RefundState.PENDING:
            after = replace(refund, state=state, processor_id="re_1")
            refund = not_none(await postgres.refunds.save(refund, after, UPDATED))
        for change in changes:
            version = "" if "version" in change else "version = version + 1, "
            statement = f"UPDATE refunds SET {version}{change}"
            with subtests.test(f"{state}: {change}"):
                with pytest.raises(asyncpg.IntegrityConstraintViolationError) as error:
                    await superuser.execute(statement)
                assert error.value.constraint_name == "refunds_go_forward"
    with pytest.raises(asyncpg.CheckViolationError):
        await superuser.execute(
            "INSERT INTO refunds (id, payment_id, amount) VALUES (gen_random_uuid(), $1, 0)",
            succeeded.id,
        )


async def test_a_refund_or_request_of_an_unknown_payment_is_refused(
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


async def test_every_write_of_an_unfinished_payment_or_refund_makes_it_due_in_25_seconds(
    postgres: Repositories, superuser: Connection
) -> None:
    """A settled one is never due."""

    async def due_time(table: str) -> datetime | None:
        time: datetime | None = await superuser.fetchval(f"SELECT due_time FROM {table}")
        return time

    async def after_a_claim_lasts(write: Awaitable[Result], table: str = "payments") -> Result:
        """Write, and see that what was written is due when a claim of that moment ends."""
        before = await superuser.fetchval("SELECT clock_timestamp()")
        result = await write
        after = await superuser.fetchval("SELECT clock_timestamp()")
        assert before + CLAIM_LASTS <= not_none(await due_time(table)) <= after + CLAIM_LASTS
        return result

    payments, refunds = postgres.payments, postgres.refunds
    payment = await after_a_claim_lasts(postgres.create())
    await postgres.make_due(payment)
    await after_a_claim_lasts(payments.claim_due(1))
    await postgres.make_due(payment)
    key_used_up = replace(payment, idempotency_counter=1)
    payment = not_none(await after_a_claim_lasts(payments.save(payment, key_used_up, None)))
    await payments.reschedule(payment, timedelta(hours=1), 1)
    await after_a_claim_lasts(payments.save(payment, payment, None))
    await postgres.make_due(payment)
    payment = await after_a_claim_lasts(postgres.move(payment, State.AUTHORIZED))
    payment = await postgres.move(payment, State.SUCCEEDED)
    assert await due_time("payments") is None

    refund = await after_a_claim_lasts(postgres.create_refund(payment), "refunds")
    await refunds.reschedule(refund, -SECOND, 1)
    await after_a_claim_lasts(refunds.claim_due(1), "refunds")
    await refunds.reschedule(refund, -SECOND, 1)
    accepted = replace(refund, processor_id="re_1")
    save = refunds.save(refund, accepted, UPDATED)
    refund = not_none(await after_a_claim_lasts(save, "refunds"))
    await refunds.save(refund, replace(refund, state=RefundState.FAILED), UPDATED)
    assert await due_time("refunds") is None


async def test_an_attempt_counts_when_it_ends_and_an_event_sets_the_count_back(
    postgres: Repositories, superuser: Connection
) -> None:
    async def attempts() -> tuple[int, int]:
        await superuser.execute("UPDATE payments SET due_time = now() WHERE id = $1", payment.id)
        await superuser.execute("UPDATE refunds SET due_time = now()")
        (due,) = await postgres.payments.claim_due(10)
        (due_refund,) = await postgres.refunds.claim_due(10)
        return due.attempt, due_refund.attempt

    payment = await postgres.create()
    refund = await postgres.create_refund(await postgres.create_in(State.SUCCEEDED))
    assert [await attempts() for _ in range(3)] == [(1, 1)] * 3, "a crash cut them off"
    await postgres.payments.reschedule(payment, SECOND, 3)
    await postgres.refunds.reschedule(refund, SECOND, 3)
    payment = not_none(
        await postgres.payments.save(payment, replace(payment, idempotency_counter=1), None)
    )
    assert await attempts() == (4, 4), "a used-up key is no event"
    await postgres.move(payment, State.AUTHORIZED)
    await postgres.refunds.save(refund, replace(refund, processor_id="re_1"), UPDATED)
    assert await attempts() == (1, 1)


async def test_there_is_one_installation(superuser: Connection) -> None:
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await superuser.execute("INSERT INTO installation SELECT * FROM installation")
    with pytest.raises(asyncpg.CheckViolationError):
        await superuser.execute("UPDATE installation SET only_row = false")
