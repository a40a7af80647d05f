"""Which index each statement uses, by PostgreSQL's plans on a populated database."""

import itertools
import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from support.examples import NOW, PAYMENT_ID
from support.repositories import Repositories, in_transaction, request_record, unsaved_refund

from chassis.aip.filters import Comparison
from chassis.aip.pages import Position
from chassis.database import Connection, Database
from chassis.sql import Statement
from chassis.values import Reference
from payment.domain.payment import PublicState, State
from payment.domain.values import CustomerName
from payment.repository.postgresql import events, payments, refunds
from payment.repository.postgresql.listing import select
from payment.service_layer.ports import PaymentQuery

# 10,000 payments of 49 customers, one a minute: half a per cent are in each state but SUCCEEDED,
# half of the failed and canceled are deleted, half a per cent is held.
POPULATION = """
INSERT INTO payments (id, request_id, fingerprint, customer_id, customer_etag, amount,
                      currency_code, payment_method, capture_method, description, metadata,
                      intent_id, start_by, reference, create_time, due_time, state,
                      amount_captured, delete_time, held_time, held_reason)
SELECT gen_random_uuid(), gen_random_uuid(), '\\x00', customer::text::uuid, '"1"', 1000, 'EUR',
       'pm_card_visa', 'AUTOMATIC', '', '{}', 'pi_' || number, now(), 'A-' || number,
       $1::timestamptz + number * interval '1 min',
       CASE WHEN state = 'CONFIRMING' THEN now() END, state,
       CASE WHEN state = 'SUCCEEDED' THEN 1000 ELSE 0 END,
       CASE WHEN state IN ('FAILED', 'CANCELED') AND number % 400 < 200 THEN now() END,
       CASE WHEN number % 200 = 3 THEN now() END, 'why'
  FROM generate_series(1, 10000) AS number,
       LATERAL (SELECT md5((number % 49)::text) AS customer,
                       coalesce((enum_range(NULL::payment_state))[1 + number % 200], 'SUCCEEDED')
                         AS state) AS derived
"""
EVENTS = """
INSERT INTO payment_events (payment_id, sequence, xid, type, state)
SELECT id, sequence, (row_number() OVER (ORDER BY create_time))::text::xid8, 'payment.created',
       state
  FROM payments, generate_series(1, 2) AS sequence
"""
REFUNDS = """
INSERT INTO refunds (id, payment_id, amount, create_time, due_time, processor_id)
SELECT gen_random_uuid(), id, 1, create_time + number * interval '1 s',
       CASE WHEN number = 1 THEN now() END, intent_id || number
  FROM payments, generate_series(1, 3) AS number
 WHERE state = 'SUCCEEDED' AND amount_captured > 0 AND hashtext(intent_id) % 5 = 0
"""
CUSTOMER = CustomerName(UUID("c4ca4238-a0b9-2382-0dcc-509a6f75849b"))  # md5 of 1
MIDDLE = NOW + timedelta(minutes=5_000)
RANGE = (
    (Comparison.FROM, NOW + timedelta(minutes=2_000)),
    (Comparison.BEFORE, NOW + timedelta(minutes=8_000)),
)
LIST_INDEXES, CUSTOMER_INDEXES, STATE_INDEXES = (
    {"payments_list", "payments_list_deleted"},
    {"payments_customer", "payments_customer_deleted"},
    {"payments_state", "payments_state_deleted"},
)
REFERENCE_INDEXES = {"payments_reference", "payments_living_reference"}
FILTERS: list[tuple[dict[str, Any], set[str]]] = [
    ({}, LIST_INDEXES),
    ({"create_time": RANGE}, LIST_INDEXES),
    ({"customer": CUSTOMER}, CUSTOMER_INDEXES),
    ({"customer": CUSTOMER, "create_time": RANGE}, CUSTOMER_INDEXES),
    ({"customer": CUSTOMER, "state": PublicState.SUCCEEDED}, CUSTOMER_INDEXES),
    ({"customer": CUSTOMER, "held": False}, CUSTOMER_INDEXES),
    ({"reference": Reference("A-4")}, REFERENCE_INDEXES),
    (
        {"reference": Reference("A-4"), "customer": CUSTOMER, "held": False},
        REFERENCE_INDEXES | CUSTOMER_INDEXES,
    ),
    ({"held": True}, {"payments_held"}),
    ({"held": False}, LIST_INDEXES),
    *(
        ({"state": state}, {"payments_list"} if state.value == "SUCCEEDED" else STATE_INDEXES)
        for state in PublicState
    ),
    *(
        ({"state": state, "create_time": RANGE}, STATE_INDEXES)
        for state in PublicState
        if state.value[0] == "F"
    ),
]


async def plan_nodes(
    superuser: Connection, statement: Statement, values: dict[str, Any]
) -> list[dict[str, Any]]:
    """The nodes of two plans of a statement: for its arguments, and the generic one, which PostgreSQL may
    use from the sixth execution on. Sorting is off: PostgreSQL would rather sort the few rows here.
    """
    await superuser.execute("SET enable_sort = off; SET enable_bitmapscan = off")

    def flatten(plan: dict[str, Any]) -> list[dict[str, Any]]:
        return [plan, *(node for child in plan.get("Plans", []) for node in flatten(child))]

    nodes = []
    for mode in ("force_custom_plan", "force_generic_plan"):
        await superuser.execute(f"SET plan_cache_mode = {mode}")
        ((output,),) = await superuser.fetch(
            f"EXPLAIN (FORMAT JSON) {statement.text}", *statement.arguments(**values)
        )
        nodes += flatten(json.loads(output)[0]["Plan"])
    return nodes


def indexes(plan: list[dict[str, Any]]) -> set[str]:
    return {node["Index Name"] for node in plan if "Index Name" in node}


@pytest.fixture
async def populated(database: Database, superuser: Connection) -> Connection:
    await superuser.execute(POPULATION, NOW)
    await superuser.execute(EVENTS)
    await superuser.execute(REFUNDS)
    await superuser.execute("VACUUM ANALYZE payments, payment_events, refunds, requests")
    return superuser


SORT_NODES = {"Sort", "Incremental Sort"}
BEGINNING = {
    "after_xid": "0",
    "after_payment_id": UUID(int=0),
    "after_sequence": 0,
    "limit": 100,
}
CLAIM = {"limit": 50, "claim_lasts": timedelta(seconds=25)}
FIRST_PAGE = {"create_time_before": None, "id_before": None}
NEXT_PAGE = {"create_time_before": NOW, "id_before": PAYMENT_ID}
STATEMENTS: list[tuple[Statement, dict[str, Any], set[str]]] = [
    (
        payments.FIND_CONFLICTS,
        {"request_id": PAYMENT_ID, "id": PAYMENT_ID, "reference": "A-9"},
        {"payments_request_id_key", "payments_pkey", "requests_pkey", *REFERENCE_INDEXES},
    ),
    (
        payments.FIND_REQUEST,
        {"request_id": PAYMENT_ID},
        {"payments_request_id_key", "requests_pkey"},
    ),
    (payments.CLAIM_DUE, CLAIM, {"payments_due", "payments_pkey"}),
    (
        refunds.CLAIM_DUE,
        CLAIM,
        {"refunds_due", "refunds_pkey", "payments_pkey"},
    ),
    (
        refunds.LIST,
        {"payment_id": PAYMENT_ID, "limit": 51} | FIRST_PAGE,
        {"refunds_list", "payments_pkey"},
    ),
    (
        refunds.LIST,
        {"payment_id": PAYMENT_ID, "limit": 51} | NEXT_PAGE,
        {"refunds_list", "payments_pkey"},
    ),
    (
        events.OF_PAYMENT,
        {"payment_id": PAYMENT_ID, "after": 3, "limit": 51},
        {"payment_events_pkey"},
    ),
    (events.STREAM, BEGINNING, {"payment_events_stream"}),
    (
        events.STREAM_OF_PAYMENT,
        BEGINNING | {"payment_id": PAYMENT_ID, "passed": 3},
        {"payment_events_pkey"},
    ),
]


async def test_every_statement_that_reads_uses_the_index_made_for_it(
    populated: Connection, subtests: Any
) -> None:
    positions = (None, Position(MIDDLE, PAYMENT_ID))
    for (filters, expected), newest_first, show_deleted, after in itertools.product(
        FILTERS, (True, False), (True, False), positions
    ):
        query = PaymentQuery(51, after, newest_first, show_deleted, **filters)
        with subtests.test(str(query)):
            plan = await plan_nodes(populated, *select(query))
            assert indexes(plan) <= expected
            kinds = {node["Node Type"] for node in plan}
            assert kinds & {"Index Scan", "Bitmap Index Scan"}
            assert "Seq Scan" not in kinds
            assert not kinds & SORT_NODES, "the index has the order"
    await populated.execute("SET enable_seqscan = off")  # the table of requests is empty
    for statement, values, expected in STATEMENTS:
        with subtests.test(statement.text):
            plan = await plan_nodes(populated, statement, values)
            kinds = {node["Node Type"] for node in plan}
            assert indexes(plan) <= expected
            assert "Seq Scan" not in kinds
            if statement in (events.STREAM, payments.CLAIM_DUE):
                assert not kinds & SORT_NODES, "the index has the order"


UPDATE_COUNTS = """
SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_xact_user_tables WHERE relname = 'payments'
"""


async def test_a_refund_writes_to_no_index_of_the_payments(
    postgres: Repositories, database: Database
) -> None:
    """Its new version of the payment is a HOT update, however many refunds there are."""
    payment = await postgres.create_in(State.SUCCEEDED, reference=Reference("A-1"))
    refund = unsaved_refund(payment)
    async with in_transaction(database.pool) as connection:
        before = await connection.fetchrow(UPDATE_COUNTS)
        await refunds.PostgresRefunds(connection).insert(refund, request_record(payment, refund))
        after = await connection.fetchrow(UPDATE_COUNTS)
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 1]
