"""The contract of the port `Processor`, on everything that claims to be one: payments.

`processor_targets` names them, with the one table of what each cannot do. What is left to each:
evidence is an Intent, a definite no is Rejection, everything else is OutcomeUnknown, and nothing is raised.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from support.examples import INSTALLATION
from support.processor_examples import (
    CANCEL,
    CONFIRM,
    EUR_20,
    a_confirmed_payment,
    a_held_payment,
    a_payment,
    an_attempt,
    capture,
    evidence,
    status_of,
)
from support.processors import Target

from payment.domain.evidence import (
    IdempotencyKeyConflict,
    IntentStatus,
    NotFound,
    OutcomeUnknown,
    Rejection,
)
from payment.domain.machine import Operation, Post
from payment.domain.payment import CaptureMethod
from payment.domain.values import Money, PaymentMethod, RequestPart, ReturnUrl

# ---------------------------------------------------------------- create


async def test_an_intent_is_created_unconfirmed_and_carries_what_is_ours(target: Target) -> None:
    attempt = await an_attempt(target)

    intent = evidence(await target.processor.create(attempt))

    assert intent.status is IntentStatus.REQUIRES_CONFIRMATION
    assert (intent.amount, intent.amount_received) == (EUR_20, 0)
    assert (intent.payment_id, intent.installation) == (attempt.id, INSTALLATION)
    assert await target.processor.retrieve(intent.id) == intent


async def test_two_attempts_get_two_intents(target: Target) -> None:
    one, other = await a_payment(target), await a_payment(target)

    assert one.intent_id != other.intent_id


async def test_the_same_attempt_again_gets_the_same_intent(target: Target) -> None:
    attempt = await an_attempt(target)

    first = await target.processor.create(attempt)
    again = await target.processor.create(attempt)

    assert evidence(first) == again


async def test_the_same_key_with_another_content_is_misused(target: Target) -> None:
    attempt = await an_attempt(target)
    await target.processor.create(attempt)

    dearer = replace(attempt, request=replace(attempt.request, amount=Money(2001, "EUR")))

    assert await target.processor.create(dearer) == IdempotencyKeyConflict()


async def test_a_token_that_is_not_known_is_refused_by_name(target: Target) -> None:
    unknown = await an_attempt(target, payment_method=PaymentMethod("pm_nobody_has_this"))

    reply = await target.processor.create(unknown)

    assert isinstance(reply, Rejection)
    assert (reply.code, reply.part) == ("resource_missing", RequestPart.PAYMENT_METHOD)


async def test_a_currency_that_stripe_does_not_take_is_refused_by_name(target: Target) -> None:
    reply = await target.processor.create(await an_attempt(target, amount=Money(2000, "XTS")))

    assert isinstance(reply, Rejection)
    assert reply.part is RequestPart.CURRENCY


async def test_an_amount_above_stripes_largest_is_refused_by_name(target: Target) -> None:
    amount = Money(100_000_000, "EUR")

    reply = await target.processor.create(await an_attempt(target, amount=amount))

    assert isinstance(reply, Rejection)
    assert (reply.code, reply.part) == ("amount_too_large", RequestPart.AMOUNT)


async def test_an_amount_that_stripe_cannot_say_is_refused_by_name(target: Target) -> None:
    amount = Money(5001, "KWD")

    reply = await target.processor.create(await an_attempt(target, amount=amount))

    assert isinstance(reply, Rejection)
    assert reply.part is RequestPart.AMOUNT
    assert not target.processor.supports_amount(amount)


@pytest.mark.parametrize(
    "amount",
    [
        Money(5000, "JPY"),
        Money(5000, "ISK"),
        Money(50_000, "UGX"),
        Money(5_000_000, "MGA"),
        Money(5120, "KWD"),
    ],
    ids=str,
)
async def test_an_amount_comes_back_as_it_was_asked_in_every_kind_of_currency(
    target: Target, amount: Money
) -> None:
    payment = await a_confirmed_payment(target, amount=amount)

    intent = evidence(await target.processor.retrieve(payment.intent_id))

    assert target.processor.supports_amount(amount)
    assert intent.status is IntentStatus.SUCCEEDED
    assert (intent.amount, intent.amount_received) == (amount, amount.minor_units)


# ---------------------------------------------------------------- confirm


async def test_a_good_card_is_charged(target: Target) -> None:
    payment = await a_payment(target)

    intent = evidence(await target.processor.post(payment, CONFIRM))

    assert (intent.id, intent.payment_id) == (payment.intent_id, payment.id)
    assert intent.status is IntentStatus.SUCCEEDED
    assert intent.amount_received == EUR_20.minor_units


async def test_a_confirm_sent_again_gets_the_same_answer(target: Target) -> None:
    payment = await a_payment(target)

    first = await target.processor.post(payment, CONFIRM)
    again = await target.processor.post(payment, CONFIRM)

    assert evidence(first) == again


async def test_a_second_confirm_is_refused(target: Target) -> None:
    payment = await a_confirmed_payment(target)

    assert isinstance(await target.processor.post(payment, Post(Operation.CONFIRM, 1)), Rejection)


async def test_a_decline_is_evidence_in_the_reply_to_confirm(target: Target) -> None:
    payment = await a_payment(target, "declined")

    intent = evidence(await target.processor.post(payment, CONFIRM))

    assert intent.status is IntentStatus.REQUIRES_PAYMENT_METHOD
    assert intent.failure
    assert intent.failure.code == "card_declined"


async def test_a_decline_is_told_when_the_intent_is_asked_for(target: Target) -> None:
    payment = await a_confirmed_payment(target, "declined")

    intent = evidence(await target.processor.retrieve(payment.intent_id))

    assert intent.status is IntentStatus.REQUIRES_PAYMENT_METHOD
    assert (intent.amount, intent.amount_received) == (EUR_20, 0)
    assert intent.failure
    assert intent.failure.code == "card_declined"
    assert intent.failure.message


async def test_a_decline_tells_the_issuers_own_code(target: Target) -> None:
    payment = await a_confirmed_payment(target, "without_funds")

    intent = evidence(await target.processor.retrieve(payment.intent_id))

    assert intent.failure
    assert intent.failure.decline_code == "insufficient_funds"


async def test_3d_secure_with_a_return_url_gives_an_address(target: Target) -> None:
    url = ReturnUrl("https://shop.example/back?cart=1")
    payment = await a_payment(target, "authenticated", return_url=url)

    intent = evidence(await target.processor.post(payment, CONFIRM))

    assert intent.status is IntentStatus.REQUIRES_ACTION
    assert intent.redirect_url.startswith("http")


async def test_3d_secure_without_a_return_url_gives_none(target: Target) -> None:
    payment = await a_payment(target, "authenticated")

    intent = evidence(await target.processor.post(payment, CONFIRM))

    assert intent.status is IntentStatus.REQUIRES_ACTION
    assert intent.redirect_url == ""


async def test_after_3d_secure_the_payment_succeeds(target: Target) -> None:
    payment = await a_confirmed_payment(target, "authenticated")

    await target.authenticate(payment.intent_id, approved=True)

    assert await status_of(target, payment) is IntentStatus.SUCCEEDED


async def test_a_refused_3d_secure_is_no_success(target: Target) -> None:
    payment = await a_confirmed_payment(target, "authenticated")

    await target.authenticate(payment.intent_id, approved=False)

    intent = evidence(await target.processor.retrieve(payment.intent_id))
    assert intent.status is IntentStatus.REQUIRES_PAYMENT_METHOD
    assert intent.failure
    assert intent.failure.code == "payment_intent_authentication_failure"


# ---------------------------------------------------------------- capture


async def test_with_manual_capture_the_money_is_only_held(target: Target) -> None:
    payment = await a_payment(target, capture_method=CaptureMethod.MANUAL)

    intent = evidence(await target.processor.post(payment, CONFIRM))

    assert intent.status is IntentStatus.REQUIRES_CAPTURE
    assert intent.amount_received == 0


async def test_a_hold_says_until_when_it_lasts(target: Target) -> None:
    payment = await a_payment(target, capture_method=CaptureMethod.MANUAL)

    confirmed = evidence(await target.processor.post(payment, CONFIRM))
    asked = evidence(await target.processor.retrieve(payment.intent_id))

    assert asked.capture_before
    lasts = asked.capture_before - datetime.now(UTC)
    assert timedelta(days=2) < lasts < timedelta(days=31)
    assert confirmed.capture_before == asked.capture_before


async def test_capturing_all_takes_all(target: Target) -> None:
    payment = await a_held_payment(target)

    intent = evidence(await target.processor.post(payment, capture(2000)))

    assert intent.status is IntentStatus.SUCCEEDED
    assert intent.amount_received == 2000


async def test_capturing_a_part_takes_that_part(target: Target) -> None:
    payment = await a_held_payment(target)

    intent = evidence(await target.processor.post(payment, capture(700)))

    assert intent.status is IntentStatus.SUCCEEDED
    assert (intent.amount, intent.amount_received) == (EUR_20, 700)


async def test_capturing_more_than_is_held_is_refused_and_changes_nothing(target: Target) -> None:
    payment = await a_held_payment(target)

    reply = await target.processor.post(payment, capture(2001))

    assert isinstance(reply, Rejection)
    assert await status_of(target, payment) is IntentStatus.REQUIRES_CAPTURE


async def test_capturing_an_amount_that_stripe_cannot_say_is_refused(target: Target) -> None:
    kwd = Money(5120, "KWD")
    payment = await a_confirmed_payment(target, amount=kwd, capture_method=CaptureMethod.MANUAL)

    assert isinstance(await target.processor.post(payment, capture(5119)), Rejection)


async def test_a_canceled_hold_cannot_be_captured(target: Target) -> None:
    payment = await a_held_payment(target)
    await target.processor.post(payment, CANCEL)

    reply = await target.processor.post(payment, capture(2000))

    assert isinstance(reply, Rejection)
    assert await status_of(target, payment) is IntentStatus.CANCELED


# ---------------------------------------------------------------- cancel


async def test_an_unconfirmed_intent_is_canceled(target: Target) -> None:
    payment = await a_payment(target)

    intent = evidence(await target.processor.post(payment, CANCEL))

    assert intent.status is IntentStatus.CANCELED
    assert await status_of(target, payment) is IntentStatus.CANCELED


async def test_a_declined_intent_is_canceled_and_still_says_why(target: Target) -> None:
    payment = await a_confirmed_payment(target, "declined")

    intent = evidence(await target.processor.post(payment, CANCEL))

    assert intent.status is IntentStatus.CANCELED
    assert intent.amount_received == 0


async def test_a_hold_is_released(target: Target) -> None:
    payment = await a_held_payment(target)

    intent = evidence(await target.processor.post(payment, CANCEL))

    assert intent.status is IntentStatus.CANCELED


async def test_3d_secure_that_is_under_way_is_canceled(target: Target) -> None:
    payment = await a_confirmed_payment(target, "authenticated")

    intent = evidence(await target.processor.post(payment, CANCEL))

    assert intent.status is IntentStatus.CANCELED


async def test_a_charged_intent_cannot_be_canceled(target: Target) -> None:
    payment = await a_confirmed_payment(target)

    assert isinstance(await target.processor.post(payment, CANCEL), Rejection)
    assert await status_of(target, payment) is IntentStatus.SUCCEEDED


async def test_a_canceled_intent_cannot_be_confirmed(target: Target) -> None:
    payment = await a_payment(target)
    await target.processor.post(payment, CANCEL)

    assert isinstance(await target.processor.post(payment, CONFIRM), Rejection)
    assert await status_of(target, payment) is IntentStatus.CANCELED


# ---------------------------------------------------------------- what is not known


async def test_retrieving_an_intent_that_does_not_exist_says_not_found(target: Target) -> None:
    assert await target.processor.retrieve("pi_nobodyhasthis") == NotFound()


@pytest.mark.parametrize("post", [CONFIRM, capture(2000), CANCEL], ids=lambda one: one.operation)
async def test_a_call_on_an_intent_that_is_not_known_proves_nothing(
    target: Target, post: Post
) -> None:
    payment = replace(await a_payment(target), intent_id="pi_nobodyhasthis")

    assert isinstance(await target.processor.post(payment, post), OutcomeUnknown)
