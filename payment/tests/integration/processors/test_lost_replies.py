"""The adapter against a sandbox that loses replies: an unknown outcome is an effect or none, and the same
call under the same key shows which, without a second effect.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from support.examples import INSTALLATION, NOW, REQUEST, a_refund
from support.processors import ANY_KEY

from chassis.identifiers import uuid7
from chassis.settings import Secret
from chassis.values import RequestId
from payment.domain.creation import CreationAttempt, build_payment
from payment.domain.evidence import (
    Intent,
    IntentStatus,
    OutcomeUnknown,
    ProcessorRefund,
    Reply,
    ServerError,
)
from payment.domain.machine import Operation, Post
from payment.domain.payment import Payment
from payment.processors.stripe.adapter import StripeProcessor

CONFIRM = Post(Operation.CONFIRM, 0)


@pytest.fixture
async def processor(sandbox_address: str) -> AsyncIterator[StripeProcessor]:
    async with StripeProcessor(Secret(ANY_KEY), sandbox_address, INSTALLATION) as opened:
        yield opened


class Faults:
    """Plans faults in the sandbox."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def plan(self, kind: str, match: str, **options: Any) -> None:
        plan = {"kind": kind, "match": match, **options}
        async with self._session.post("/_sandbox/faults", json=plan) as reply:
            assert reply.status == 200, await reply.text()

    async def clear(self) -> None:
        async with self._session.delete("/_sandbox/faults") as reply:
            assert reply.status == 200


@pytest.fixture
async def faults(sandbox_address: str) -> AsyncIterator[Faults]:
    async with aiohttp.ClientSession(sandbox_address) as session:
        faults = Faults(session)
        yield faults
        await faults.clear()


def an_attempt() -> CreationAttempt:
    request = replace(REQUEST, request_id=RequestId(str(uuid4())))
    return CreationAttempt(uuid7(), request, '"1"', NOW)


async def a_payment(processor: StripeProcessor) -> Payment:
    attempt = an_attempt()
    return build_payment(attempt, await processor.create(attempt), INSTALLATION)


def status_in(reply: Reply) -> IntentStatus | None:
    return reply.status if isinstance(reply, Intent) else None


@pytest.mark.parametrize("kind", ["lose_reply", "break_body"])
async def test_a_creation_whose_reply_is_lost_gets_its_intent_when_it_is_sent_again(
    kind: str, processor: StripeProcessor, faults: Faults
) -> None:
    await faults.plan(kind, "POST /v1/payment_intents$")
    attempt = an_attempt()

    first = await processor.create(attempt)
    again = await processor.create(attempt)

    assert isinstance(first, OutcomeUnknown)
    assert first.unreachable
    assert isinstance(again, Intent)
    assert again.payment_id == attempt.id


@pytest.mark.parametrize("kind", ["lose_reply", "break_body"])
async def test_a_confirmation_whose_reply_is_lost_has_charged_and_does_not_charge_again(
    kind: str, processor: StripeProcessor, faults: Faults
) -> None:
    payment = await a_payment(processor)
    await faults.plan(kind, f"POST .*{payment.intent_id}/confirm")

    first = await processor.post(payment, CONFIRM)
    retrieved = await processor.retrieve(payment.intent_id)
    again = await processor.post(payment, CONFIRM)

    assert isinstance(first, OutcomeUnknown)
    assert status_in(retrieved) is IntentStatus.SUCCEEDED
    assert again == retrieved


async def test_a_confirmation_that_never_arrived_has_not_charged_and_charges_when_sent_again(
    processor: StripeProcessor, faults: Faults
) -> None:
    payment = await a_payment(processor)
    await faults.plan("drop", f"POST .*{payment.intent_id}/confirm")

    first = await processor.post(payment, CONFIRM)
    retrieved = await processor.retrieve(payment.intent_id)
    again = await processor.post(payment, CONFIRM)

    assert isinstance(first, OutcomeUnknown)
    assert status_in(retrieved) is IntentStatus.REQUIRES_CONFIRMATION
    assert status_in(again) is IntentStatus.SUCCEEDED


@pytest.mark.parametrize("status", [401, 403, 409, 429, 502, 503, 504])
async def test_a_confirmation_that_was_turned_away_has_an_unknown_outcome_and_charges_when_sent_again(
    status: int, processor: StripeProcessor, faults: Faults
) -> None:
    payment = await a_payment(processor)
    await faults.plan("refuse", f"POST .*{payment.intent_id}/confirm", status=status)

    first = await processor.post(payment, CONFIRM)
    again = await processor.post(payment, CONFIRM)

    assert isinstance(first, OutcomeUnknown)
    assert first.unreachable is (status in (429, 502, 503, 504))
    assert status_in(again) is IntentStatus.SUCCEEDED


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("fail_before", IntentStatus.REQUIRES_CONFIRMATION),
        ("fail_after", IntentStatus.SUCCEEDED),
    ],
)
async def test_a_500_is_replayed_under_its_key_whatever_the_call_did(
    kind: str, status: IntentStatus, processor: StripeProcessor, faults: Faults
) -> None:
    payment = await a_payment(processor)
    await faults.plan(kind, f"POST .*{payment.intent_id}/confirm")

    failed = await processor.post(payment, CONFIRM)
    retrieved = await processor.retrieve(payment.intent_id)
    again = await processor.post(payment, CONFIRM)

    assert failed == again == ServerError()
    assert status_in(retrieved) is status


async def test_after_a_500_a_call_under_the_next_key_is_made(
    processor: StripeProcessor, faults: Faults
) -> None:
    payment = await a_payment(processor)
    await faults.plan("fail_before", f"POST .*{payment.intent_id}/confirm")
    await processor.post(payment, CONFIRM)

    reply = await processor.post(payment, Post(Operation.CONFIRM, 1))

    assert status_in(reply) is IntentStatus.SUCCEEDED


async def test_a_confirmation_that_times_out_before_its_effect_has_an_unknown_outcome(
    sandbox_address: str, processor: StripeProcessor, faults: Faults
) -> None:
    payment = await a_payment(processor)
    await faults.plan("slow", f"POST .*{payment.intent_id}/confirm", seconds=300)
    timeout = aiohttp.ClientTimeout(total=0.1)
    impatient = StripeProcessor(Secret(ANY_KEY), sandbox_address, INSTALLATION, timeout)

    async with impatient:
        reply = await impatient.post(payment, CONFIRM)

    assert reply == OutcomeUnknown("no reply (TimeoutError)", unreachable=True)
    status = status_in(await processor.retrieve(payment.intent_id))
    assert status is IntentStatus.REQUIRES_CONFIRMATION


async def test_a_confirmation_that_times_out_after_its_effect_has_an_unknown_outcome(
    sandbox_address: str, processor: StripeProcessor, faults: Faults
) -> None:
    payment = await a_payment(processor)
    await faults.plan("slow_reply", f"POST .*{payment.intent_id}/confirm", seconds=300)
    timeout = aiohttp.ClientTimeout(sock_read=0.1)  # it begins when the request was sent
    impatient = StripeProcessor(Secret(ANY_KEY), sandbox_address, INSTALLATION, timeout)

    async with impatient:
        reply = await impatient.post(payment, CONFIRM)

    assert isinstance(reply, OutcomeUnknown)
    assert reply.unreachable
    while status_in(await processor.retrieve(payment.intent_id)) is not IntentStatus.SUCCEEDED:  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def test_a_refund_whose_reply_is_lost_is_listed_and_not_made_again(
    processor: StripeProcessor, faults: Faults
) -> None:
    payment = await a_payment(processor)
    await processor.post(payment, CONFIRM)
    refund = a_refund(id=uuid7(), payment_id=payment.id, intent_id=payment.intent_id)
    await faults.plan("lose_reply", "POST /v1/refunds")

    first = await processor.refund(refund)
    listed = await processor.refunds(payment.intent_id)
    again = await processor.refund(refund)

    assert isinstance(first, OutcomeUnknown)
    assert isinstance(again, ProcessorRefund)
    assert again.refund_id == refund.id
    assert listed == await processor.refunds(payment.intent_id) == [again]
