"""The contract of the port `ProcessorListing`, on everything that claims to be one."""

from datetime import UTC, datetime, timedelta

import pytest
from payment_examples import INSTALLATION
from processor_steps import (
    a_confirmed_payment,
    a_held_payment,
    a_payment,
    a_refund_of,
    an_attempt,
    evidence,
    status_of,
)
from processor_targets import Target

from payment.domain.evidence import IntentStatus, Page, ProcessorRefund
from payment.processors.stripe.adapter import StripeProcessor
from payment.reconciliation.comparison import ListedIntent, ListedRefund
from payment.reconciliation.ports import ProcessorListing
from payment.reconciliation.stripe import StripeListing
from verification.processor import SimulatedProcessor

MINUTE = timedelta(minutes=1)


def listing_of(target: Target) -> ProcessorListing:
    """The listing of the same account."""
    if isinstance(target.processor, StripeProcessor):
        return StripeListing(target.processor)
    assert isinstance(target.processor, SimulatedProcessor)
    return target.processor


async def intents(target: Target, since: datetime, until: datetime) -> dict[str, ListedIntent]:
    found: dict[str, ListedIntent] = {}
    after, has_more = "", True
    while has_more:
        page = await listing_of(target).intents(since, until, after)
        assert isinstance(page, Page)
        found |= {each.id: each for each in page.items}
        after, has_more = page.items[-1].id if page.items else "", page.has_more
    return found


async def refunds(target: Target, since: datetime, until: datetime) -> dict[str, ListedRefund]:
    page = await listing_of(target).refunds_made(since, until, "")
    assert isinstance(page, Page)
    return {each.id: each for each in page.items}


def now() -> datetime:
    return datetime.now(UTC)


async def test_an_intent_is_listed_with_what_its_payment_is_known_by(target: Target) -> None:
    payment = await a_confirmed_payment(target)

    listed = (await intents(target, now() - MINUTE, now() + MINUTE))[payment.intent_id]

    assert listed.intent is not None
    assert listed.intent.payment_id == payment.id
    assert listed.installation == INSTALLATION
    assert listed.request_id == str(payment.request.request_id)
    assert listed.amount_refunded == 0
    assert abs(listed.create_time - now()) < MINUTE


async def test_a_list_says_of_an_intent_what_asking_for_it_says(target: Target) -> None:
    payments = [await a_confirmed_payment(target), await a_payment(target)]

    listed = await intents(target, now() - MINUTE, now() + MINUTE)

    for payment in payments:
        asked = evidence(await target.processor.retrieve(payment.intent_id))
        assert listed[payment.intent_id].intent == asked


async def test_a_hold_is_listed_with_its_end(target: Target) -> None:
    payment = await a_held_payment(target)

    listed = (await intents(target, now() - MINUTE, now() + MINUTE))[payment.intent_id]

    assert listed.intent
    assert listed.intent.capture_before


async def test_what_was_given_back_is_listed_with_its_charge_and_apart(target: Target) -> None:
    payment = await a_confirmed_payment(target)
    refund = a_refund_of(payment, 700)
    word = await target.processor.refund(refund)
    assert isinstance(word, ProcessorRefund)

    listed = (await intents(target, now() - MINUTE, now() + MINUTE))[payment.intent_id]
    apart = (await refunds(target, now() - MINUTE, now() + MINUTE))[word.id]

    assert listed.amount_refunded == 700
    assert (apart.intent_id, apart.currency_code) == (payment.intent_id, "EUR")
    assert apart.refund == word


async def test_a_list_ends_where_its_time_ends(target: Target) -> None:
    payment = await a_confirmed_payment(target)
    word = await target.processor.refund(a_refund_of(payment, 700))
    assert isinstance(word, ProcessorRefund)
    listed = (await intents(target, now() - MINUTE, now() + MINUTE))[payment.intent_id]
    build_payment = listed.create_time

    second = timedelta(seconds=1)
    assert payment.intent_id in await intents(target, build_payment, build_payment + second)
    assert payment.intent_id not in await intents(target, build_payment - MINUTE, build_payment)
    assert payment.intent_id not in await intents(
        target, build_payment + second, build_payment + MINUTE
    )
    assert word.id not in await refunds(target, build_payment - MINUTE, build_payment)


async def test_a_long_list_comes_in_pages(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("payment.processors.stripe.adapter.PAGE_SIZE", 2)
    monkeypatch.setattr("verification.processor.PAGE", 2)
    payments = [await a_payment(target) for _ in range(5)]

    listed = await intents(target, now() - MINUTE, now() + MINUTE)

    assert {each.intent_id for each in payments} <= listed.keys()


async def test_an_orphan_is_discarded_once_and_for_all(target: Target) -> None:
    payment = await a_payment(target)

    reply = evidence(await listing_of(target).discard(payment.intent_id))

    assert reply.status is IntentStatus.CANCELED
    assert await status_of(target, payment) is IntentStatus.CANCELED


async def test_what_was_charged_is_not_discarded(target: Target) -> None:
    payment = await a_confirmed_payment(target)

    await listing_of(target).discard(payment.intent_id)

    assert await status_of(target, payment) is IntentStatus.SUCCEEDED


async def test_attempts_that_became_no_payment_are_listed_too(target: Target) -> None:
    attempt = await an_attempt(target)
    intent = evidence(await target.processor.create(attempt))

    listed = (await intents(target, now() - MINUTE, now() + MINUTE))[intent.id]

    assert listed.intent
    assert listed.intent.status is IntentStatus.REQUIRES_CONFIRMATION
