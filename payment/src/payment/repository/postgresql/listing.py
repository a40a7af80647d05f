"""The statement of a page of payments."""

from typing import Any

from payment.domain.payment import PublicState
from payment.service_layer.ports import PaymentQuery


def select(query: PaymentQuery) -> tuple[str, list[Any]]:
    """The statement, made of fixed pieces, and its arguments. Each condition is written so that
    PostgreSQL finds its index: tests look at the plans.
    """
    arguments: list[Any] = []

    def parameter(value: object) -> str:
        arguments.append(value)
        return f"${len(arguments)}"

    conditions: list[str] = []
    if query.customer is not None:
        conditions.append(f"customer_id = {parameter(query.customer.id)}")
    if query.state is PublicState.SUCCEEDED:
        conditions.append("public_state IS NULL")  # nearly all have: the walk finds them
    elif query.state is not None:
        conditions.append(f"public_state = {parameter(query.state.value)}")
    if query.reference is not None:
        conditions.append(f"reference = {parameter(query.reference.text)}")
    if query.held is not None:
        conditions.append(f"held_time IS {'NOT NULL' if query.held else 'NULL'}")
    for how, time in query.create_time:
        conditions.append(f"create_time {how.value} {parameter(time)}")
    passed, direction = ("<", "DESC") if query.newest_first else (">", "ASC")
    if query.after is not None:
        place = f"{parameter(query.after.create_time)}, {parameter(query.after.id)}"
        conditions.append(f"(create_time, id) {passed} ({place})")
    order = f"ORDER BY create_time {direction}, id {direction} LIMIT {parameter(query.limit)}"
    pages = (
        f"(SELECT * FROM payments WHERE {' AND '.join([*conditions, half])} {order})"  # noqa: S608
        for half in halves(query)
    )
    return f"SELECT * FROM ({' UNION ALL '.join(pages)}) AS page {order}", arguments  # noqa: S608


def halves(query: PaymentQuery) -> list[str]:
    """Which indexes to read: deleted payments have their own. States that cannot be deleted are not
    looked for there, since that would scan all of it.
    """
    deletable = query.state in {None, PublicState.FAILED, PublicState.CANCELED} and not query.held
    if query.show_deleted and deletable:
        return ["delete_time IS NULL", "delete_time IS NOT NULL"]
    return ["delete_time IS NULL"]
