"""The statement of a page of payments."""

from chassis.sql import Statement, page_clauses
from payment.domain.payment import PublicState
from payment.service_layer.ports import PaymentQuery


def select(query: PaymentQuery) -> tuple[Statement, dict[str, object]]:
    """The statement, made of fixed pieces, and its values. Each condition is written so that
    PostgreSQL finds its index: tests look at the plans.
    """
    conditions, values, order = page_clauses(query)
    if query.customer is not None:
        conditions.append("customer_id = :customer_id")
        values["customer_id"] = query.customer.id
    if query.state is PublicState.SUCCEEDED:
        conditions.append("public_state IS NULL")  # nearly all have: the list itself finds them
    elif query.state is not None:
        conditions.append("public_state = :state")
        values["state"] = query.state.value
    if query.reference is not None:
        conditions.append("reference = :reference")
        values["reference"] = query.reference.text
    if query.held is not None:
        conditions.append(f"held_time IS {'NOT NULL' if query.held else 'NULL'}")
    pages = (
        f"(SELECT * FROM payments WHERE {' AND '.join([*conditions, half])} {order})"  # noqa: S608
        for half in halves(query)
    )
    statement = f"SELECT * FROM ({' UNION ALL '.join(pages)}) AS page {order}"  # noqa: S608
    return Statement(statement), values


def halves(query: PaymentQuery) -> list[str]:
    """Which indexes to read: deleted payments have their own. States that cannot be deleted are not
    looked for there, since that would scan all of it.
    """
    deletable = query.state in {None, PublicState.FAILED, PublicState.CANCELED} and not query.held
    if query.show_deleted and deletable:
        return ["delete_time IS NULL", "delete_time IS NOT NULL"]
    return ["delete_time IS NULL"]
