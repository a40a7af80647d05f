"""Examples of payments, intents and refunds. Each takes the fields that a test changes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from chassis.values import Reference, RequestId
from payment.domain.creation import CreationAttempt
from payment.domain.evidence import Intent, IntentStatus, ProcessorRefund, RefundStatus
from payment.domain.payment import (
    CancelReason,
    Payment,
    PaymentRequest,
    State,
)
from payment.domain.refund import Refund
from payment.domain.values import CustomerName, Failure, Money, PaymentMethod

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
PAYMENT_ID = UUID("01939c5e-0000-7000-8000-000000000001")
REFUND_ID = UUID("01939c5e-0000-7000-8000-000000000002")
INSTALLATION = "0193-installation"
EUR_10 = Money(1000, "EUR")
REQUEST = PaymentRequest(
    request_id=RequestId("0b7f3c0e-5f0a-4a51-9a3e-1f1d2c3b4a59"),
    customer=CustomerName(UUID("01939c5e-0000-7000-8000-0000000000c0")),
    amount=EUR_10,
    payment_method=PaymentMethod("pm_card_visa"),
    reference=Reference("order-1"),
)
ATTEMPT = CreationAttempt(PAYMENT_ID, REQUEST, '"1"', NOW)


def a_payment(state: State = State.CONFIRMING, **changes: Any) -> Payment:
    """A payment of EUR 10 in this state, with the fields that a row in this state has."""
    payment = Payment(
        id=PAYMENT_ID,
        request=REQUEST,
        fingerprint=REQUEST.fingerprint,
        customer_etag='"1"',
        intent_id="pi_1",
        start_by=NOW + timedelta(minutes=15),
        create_time=NOW,
        update_time=NOW,
        state=state,
    )
    fields_of_state: dict[State, dict[str, Any]] = {
        State.REQUIRES_ACTION: {
            "action_by": NOW + timedelta(hours=24),
            "redirect_url": "https://bank.example/3ds",
        },
        State.AUTHORIZED: {"capture_before": NOW + timedelta(days=7)},
        State.CAPTURING: {"amount_capturing": 1000},
        State.CANCELING: {"cancel_reason": CancelReason.USER},
        State.SUCCEEDED: {"amount_captured": 1000},
        State.FAILED: {
            "cancel_reason": CancelReason.DECLINE,
            "failure": Failure("card_declined"),
        },
        State.CANCELED: {"cancel_reason": CancelReason.USER},
    }
    return replace(payment, **{**fields_of_state.get(state, {}), **changes})


def an_intent(status: IntentStatus, **changes: Any) -> Intent:
    """The intent of `a_payment`, in this status."""
    intent = Intent(
        id="pi_1",
        status=status,
        amount=EUR_10,
        amount_received=1000 if status is IntentStatus.SUCCEEDED else 0,
        payment_id=PAYMENT_ID,
        installation=INSTALLATION,
    )
    return replace(intent, **changes)


def a_refund(**changes: Any) -> Refund:
    """A new refund of EUR 4 of `a_payment`."""
    refund = Refund(
        id=REFUND_ID,
        payment_id=PAYMENT_ID,
        intent_id="pi_1",
        amount=400,
        currency_code="EUR",
        reason=None,
        create_time=NOW,
        update_time=NOW,
    )
    return replace(refund, **changes)


def a_processor_refund(status: RefundStatus, **changes: Any) -> ProcessorRefund:
    """`a_refund` as the processor reports it, in this status."""
    return replace(ProcessorRefund("re_1", status, 400, REFUND_ID), **changes)
