"""The contract of the port `ProcessorListing`, for everything that implements it."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest
from support.examples import INSTALLATION
from support.processor_examples import (
    a_confirmed_payment,
    a_payment,
    a_refund_of,
    an_attempt,
    an_authorized_payment,
    intent_in,
    status_of,
)
from support.processors import Target

from payment.domain.evidence import IntentStatus, OutcomeUnknown, Page, ProcessorRefund
from payment.domain.payment import Payment
from payment.processors.stripe.adapter import StripeProcessor
from payment.reconciliation.comparison import ListedIntent, ListedRefund
from payment.reconciliation.ports import ProcessorListing
from payment.reconciliation.stripe import StripeListing
from verification.processor import SimulatedProcessor

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
START = datetime.now(UTC) - MINUTE
"""Before all of these tests, also by a processor's clock that is a little behind."""

Listed = TypeVar("Listed", ListedIntent, ListedRefund)
ListPage = Callable[[datetime, datetime, str], Awaitable[Page[Listed] | OutcomeUnknown]]


def listing_of(target: Target) -> ProcessorListing:
    """The listing of the target's account."""
    if isinstance(target.processor, StripeProcessor):
        return StripeListing(target.processor)
    assert isinstance(target.processor, SimulatedProcessor)
    return target.processor


async def all_pages(
    list_page: ListPage[Listed], since: datetime, until: datetime | None
) -> dict[str, Listed]:
    until = until or datetime.now(UTC) + MINUTE
    found: dict[str, Listed] = {}
    after, has_more = "", True
    while has_more:
        page = await list_page(since, until, after)
        assert isinstance(page, Page)
        found |= {each.id: each for each in page.items}
        after, has_more = page.items[-1].id if page.items else "", page.has_more
    return found


async def list_intents(
    target: Target, since: datetime = START, until: datetime | None = None
) -> dict[str, ListedIntent]:
    return await all_pages(listing_of(target).intents, since, until)


async def list_refunds(
    target: Target, since: datetime = START, until: datetime | None = None
) -> dict[str, ListedRefund]:
    return await all_pages(listing_of(target).refunds_made, since, until)


async def refund(target: Target, payment: Payment, amount: int) -> ProcessorRefund:
    reply = await target.processor.refund(a_refund_of(payment, amount))
    assert isinstance(reply, ProcessorRefund)
    return reply


async def test_a_listed_intent_names_its_payment_installation_and_request(target: Target) -> None:
    payment = await a_confirmed_payment(target)

    listed = (await list_intents(target))[payment.intent_id]

    assert listed.intent is not None
    assert listed.intent.payment_id == payment.id
    assert listed.installation == INSTALLATION
    assert listed.request_id == str(payment.request.request_id)
    assert listed.amount_refunded == 0
    assert START <= listed.create_time <= datetime.now(UTC) + MINUTE


async def test_a_listed_intent_is_the_same_as_a_retrieved_one(target: Target) -> None:
    payments = [await a_confirmed_payment(target), await a_payment(target)]

    listed = await list_intents(target)

    for payment in payments:
        retrieved = intent_in(await target.processor.retrieve(payment.intent_id))
        assert listed[payment.intent_id].intent == retrieved


async def test_a_listed_authorization_has_its_end(target: Target) -> None:
    payment = await an_authorized_payment(target)

    listed = (await list_intents(target))[payment.intent_id]

    assert listed.intent
    assert listed.intent.capture_before


async def test_an_intent_without_a_payment_is_listed(target: Target) -> None:
    attempt = await an_attempt(target)
    intent = intent_in(await target.processor.create(attempt))

    listed = (await list_intents(target))[intent.id]

    assert listed.intent
    assert listed.intent.status is IntentStatus.REQUIRES_CONFIRMATION


async def test_a_refund_is_listed_with_its_intent_and_for_itself(target: Target) -> None:
    payment = await a_confirmed_payment(target)
    refunded = await refund(target, payment, 700)

    listed_intent = (await list_intents(target))[payment.intent_id]
    listed_refund = (await list_refunds(target))[refunded.id]

    assert listed_intent.amount_refunded == 700
    assert listed_refund.intent_id == payment.intent_id
    assert listed_refund.currency_code == "EUR"
    assert listed_refund.refund == refunded


async def test_only_what_was_created_in_the_time_is_listed(target: Target) -> None:
    payment = await a_confirmed_payment(target)
    refunded = await refund(target, payment, 700)
    intent_id = payment.intent_id
    created = (await list_intents(target))[intent_id].create_time

    assert intent_id in await list_intents(target, created, created + SECOND)
    assert intent_id not in await list_intents(target, created - MINUTE, created)
    assert intent_id not in await list_intents(target, created + SECOND, created + MINUTE)
    assert refunded.id not in await list_refunds(target, created - MINUTE, created)


async def test_a_long_listing_comes_in_pages(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("payment.processors.stripe.adapter.PAGE_SIZE", 2)
    monkeypatch.setattr("verification.processor.PAGE", 2)
    payments = [await a_payment(target) for _ in range(5)]

    listed = await list_intents(target)

    assert {each.intent_id for each in payments} <= listed.keys()


async def test_an_unconfirmed_intent_is_canceled_by_discarding_it(target: Target) -> None:
    payment = await a_payment(target)

    reply = intent_in(await listing_of(target).discard(payment.intent_id))

    assert reply.status is IntentStatus.CANCELED
    assert await status_of(target, payment) is IntentStatus.CANCELED


async def test_a_charged_intent_stays_charged_when_it_is_discarded(target: Target) -> None:
    payment = await a_confirmed_payment(target)

    await listing_of(target).discard(payment.intent_id)

    assert await status_of(target, payment) is IntentStatus.SUCCEEDED
