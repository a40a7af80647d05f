"""The statement of a page of customers."""

from chassis.sql import Statement
from customer.domain.customer import State
from customer.service_layer.ports import CustomerQuery


def select(query: CustomerQuery) -> tuple[Statement, dict[str, object]]:
    """The statement, made of fixed pieces, and its values. Each condition is written so that
    PostgreSQL finds its index: tests look at the plans.
    """
    values: dict[str, object] = {"limit": query.limit}
    conditions = [] if query.show_deleted else ["delete_time IS NULL"]
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
    for number, (comparison, time) in enumerate(query.create_time):
        conditions.append(f"create_time {comparison.value} :time_{number}")
        values[f"time_{number}"] = time
    passed, direction = ("<", "DESC") if query.newest_first else (">", "ASC")
    if query.after is not None:
        conditions.append(f"(create_time, id) {passed} (:after_time, :after_id)")
        values |= {"after_time": query.after.create_time, "after_id": query.after.id}
    statement = Statement(f"""
SELECT *
  FROM customers
 WHERE {" AND ".join(conditions) or "true"}
 ORDER BY create_time {direction}, id {direction}
 LIMIT :limit
""")  # noqa: S608 - made of nothing but the pieces above
    return statement, values
