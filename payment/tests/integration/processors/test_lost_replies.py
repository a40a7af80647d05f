"""The adapter against a sandbox that fails on purpose: what is unknown has happened or not, and
the same call again, under the same key, finds out without doing it twice.
"""

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
    async with StripeProcessor(Secret(ANY_KEY), sandbox_address, INSTALLATION) as one:
        yield one


class Faults:
    """Plans what goes wrong next."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def plan(self, kind: str, match: str, **given: Any) -> None:
        plan = {"kind": kind, "match": match, **given}
        async with self._session.post("/_sandbox/faults", json=plan) as reply:
            assert reply.status == 200, await reply.text()

    async def forget(self) -> None:
        async with self._session.delete("/_sandbox/faults") as reply:
            assert reply.status == 200


@pytest.fixture
async def faults(sandbox_address: str) -> AsyncIterator[Faults]:
    async with aiohttp.ClientSession(sandbox_address) as session:
        here = Faults(session)
        yield here
        await here.forget()


def an_attempt() -> CreationAttempt:
    request = replace(REQUEST, request_id=RequestId(str(uuid4())))
    return CreationAttempt(uuid7(), request, '"1"', NOW)


async def a_payment(processor: StripeProcessor) -> Payment:
    attempt = an_attempt()
    return build_payment(attempt, await processor.create(attempt), INSTALLATION)


def status_in(reply: Reply) -> IntentStatus | None:
    return reply.status if isinstance(reply, Intent) else None


@pytest.mark.parametrize("kind", ["lose_reply", "break_body"])
async def test_a_creation_whose_reply_is_lost_is_unknown_and_gives_its_intent_when_sent_again(
    kind: str, processor: StripeProcessor, faults: Faults
) -> None:
    await faults.plan(kind, "POST /v1/payment_intents$")
    attempt = an_attempt()

    lost = await processor.create(attempt)
    again = await processor.create(attempt)

    assert isinstance(lost, OutcomeUnknown)
    assert lost.unreachable
    assert isinstance(again, Intent)
    assert again.payment_id == attempt.id


@pytest.mark.parametrize("kind", ["lose_reply", "break_body"])
async def test_a_confirm_whose_reply_is_lost_is_unknown_and_has_charged_once(
    kind: str, processor: StripeProcessor, faults: Faults
) -> None:
    payment = await a_payment(processor)
    await faults.plan(kind, f"POST .*{payment.intent_id}/confirm")

    lost = await processor.post(payment, CONFIRM)
    asked = await processor.retrieve(payment.intent_id)
    again = await processor.post(payment, CONFIRM)

    assert isinstance(lost, OutcomeUnknown)
    assert status_in(asked) is IntentStatus.SUCCEEDED
    assert again == asked


async def test_a_confirm_that_never_arrived_is_unknown_and_has_done_nothing(
    processor: StripeProcessor, faults: Faults
) -> None:
    payment = await a_payment(processor)
    await faults.plan("drop", f"POST .*{payment.intent_id}/confirm")

    lost = await processor.post(payment, CONFIRM)
    asked = await processor.retrieve(payment.intent_id)
    again = await processor.post(payment, CONFIRM)

    assert isinstance(lost, OutcomeUnknown)
    assert status_in(asked) is IntentStatus.REQUIRES_CONFIRMATION
    assert status_in(again) is IntentStatus.SUCCEEDED


@pytest.mark.parametrize("status", [401, 403, 409, 429, 502, 503, 504])
async def test_a_confirm_that_was_turned_away_is_unknown_and_can_be_sent_again(
    status: int, processor: StripeProcessor, faults: Faults
) -> None:
    payment = await a_payment(processor)
    await faults.plan("refuse", f"POST .*{payment.intent_id}/confirm", status=status)

    turned_away = await processor.post(payment, CONFIRM)
    again = await processor.post(payment, CONFIRM)

    assert isinstance(turned_away, OutcomeUnknown)
    assert turned_away.unreachable is (status in (429, 502, 503, 504))
    assert status_in(again) is IntentStatus.SUCCEEDED


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("fail_before", IntentStatus.REQUIRES_CONFIRMATION),
        ("fail_after", IntentStatus.SUCCEEDED),
    ],
)
async def test_a_500_is_kept_under_its_key_whatever_it_has_done(
    kind: str, status: IntentStatus, processor: StripeProcessor, faults: Faults
) -> None:
    payment = await a_payment(processor)
    await faults.plan(kind, f"POST .*{payment.intent_id}/confirm")

    failed = await processor.post(payment, CONFIRM)
    asked = await processor.retrieve(payment.intent_id)
    again = await processor.post(payment, CONFIRM)

    assert failed == again == ServerError()
    assert status_in(asked) is status


async def test_after_a_500_the_next_key_goes_on(processor: StripeProcessor, faults: Faults) -> None:
    payment = await a_payment(processor)
    await faults.plan("fail_before", f"POST .*{payment.intent_id}/confirm")
    await processor.post(payment, CONFIRM)

    reply = await processor.post(payment, Post(Operation.CONFIRM, 1))

    assert status_in(reply) is IntentStatus.SUCCEEDED


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("slow", IntentStatus.REQUIRES_CONFIRMATION),
        ("slow_reply", IntentStatus.SUCCEEDED),
    ],
)
async def test_a_confirm_beyond_the_time_out_is_unknown_done_or_not(
    kind: str,
    status: IntentStatus,
    sandbox_address: str,
    processor: StripeProcessor,
    faults: Faults,
) -> None:
    payment = await a_payment(processor)
    await faults.plan(kind, f"POST .*{payment.intent_id}/confirm", seconds=30)
    timeout = aiohttp.ClientTimeout(total=1)
    hasty = StripeProcessor(Secret(ANY_KEY), sandbox_address, INSTALLATION, timeout)

    async with hasty:
        late = await hasty.post(payment, CONFIRM)
    asked = await processor.retrieve(payment.intent_id)

    assert late == OutcomeUnknown("no reply (TimeoutError)", unreachable=True)
    assert status_in(asked) is status


async def test_a_refund_whose_reply_is_lost_is_found_in_the_list_and_not_made_twice(
    processor: StripeProcessor, faults: Faults
) -> None:
    payment = await a_payment(processor)
    await processor.post(payment, CONFIRM)
    refund = a_refund(id=uuid7(), payment_id=payment.id, intent_id=payment.intent_id)
    await faults.plan("lose_reply", "POST /v1/refunds")

    lost = await processor.refund(refund)
    listed = await processor.refunds(payment.intent_id)
    again = await processor.refund(refund)

    assert isinstance(lost, OutcomeUnknown)
    assert isinstance(again, ProcessorRefund)
    assert again.refund_id == refund.id
    assert listed == await processor.refunds(payment.intent_id) == [again]
