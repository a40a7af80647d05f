"""Rows as the domain's values, and the statements whose answers must not be lost."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import asyncpg

from chassis.database import Pool
from chassis.database_errors import is_database_away
from chassis.values import Metadata, Reference, RequestId, from_trusted
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
from payment.service_layer.ports import CommitUnknown

Row = asyncpg.Record

OF_PAYMENT = (
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
OF_REFUND = (
    *("id", "payment_id", "intent_id", "amount", "currency_code", "create_time", "update_time"),
    "version",
)
"""The columns that are fields of the same name and type."""


async def insert(pool: Pool, statement: str, *arguments: object) -> Row | None:
    """Run an insert. Raises CommitUnknown once it was sent; what fails before that, says that
    nothing was.
    """
    async with pool.acquire() as connection:
        try:
            row: Row | None = await connection.fetchrow(statement, *arguments)
        except Exception as error:
            if is_database_away(error):
                raise CommitUnknown from error
            raise
        return row


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
        **_fields(row, OF_PAYMENT),
    )


def refund(row: Row) -> Refund:
    """Of a refund's row, with the intent and the currency of its payment."""
    return Refund(
        reason=RefundReason(row["reason"]) if row["reason"] else None,
        state=RefundState(row["state"]),
        failure=_failure(row),
        processor_id=row["processor_id"] or "",
        **_fields(row, OF_REFUND),
    )


def birth(payment: Payment) -> tuple[object, ...]:
    """What a payment is recorded with, in the order of its insert."""
    asked, url, reference = payment.request, payment.request.return_url, payment.request.reference
    return (
        *(payment.id, asked.request_id.uuid, payment.fingerprint),
        *(asked.customer.id, payment.customer_etag),
        *(asked.amount.minor_units, asked.amount.currency_code, asked.payment_method.token),
        *(asked.capture_method.value, url and url.address),
        *(asked.description, reference and reference.text, asked.metadata.as_dict()),
        *(payment.intent_id, payment.start_by),
    )


def changeable(payment: Payment) -> tuple[object, ...]:
    """What may become different with a change, in the order of its update."""
    asked, reason, held = payment.request, payment.cancel_reason, payment.held
    return (
        *(payment.state.value, payment.idempotency_counter),
        *(payment.action_by, payment.capture_before, payment.redirect_url),
        *(reason and reason.value, failure(payment.failure)),
        *(held and held.reason, held and held.time),
        *(payment.amount_capturing, payment.amount_captured, payment.delete_time),
        *(asked.description, asked.reference and asked.reference.text, asked.metadata.as_dict()),
    )


def failure(said: Failure | None) -> dict[str, str] | None:
    """The column of a failure."""
    return None if said is None else dataclasses.asdict(said)


def _failure(row: Row) -> Failure | None:
    return Failure(**row["failure"]) if row["failure"] else None


def _fields(row: Row, names: Sequence[str]) -> dict[str, Any]:
    return {name: row[name] for name in names}
