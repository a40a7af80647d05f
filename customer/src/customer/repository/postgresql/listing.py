"""The statement of a page of customers."""

from chassis.sql import Statement, page_clauses
from customer.domain.customer import State
from customer.service_layer.ports import CustomerQuery


def select(query: CustomerQuery) -> tuple[Statement, dict[str, object]]:
    """The statement, made of fixed pieces, and its values. Each condition is written so that
    PostgreSQL finds its index: tests look at the plans.
    """
    conditions, values, order = page_clauses(query)
    if not query.show_deleted:
        conditions.append("delete_time IS NULL")
    if query.state is State.ACTIVE:
        conditions.append("rare_state IS NULL")  # nearly all are: the list itself finds them
    elif query.state is not None:
        conditions.append("rare_state = :state")
        values["state"] = query.state.value
    if query.email is not None:
        conditions.append("email_key = :email_key")
        values["email_key"] = query.email.key
    if query.reference is not None:
        conditions.append("reference = :reference")
        values["reference"] = query.reference.text
    where = " AND ".join(conditions) or "true"
    return Statement(f"SELECT * FROM customers WHERE {where} {order}"), values  # noqa: S608
