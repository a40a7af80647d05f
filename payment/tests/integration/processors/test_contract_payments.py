"""The contract of the port `Processor`, on everything that claims to be one: payments.

`processor_targets` names them, with the one table of what first cannot do. What is left to first:
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
    a_payment,
    an_attempt,
    an_authorized_payment,
    capture,
    intent_in,
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


async def test_a_new_intent_is_unconfirmed_and_has_our_ids(target: Target) -> None:
    attempt = await an_attempt(target)

    intent = intent_in(await target.processor.create(attempt))

    assert intent.status is IntentStatus.REQUIRES_CONFIRMATION
    assert (intent.amount, intent.amount_received) == (EUR_20, 0)
    assert (intent.payment_id, intent.installation) == (attempt.id, INSTALLATION)
    assert await target.processor.retrieve(intent.id) == intent


async def test_two_attempts_get_two_intents(target: Target) -> None:
    first, other = await a_payment(target), await a_payment(target)

    assert first.intent_id != other.intent_id


async def test_a_creation_sent_again_gets_the_same_intent(target: Target) -> None:
    attempt = await an_attempt(target)

    first = await target.processor.create(attempt)
    again = await target.processor.create(attempt)

    assert intent_in(first) == again


async def test_a_creation_under_a_used_key_with_other_content_is_a_conflict(target: Target) -> None:
    attempt = await an_attempt(target)
    await target.processor.create(attempt)

    other_content = replace(attempt, request=replace(attempt.request, amount=Money(2001, "EUR")))

    assert await target.processor.create(other_content) == IdempotencyKeyConflict()


async def test_an_unknown_payment_method_is_refused_by_its_part(target: Target) -> None:
    unknown = await an_attempt(target, payment_method=PaymentMethod("pm_nobody_has_this"))

    reply = await target.processor.create(unknown)

    assert isinstance(reply, Rejection)
    assert (reply.code, reply.part) == ("resource_missing", RequestPart.PAYMENT_METHOD)


async def test_a_currency_that_stripe_does_not_support_is_refused_by_its_part(
    target: Target,
) -> None:
    reply = await target.processor.create(await an_attempt(target, amount=Money(2000, "XTS")))

    assert isinstance(reply, Rejection)
    assert reply.part is RequestPart.CURRENCY


async def test_an_amount_above_stripes_maximum_is_refused_by_its_part(target: Target) -> None:
    amount = Money(100_000_000, "EUR")

    reply = await target.processor.create(await an_attempt(target, amount=amount))

    assert isinstance(reply, Rejection)
    assert (reply.code, reply.part) == ("amount_too_large", RequestPart.AMOUNT)


async def test_an_amount_that_stripes_units_cannot_express_is_refused_by_its_part(
    target: Target,
) -> None:
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
async def test_an_amount_is_reported_as_it_was_asked_for_in_every_kind_of_currency(
    target: Target, amount: Money
) -> None:
    payment = await a_confirmed_payment(target, amount=amount)

    intent = intent_in(await target.processor.retrieve(payment.intent_id))

    assert target.processor.supports_amount(amount)
    assert intent.status is IntentStatus.SUCCEEDED
    assert (intent.amount, intent.amount_received) == (amount, amount.minor_units)


# ---------------------------------------------------------------- confirm


async def test_the_confirmation_of_a_good_card_charges_it(target: Target) -> None:
    payment = await a_payment(target)

    intent = intent_in(await target.processor.post(payment, CONFIRM))

    assert (intent.id, intent.payment_id) == (payment.intent_id, payment.id)
    assert intent.status is IntentStatus.SUCCEEDED
    assert intent.amount_received == EUR_20.minor_units


async def test_a_confirmation_sent_again_gets_the_same_reply(target: Target) -> None:
    payment = await a_payment(target)

    first = await target.processor.post(payment, CONFIRM)
    again = await target.processor.post(payment, CONFIRM)

    assert intent_in(first) == again


async def test_a_confirmation_of_a_charged_intent_under_a_new_key_is_refused(
    target: Target,
) -> None:
    payment = await a_confirmed_payment(target)

    assert isinstance(await target.processor.post(payment, Post(Operation.CONFIRM, 1)), Rejection)


async def test_a_declined_confirmation_is_answered_with_the_intent(target: Target) -> None:
    payment = await a_payment(target, "declined")

    intent = intent_in(await target.processor.post(payment, CONFIRM))

    assert intent.status is IntentStatus.REQUIRES_PAYMENT_METHOD
    assert intent.failure
    assert intent.failure.code == "card_declined"


async def test_a_declined_intent_is_retrieved_with_its_failure(target: Target) -> None:
    payment = await a_confirmed_payment(target, "declined")

    intent = intent_in(await target.processor.retrieve(payment.intent_id))

    assert intent.status is IntentStatus.REQUIRES_PAYMENT_METHOD
    assert (intent.amount, intent.amount_received) == (EUR_20, 0)
    assert intent.failure
    assert intent.failure.code == "card_declined"
    assert intent.failure.message


async def test_a_declined_intent_has_the_issuers_decline_code(target: Target) -> None:
    payment = await a_confirmed_payment(target, "without_funds")

    intent = intent_in(await target.processor.retrieve(payment.intent_id))

    assert intent.failure
    assert intent.failure.decline_code == "insufficient_funds"


async def test_3d_secure_with_a_return_url_gives_the_address_where_the_customer_acts(
    target: Target,
) -> None:
    url = ReturnUrl("https://shop.example/back?cart=1")
    payment = await a_payment(target, "authenticated", return_url=url)

    intent = intent_in(await target.processor.post(payment, CONFIRM))

    assert intent.status is IntentStatus.REQUIRES_ACTION
    assert intent.redirect_url.startswith("http")


async def test_3d_secure_without_a_return_url_gives_no_address(target: Target) -> None:
    payment = await a_payment(target, "authenticated")

    intent = intent_in(await target.processor.post(payment, CONFIRM))

    assert intent.status is IntentStatus.REQUIRES_ACTION
    assert intent.redirect_url == ""


async def test_an_approved_3d_secure_makes_the_intent_succeed(target: Target) -> None:
    payment = await a_confirmed_payment(target, "authenticated")

    await target.authenticate(payment.intent_id, approved=True)

    assert await status_of(target, payment) is IntentStatus.SUCCEEDED


async def test_a_declined_3d_secure_needs_another_payment_method(target: Target) -> None:
    payment = await a_confirmed_payment(target, "authenticated")

    await target.authenticate(payment.intent_id, approved=False)

    intent = intent_in(await target.processor.retrieve(payment.intent_id))
    assert intent.status is IntentStatus.REQUIRES_PAYMENT_METHOD
    assert intent.failure
    assert intent.failure.code == "payment_intent_authentication_failure"


# ---------------------------------------------------------------- capture


async def test_a_confirmation_with_manual_capture_authorizes_only(target: Target) -> None:
    payment = await a_payment(target, capture_method=CaptureMethod.MANUAL)

    intent = intent_in(await target.processor.post(payment, CONFIRM))

    assert intent.status is IntentStatus.REQUIRES_CAPTURE
    assert intent.amount_received == 0


async def test_an_authorization_has_the_time_of_its_end(target: Target) -> None:
    payment = await a_payment(target, capture_method=CaptureMethod.MANUAL)

    confirmed = intent_in(await target.processor.post(payment, CONFIRM))
    retrieved = intent_in(await target.processor.retrieve(payment.intent_id))

    assert retrieved.capture_before
    lasts = retrieved.capture_before - datetime.now(UTC)
    assert timedelta(days=2) < lasts < timedelta(days=31)
    assert confirmed.capture_before == retrieved.capture_before


async def test_a_capture_of_the_whole_amount_receives_it(target: Target) -> None:
    payment = await an_authorized_payment(target)

    intent = intent_in(await target.processor.post(payment, capture(2000)))

    assert intent.status is IntentStatus.SUCCEEDED
    assert intent.amount_received == 2000


async def test_a_capture_of_a_part_receives_that_part(target: Target) -> None:
    payment = await an_authorized_payment(target)

    intent = intent_in(await target.processor.post(payment, capture(700)))

    assert intent.status is IntentStatus.SUCCEEDED
    assert (intent.amount, intent.amount_received) == (EUR_20, 700)


async def test_a_capture_of_more_than_was_authorized_is_refused_and_changes_nothing(
    target: Target,
) -> None:
    payment = await an_authorized_payment(target)

    reply = await target.processor.post(payment, capture(2001))

    assert isinstance(reply, Rejection)
    assert await status_of(target, payment) is IntentStatus.REQUIRES_CAPTURE


async def test_a_capture_of_an_amount_that_stripes_units_cannot_express_is_refused(
    target: Target,
) -> None:
    kwd = Money(5120, "KWD")
    payment = await a_confirmed_payment(target, amount=kwd, capture_method=CaptureMethod.MANUAL)

    assert isinstance(await target.processor.post(payment, capture(5119)), Rejection)


async def test_a_capture_of_a_canceled_authorization_is_refused(target: Target) -> None:
    payment = await an_authorized_payment(target)
    await target.processor.post(payment, CANCEL)

    reply = await target.processor.post(payment, capture(2000))

    assert isinstance(reply, Rejection)
    assert await status_of(target, payment) is IntentStatus.CANCELED


# ---------------------------------------------------------------- cancel


async def test_an_unconfirmed_intent_is_canceled(target: Target) -> None:
    payment = await a_payment(target)

    intent = intent_in(await target.processor.post(payment, CANCEL))

    assert intent.status is IntentStatus.CANCELED
    assert await status_of(target, payment) is IntentStatus.CANCELED


async def test_a_declined_intent_is_canceled_without_money(target: Target) -> None:
    payment = await a_confirmed_payment(target, "declined")

    intent = intent_in(await target.processor.post(payment, CANCEL))

    assert intent.status is IntentStatus.CANCELED
    assert intent.amount_received == 0


async def test_an_authorization_is_canceled(target: Target) -> None:
    payment = await an_authorized_payment(target)

    intent = intent_in(await target.processor.post(payment, CANCEL))

    assert intent.status is IntentStatus.CANCELED


async def test_an_intent_that_requires_3d_secure_is_canceled(target: Target) -> None:
    payment = await a_confirmed_payment(target, "authenticated")

    intent = intent_in(await target.processor.post(payment, CANCEL))

    assert intent.status is IntentStatus.CANCELED


async def test_the_cancellation_of_a_charged_intent_is_refused(target: Target) -> None:
    payment = await a_confirmed_payment(target)

    assert isinstance(await target.processor.post(payment, CANCEL), Rejection)
    assert await status_of(target, payment) is IntentStatus.SUCCEEDED


async def test_the_confirmation_of_a_canceled_intent_is_refused(target: Target) -> None:
    payment = await a_payment(target)
    await target.processor.post(payment, CANCEL)

    assert isinstance(await target.processor.post(payment, CONFIRM), Rejection)
    assert await status_of(target, payment) is IntentStatus.CANCELED


# ---------------------------------------------------------------- what is not known


async def test_an_unknown_intent_is_not_found(target: Target) -> None:
    assert await target.processor.retrieve("pi_nobodyhasthis") == NotFound()


@pytest.mark.parametrize(
    "post", [CONFIRM, capture(2000), CANCEL], ids=lambda post: post.operation.value
)
async def test_a_call_about_an_unknown_intent_has_an_unknown_outcome(
    target: Target, post: Post
) -> None:
    payment = replace(await a_payment(target), intent_id="pi_nobodyhasthis")

    assert isinstance(await target.processor.post(payment, post), OutcomeUnknown)
