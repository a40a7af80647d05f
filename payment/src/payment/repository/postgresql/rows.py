"""Rows as the domain's values, and a statement whose answer may be lost."""

from typing import Any, TypeVar
from uuid import UUID

import asyncpg

from chassis.database import Pool
from chassis.errors import is_database_away
from chassis.values import Metadata, Reference, RequestId
from payment.domain.payment import (
    CancelReason,
    CaptureMethod,
    Failure,
    Held,
    Payment,
    PaymentRequest,
    State,
)
from payment.domain.refund import Refund, RefundReason, RefundState
from payment.domain.values import CustomerName, Money, PaymentMethod, ReturnUrl
from payment.service_layer.ports import OutcomeUnknown

Value = TypeVar("Value")
Row = asyncpg.Record


async def insert(pool: Pool, statement: str, *arguments: object) -> Row | None:
    """Run a statement that must not be lost. Raises OutcomeUnknown once it was sent; whatever
    fails before that, says that nothing was.
    """
    async with pool.acquire() as connection:
        try:
            row: Row | None = await connection.fetchrow(statement, *arguments)
        except Exception as error:
            if is_database_away(error):
                raise OutcomeUnknown from error
            raise
        return row


def stored(kind: type[Value], **content: object) -> Value:
    """Makes a value without its check: it was checked before it was stored. Else reading would
    cost as much again, and fail on old rows when a rule gets stricter.
    """
    value = object.__new__(kind)
    for name, each in content.items():
        object.__setattr__(value, name, each)
    return value


def request_id(column: UUID) -> RequestId:
    return stored(RequestId, text=str(column))


def payment(row: Row) -> Payment:
    address, reference = row["return_url"], row["reference"]
    return Payment(
        id=row["id"],
        request=PaymentRequest(
            request_id=request_id(row["request_id"]),
            customer=CustomerName(row["customer_id"]),
            amount=stored(Money, minor_units=row["amount"], currency_code=row["currency_code"]),
            payment_method=stored(PaymentMethod, token=row["payment_method"]),
            capture_method=CaptureMethod(row["capture_method"]),
            return_url=stored(ReturnUrl, address=address) if address else None,
            description=row["description"],
            reference=stored(Reference, text=reference) if reference else None,
            metadata=stored(Metadata, pairs=tuple(sorted(row["metadata"].items()))),
        ),
        fingerprint=row["fingerprint"],
        customer_etag=row["customer_etag"],
        intent_id=row["intent_id"],
        start_by=row["start_by"],
        create_time=row["create_time"],
        update_time=row["update_time"],
        state=State(row["state"]),
        n=row["n"],
        version=row["version"],
        action_by=row["action_by"],
        capture_before=row["capture_before"],
        redirect_url=row["redirect_url"],
        cancel_reason=CancelReason(row["cancel_reason"]) if row["cancel_reason"] else None,
        failure=_failure(row),
        held=Held(row["held_reason"], row["held_time"]) if row["held_time"] else None,
        amount_capturing=row["amount_capturing"],
        amount_captured=row["amount_captured"],
        amount_refunded=row["amount_refunded"],
        delete_time=row["delete_time"],
    )


def refund(row: Row) -> Refund:
    """Of a refund's row, with the intent and the currency of its payment."""
    return Refund(
        id=row["id"],
        payment_id=row["payment_id"],
        intent_id=row["intent_id"],
        amount=row["amount"],
        currency_code=row["currency_code"],
        reason=RefundReason(row["reason"]) if row["reason"] else None,
        create_time=row["create_time"],
        update_time=row["update_time"],
        state=RefundState(row["state"]),
        failure=_failure(row),
        processor_id=row["processor_id"] or "",
        version=row["version"],
    )


def failure(said: Failure | None) -> dict[str, Any] | None:
    """The column of a failure."""
    if said is None:
        return None
    return {"code": said.code, "decline_code": said.decline_code, "message": said.message}


def _failure(row: Row) -> Failure | None:
    return Failure(**row["failure"]) if row["failure"] else None
