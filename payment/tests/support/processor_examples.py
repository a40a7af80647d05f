"""Payments to test a processor with, at each stage: an attempt, unconfirmed, confirmed, authorized."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

from support.examples import INSTALLATION, NOW, REQUEST, a_refund
from support.processors import Target

from chassis.identifiers import uuid7
from chassis.values import RequestId
from payment.domain.creation import CreationAttempt, build_payment
from payment.domain.evidence import Intent, IntentStatus, Reply
from payment.domain.machine import Operation, Post
from payment.domain.payment import CaptureMethod, Payment
from payment.domain.refund import Refund
from payment.domain.values import Money, PaymentMethod

CONFIRM = Post(Operation.CONFIRM, 0)
CANCEL = Post(Operation.CANCEL, 1)
EUR_20 = Money(2000, "EUR")


async def an_attempt(target: Target, card: str = "good", **changes: Any) -> CreationAttempt:
    """An attempt to pay EUR 20 with one of the target's cards."""
    request = replace(
        REQUEST,
        request_id=RequestId(str(uuid4())),
        amount=EUR_20,
        payment_method=PaymentMethod(await target.card(card)),
    )
    return CreationAttempt(uuid7(), replace(request, **changes), '"1"', NOW)


async def a_payment(target: Target, card: str = "good", **changes: Any) -> Payment:
    """A payment whose intent was created and is not confirmed."""
    attempt = await an_attempt(target, card, **changes)
    return build_payment(attempt, await target.processor.create(attempt), INSTALLATION)


async def a_confirmed_payment(target: Target, card: str = "good", **changes: Any) -> Payment:
    payment = await a_payment(target, card, **changes)
    await target.processor.post(payment, CONFIRM)
    return payment


async def an_authorized_payment(target: Target) -> Payment:
    """A payment that was confirmed and waits for a capture."""
    return await a_confirmed_payment(target, capture_method=CaptureMethod.MANUAL)


def a_refund_of(payment: Payment, amount: int, **changes: Any) -> Refund:
    our_ids = {"id": uuid7(), "payment_id": payment.id, "intent_id": payment.intent_id}
    currency_code = payment.request.amount.currency_code
    return a_refund(**our_ids, amount=amount, currency_code=currency_code, **changes)


def capture(minor_units: int) -> Post:
    return Post(Operation.CAPTURE, 1, minor_units)


def intent_in(reply: Reply) -> Intent:
    assert isinstance(reply, Intent)
    return reply


async def status_of(target: Target, payment: Payment) -> IntentStatus:
    return intent_in(await target.processor.retrieve(payment.intent_id)).status
