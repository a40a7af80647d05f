"""Rows as domain values and back, and the inserts whose outcome may be unknown."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import asyncpg

from chassis.database import Pool
from chassis.database_errors import is_database_away
from chassis.sql import Statement
from chassis.values import Metadata, Reference, RequestId, from_trusted
from payment.domain.payment import (
    CancelReason,
    CaptureMethod,
    Held,
    Payment,
    PaymentRequest,
    State,
)
from payment.domain.refund import Refund, RefundReason, RefundState
from payment.domain.values import CustomerName, Failure, Money, PaymentMethod, ReturnUrl
from payment.service_layer.ports import CommitUnknown

Row = asyncpg.Record

PAYMENT_FIELDS = (
    *("id", "fingerprint", "customer_etag", "intent_id", "start_by", "create_time", "update_time"),
    *(
        "idempotency_counter",
        "version",
        "action_by",
        "capture_before",
        "redirect_url",
        "delete_time",
    ),
    *("amount_capturing", "amount_captured", "amount_refunded"),
)
REFUND_FIELDS = (
    *("id", "payment_id", "intent_id", "amount", "currency_code", "create_time", "update_time"),
    "version",
)
"""The columns that are fields of the same name and type."""


async def insert(pool: Pool, statement: Statement, **values: object) -> Row | None:
    """Run an insert.

    Raises:
        CommitUnknown: it was sent, and got no answer. After another error nothing was inserted.
    """
    async with pool.acquire() as connection:
        try:
            return await statement.fetchrow(connection, **values)
        except Exception as error:
            if is_database_away(error):
                raise CommitUnknown from error
            raise


def payment(row: Row) -> Payment:
    address, reference, reason = row["return_url"], row["reference"], row["cancel_reason"]
    request = PaymentRequest(
        request_id=from_trusted(RequestId, text=str(row["request_id"])),
        customer=CustomerName(row["customer_id"]),
        amount=from_trusted(Money, minor_units=row["amount"], currency_code=row["currency_code"]),
        payment_method=from_trusted(PaymentMethod, token=row["payment_method"]),
        capture_method=CaptureMethod(row["capture_method"]),
        return_url=from_trusted(ReturnUrl, address=address) if address else None,
        description=row["description"],
        reference=from_trusted(Reference, text=reference) if reference else None,
        metadata=from_trusted(Metadata, pairs=tuple(sorted(row["metadata"].items()))),
    )
    return Payment(
        request=request,
        state=State(row["state"]),
        cancel_reason=CancelReason(reason) if reason else None,
        failure=_failure(row),
        held=Held(row["held_reason"], row["held_time"]) if row["held_time"] else None,
        **_fields(row, PAYMENT_FIELDS),
    )


def refund(row: Row) -> Refund:
    """A refund from its row, which has the intent and the currency of its payment."""
    return Refund(
        reason=RefundReason(row["reason"]) if row["reason"] else None,
        state=RefundState(row["state"]),
        failure=_failure(row),
        processor_id=row["processor_id"] or "",
        **_fields(row, REFUND_FIELDS),
    )


def request_columns(payment: Payment) -> dict[str, object]:
    """The columns of the request and its intent, which never change."""
    request, url, reference = payment.request, payment.request.return_url, payment.request.reference
    return {
        "id": payment.id,
        "request_id": request.request_id.uuid,
        "fingerprint": payment.fingerprint,
        "customer_id": request.customer.id,
        "customer_etag": payment.customer_etag,
        "amount": request.amount.minor_units,
        "currency_code": request.amount.currency_code,
        "payment_method": request.payment_method.token,
        "capture_method": request.capture_method.value,
        "return_url": url and url.address,
        "description": request.description,
        "reference": reference and reference.text,
        "metadata": request.metadata.as_dict(),
        "intent_id": payment.intent_id,
        "start_by": payment.start_by,
    }


def changeable_columns(payment: Payment) -> dict[str, object]:
    """The columns that a change may write."""
    request, reason, held = payment.request, payment.cancel_reason, payment.held
    return {
        "state": payment.state.value,
        "idempotency_counter": payment.idempotency_counter,
        "action_by": payment.action_by,
        "capture_before": payment.capture_before,
        "redirect_url": payment.redirect_url,
        "cancel_reason": reason and reason.value,
        "failure": failure(payment.failure),
        "held_reason": held and held.reason,
        "held_time": held and held.time,
        "amount_capturing": payment.amount_capturing,
        "amount_captured": payment.amount_captured,
        "delete_time": payment.delete_time,
        "description": request.description,
        "reference": request.reference and request.reference.text,
        "metadata": request.metadata.as_dict(),
    }


def failure(reported: Failure | None) -> dict[str, str] | None:
    """The column of a failure."""
    return None if reported is None else dataclasses.asdict(reported)


def _failure(row: Row) -> Failure | None:
    return Failure(**row["failure"]) if row["failure"] else None


def _fields(row: Row, names: Sequence[str]) -> dict[str, Any]:
    return {name: row[name] for name in names}
