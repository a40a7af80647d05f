"""What the database itself refuses, whatever the code does; and which index serves a list."""

import itertools
import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from chassis.aip.filters import Comparison
from chassis.aip.pages import Position
from chassis.database import Database
from chassis.identifiers import uuid7
from chassis.sql import Statement
from chassis.values import Reference
from customer.domain.customer import Customer, State
from customer.domain.values import EmailAddress
from customer.repository.postgresql.customers import FIND_CONFLICT, PostgresCustomers
from customer.repository.postgresql.listing import select
from customer.service_layer.ports import CustomerQuery

from ..conftest import NOON, REQUEST_ID, MakeRequest


@pytest.fixture
async def alice(database: Database, make_request: MakeRequest) -> Customer:
    request = make_request(email="alice@example.com", reference="A-1", request_id=REQUEST_ID)
    customer = await PostgresCustomers(database.pool).insert(uuid7(), request)
    assert customer is not None
    return customer


NEXT = "UPDATE customers SET version = version + 1"
INSERT = "INSERT INTO customers (id, state, display_name, email, email_key"

NO_RIGHT = [
    "DELETE FROM customers",
    "TRUNCATE customers",
    f"{NEXT}, id = gen_random_uuid()",
    f"{NEXT}, create_time = now()",
    f"{NEXT}, request_id = gen_random_uuid()",
    f"{INSERT}, create_time) VALUES (gen_random_uuid(), 'ACTIVE', 'B', 'b', 'b', now())",
    f"{INSERT}, version) VALUES (gen_random_uuid(), 'ACTIVE', 'B', 'b', 'b', 7)",
    f"{INSERT}, erase_time) VALUES (gen_random_uuid(), 'ACTIVE', 'B', 'b', 'b', now())",
    "UPDATE installation SET generation = 2",
    "DELETE FROM installation",
    "INSERT INTO schema_migrations VALUES ('9999')",
    "CREATE TABLE mine ()",
    "ALTER TABLE customers DISABLE TRIGGER ALL",
]


async def test_the_service_has_only_the_rights_that_it_uses(
    database: Database, alice: Customer, subtests: Any
) -> None:
    for statement in NO_RIGHT:
        with subtests.test(statement), pytest.raises(asyncpg.InsufficientPrivilegeError):
            await database.pool.execute(statement)


ERASED = (
    "erase_time = now(), delete_time = now(), display_name = NULL, email = NULL,"
    " email_key = NULL, phone = NULL, metadata = '{}', fingerprint = NULL"
)
BROKEN = {
    asyncpg.CheckViolationError: [
        "erase_time = now()",
        ERASED.replace("delete_time = now()", "delete_time = NULL"),
        ERASED.replace("display_name = NULL", "display_name = 'A'"),
        ERASED.replace("email = NULL", "email = 'a'"),
        ERASED.replace("email_key = NULL", "email_key = 'a'"),
        ERASED.replace("phone = NULL", "phone = '+49301'"),
        ERASED.replace("'{}'", """'{"a": "b"}'"""),
        ERASED.replace("fingerprint = NULL", r"fingerprint = '\x00'"),
        "display_name = NULL",
        "email = NULL",
        "email_key = NULL",
        "display_name = ''",
        "email = ''",
        "email_key = ''",
        "phone = ''",
        "reference = ''",
    ],
    asyncpg.NotNullViolationError: ["metadata = NULL", "state = NULL", "update_time = NULL"],
    asyncpg.InvalidTextRepresentationError: ["state = 'DELETED'"],
    asyncpg.StringDataRightTruncationError: [
        "display_name = repeat('x', 201)",
        "email = repeat('x', 255)",
        "email_key = repeat('x', 763)",
        "phone = repeat('1', 17)",
        "reference = repeat('x', 129)",
    ],
}


async def test_a_change_that_violates_a_constraint_is_refused(
    database: Database, alice: Customer, subtests: Any
) -> None:
    for refusal, statements in BROKEN.items():
        for changes in statements:
            with subtests.test(changes), pytest.raises(refusal):
                await database.pool.execute(f"{NEXT}, {changes}")
    assert (await PostgresCustomers(database.pool).get(alice.id)).resource == alice


async def test_a_version_that_does_not_follow_its_predecessor_is_refused(
    database: Database, alice: Customer, subtests: Any
) -> None:
    for statement in (
        "UPDATE customers SET state = 'BLOCKED'",
        "UPDATE customers SET version = version + 2",
        "UPDATE customers SET version = version - 1",
    ):
        with subtests.test(statement), pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await database.pool.execute(statement)


async def test_an_erased_customer_never_changes(database: Database, alice: Customer) -> None:
    await database.pool.execute(f"{NEXT}, {ERASED}")
    for changes in ("state = 'BLOCKED'", "erase_time = NULL", "delete_time = NULL"):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await database.pool.execute(f"{NEXT}, {changes}")


async def test_the_database_refuses_a_second_customer_with_a_unique_key(
    database: Database, alice: Customer
) -> None:
    other = f"{INSERT}, reference, request_id) VALUES (gen_random_uuid(), 'ACTIVE', 'B', 'b', $1, $2, $3)"
    for key, reference, request_id in (
        ("alice@example.com", None, None),
        ("b", "A-1", None),
        ("b", None, UUID(REQUEST_ID)),
    ):
        with pytest.raises(asyncpg.UniqueViolationError):
            await database.pool.execute(other, key, reference, request_id)


async def test_there_is_one_installation(customer_database: Any) -> None:
    owner = await asyncpg.connect(
        customer_database.owner_url, password=customer_database.owner_password
    )
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await owner.execute("INSERT INTO installation SELECT * FROM installation")
    with pytest.raises(asyncpg.CheckViolationError):
        await owner.execute("UPDATE installation SET only_row = false")
    await owner.close()


async def test_this_code_works_while_the_next_migration_adds_a_column(
    database: Database, alice: Customer, customer_database: Any, make_request: MakeRequest
) -> None:
    customers = PostgresCustomers(database.pool)

    async def every_reading_statement(expected: Customer) -> None:
        assert (await customers.get(alice.id)).resource == expected
        assert await customers.find_conflict(alice.unique_keys) == expected
        assert await customers.list(CustomerQuery(limit=1)) == [expected]

    await every_reading_statement(alice)
    owner = await asyncpg.connect(
        customer_database.owner_url, password=customer_database.owner_password
    )
    await owner.execute("ALTER TABLE customers ADD COLUMN colour varchar(20)")
    await owner.close()
    await every_reading_statement(alice)
    after = await customers.save(alice, alice.update({"state": State.BLOCKED}))
    assert after is not None
    await every_reading_statement(after)
    assert await customers.insert(uuid7(), make_request()) is not None


# 6,000 customers, one a minute. Every third is deleted, every hundredth blocked.
POPULATION = """
INSERT INTO customers (id, request_id, fingerprint, state, display_name, email, email_key,
                       reference, create_time, delete_time)
SELECT gen_random_uuid(), gen_random_uuid(), '\\x00',
       CASE WHEN number % 100 = 0 THEN 'BLOCKED' ELSE 'ACTIVE' END::customer_state,
       'Somebody', key, key, 'A-' || number, $1::timestamptz + number * interval '1 min',
       CASE WHEN number % 3 = 0 THEN now() END
  FROM generate_series(1, 6000) AS number,
       LATERAL (SELECT 'a' || number || '@example.com' AS key) AS keys
"""
EMAIL = EmailAddress("a4@example.com")
MIDDLE = NOON + timedelta(minutes=3_000)
RANGE = (
    (Comparison.FROM, NOON + timedelta(minutes=1_000)),
    (Comparison.BEFORE, NOON + timedelta(minutes=5_000)),
)
SERVED: list[tuple[dict[str, Any], set[str]]] = [
    ({}, {"customers_undeleted"}),
    ({"show_deleted": True}, {"customers_all"}),
    ({"create_time": RANGE}, {"customers_undeleted"}),
    ({"create_time": RANGE, "show_deleted": True}, {"customers_all"}),
    ({"state": State.ACTIVE}, {"customers_undeleted"}),
    ({"state": State.ACTIVE, "show_deleted": True}, {"customers_all"}),
    ({"state": State.BLOCKED}, {"customers_rare_undeleted"}),
    ({"state": State.BLOCKED, "create_time": RANGE}, {"customers_rare_undeleted"}),
    ({"state": State.BLOCKED, "show_deleted": True}, {"customers_rare_all"}),
    ({"email": EMAIL}, {"customers_email", "customers_email_all"}),
    ({"email": EMAIL, "show_deleted": True}, {"customers_email_all"}),
    ({"email": EMAIL, "state": State.ACTIVE}, {"customers_email", "customers_email_all"}),
    ({"reference": Reference("A-4")}, {"customers_reference"}),
    ({"reference": Reference("A-4"), "show_deleted": True}, {"customers_reference"}),
]


async def plans(
    superuser: Any, statement: Statement, values: dict[str, Any]
) -> list[dict[str, Any]]:
    """The nodes of a statement's plans: that for its values, and that for any values, which
    PostgreSQL may use from the sixth execution on.
    """

    def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
        return [plan] + [node for child in plan.get("Plans", []) for node in nodes(child)]

    found = []
    for mode in ("force_custom_plan", "force_generic_plan"):
        await superuser.execute(f"SET plan_cache_mode = {mode}")
        explain = f"EXPLAIN (FORMAT JSON) {statement.text}"
        ((plan,),) = await superuser.fetch(explain, *statement.arguments(**values))
        found += nodes(json.loads(plan)[0]["Plan"])
    return found


async def test_every_list_is_served_by_an_index_of_its_own(superuser: Any, subtests: Any) -> None:
    await superuser.execute(POPULATION, NOON)
    await superuser.execute("ANALYZE customers")
    places = (None, Position(MIDDLE, UUID(REQUEST_ID)))
    for (conditions, indexes), newest_first, after in itertools.product(
        SERVED, (True, False), places
    ):
        with subtests.test(str((conditions, newest_first, after))):
            query = CustomerQuery(51, after, newest_first, **conditions)
            used = await plans(superuser, *select(query))
            assert {node.get("Index Name") for node in used} - {None} <= indexes
            kinds = {node["Node Type"] for node in used}
            assert kinds & {"Index Scan", "Bitmap Index Scan"}
            assert not kinds & {"Seq Scan"}
            if "email" not in conditions and "reference" not in conditions:
                assert not kinds & {"Sort", "Incremental Sort"}, "the index has the order"


async def test_a_conflict_is_found_by_the_unique_indexes(superuser: Any) -> None:
    await superuser.execute(POPULATION, NOON)
    await superuser.execute("ANALYZE customers")
    keys = {"request_id": UUID(REQUEST_ID), "email_key": EMAIL.key, "reference": "A-9"}
    used = await plans(superuser, FIND_CONFLICT, keys | {"except_id": None})
    indexes = {node.get("Index Name") for node in used} - {None}
    assert indexes == {"customers_request_id", "customers_email", "customers_reference"}
