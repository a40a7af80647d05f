"""The contract of the port `Processor`, on everything that claims to be one.

`processor_targets` names them, with the one table of what each cannot do. What is left to each:
evidence is an Intent, a definite no is Refused, everything else is Unknown, and nothing is raised.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from payment_examples import INSTALLATION, NOW, REQUEST, a_refund
from processor_targets import CANNOT, Target

from chassis.identifiers import uuid7
from chassis.values import RequestId
from payment.domain.birth import Attempt, born
from payment.domain.evidence import (
    Intent,
    IntentStatus,
    KeyMisused,
    ProcessorRefund,
    RefundStatus,
    Refused,
    Reply,
    Unknown,
)
from payment.domain.machine import Operation, Post
from payment.domain.payment import CaptureMethod, Payment
from payment.domain.refund import Refund, RefundReason
from payment.domain.values import Money, PaymentMethod, ReturnUrl

CONFIRM = Post(Operation.CONFIRM, 0)
CANCEL = Post(Operation.CANCEL, 1)
EUR_20 = Money(2000, "EUR")


async def an_attempt(target: Target, card: str = "good", **changes: Any) -> Attempt:
    """EUR 20 with one of the target's cards."""
    request = replace(
        REQUEST,
        request_id=RequestId(str(uuid4())),
        amount=EUR_20,
        payment_method=PaymentMethod(await target.card(card)),
    )
    return Attempt(uuid7(), replace(request, **changes), '"1"', NOW)


async def a_payment(target: Target, card: str = "good", **changes: Any) -> Payment:
    """Bound to an intent that was created for it, and not confirmed."""
    attempt = await an_attempt(target, card, **changes)
    return born(attempt, await target.processor.create(attempt), INSTALLATION)


async def a_confirmed_payment(target: Target, card: str = "good", **changes: Any) -> Payment:
    payment = await a_payment(target, card, **changes)
    await target.processor.post(payment, CONFIRM)
    return payment


async def a_held_payment(target: Target) -> Payment:
    """Confirmed, its money held for a capture."""
    return await a_confirmed_payment(target, capture_method=CaptureMethod.MANUAL)


def a_refund_of(payment: Payment, amount: int, **changes: Any) -> Refund:
    ours = {"id": uuid7(), "payment_id": payment.id, "intent_id": payment.intent_id}
    currency_code = payment.request.amount.currency_code
    return a_refund(**ours, amount=amount, currency_code=currency_code, **changes)


def capture(minor_units: int) -> Post:
    return Post(Operation.CAPTURE, 1, minor_units)


def evidence(reply: Reply) -> Intent:
    assert isinstance(reply, Intent)
    return reply


async def status_of(target: Target, payment: Payment) -> IntentStatus:
    return evidence(await target.processor.retrieve(payment.intent_id)).status


class TestCreate:
    async def test_an_intent_is_created_unconfirmed_and_carries_what_is_ours(
        self, target: Target
    ) -> None:
        attempt = await an_attempt(target)

        intent = evidence(await target.processor.create(attempt))

        assert intent.status is IntentStatus.REQUIRES_CONFIRMATION
        assert (intent.amount, intent.amount_received) == (EUR_20, 0)
        assert (intent.payment_id, intent.installation) == (attempt.id, INSTALLATION)
        assert await target.processor.retrieve(intent.id) == intent

    async def test_two_attempts_get_two_intents(self, target: Target) -> None:
        one, other = await a_payment(target), await a_payment(target)

        assert one.intent_id != other.intent_id

    async def test_the_same_attempt_again_gets_the_same_intent(self, target: Target) -> None:
        attempt = await an_attempt(target)

        first = await target.processor.create(attempt)
        again = await target.processor.create(attempt)

        assert evidence(first) == again

    async def test_the_same_key_with_another_content_is_misused(self, target: Target) -> None:
        attempt = await an_attempt(target)
        await target.processor.create(attempt)

        dearer = replace(attempt, request=replace(attempt.request, amount=Money(2001, "EUR")))

        assert await target.processor.create(dearer) == KeyMisused()

    async def test_a_token_that_is_not_known_is_refused_by_name(self, target: Target) -> None:
        unknown = await an_attempt(target, payment_method=PaymentMethod("pm_nobody_has_this"))

        reply = await target.processor.create(unknown)

        assert isinstance(reply, Refused)
        assert (reply.code, reply.field) == ("resource_missing", "payment_method")

    async def test_a_currency_that_stripe_does_not_take_is_refused_by_name(
        self, target: Target
    ) -> None:
        reply = await target.processor.create(await an_attempt(target, amount=Money(2000, "XTS")))

        assert isinstance(reply, Refused)
        assert reply.field == "currency"

    async def test_an_amount_above_stripes_largest_is_refused_by_name(self, target: Target) -> None:
        amount = Money(100_000_000, "EUR")

        reply = await target.processor.create(await an_attempt(target, amount=amount))

        assert isinstance(reply, Refused)
        assert (reply.code, reply.field) == ("amount_too_large", "amount")

    async def test_an_amount_that_stripe_cannot_say_is_refused_by_name(
        self, target: Target
    ) -> None:
        amount = Money(5001, "KWD")

        reply = await target.processor.create(await an_attempt(target, amount=amount))

        assert isinstance(reply, Refused)
        assert reply.field == "amount"
        assert not target.processor.can_say(amount)

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
        self, target: Target, amount: Money
    ) -> None:
        payment = await a_confirmed_payment(target, amount=amount)

        intent = evidence(await target.processor.retrieve(payment.intent_id))

        assert target.processor.can_say(amount)
        assert intent.status is IntentStatus.SUCCEEDED
        assert (intent.amount, intent.amount_received) == (amount, amount.minor_units)


class TestConfirm:
    async def test_a_good_card_is_charged(self, target: Target) -> None:
        payment = await a_payment(target)

        intent = evidence(await target.processor.post(payment, CONFIRM))

        assert (intent.id, intent.payment_id) == (payment.intent_id, payment.id)
        assert intent.status is IntentStatus.SUCCEEDED
        assert intent.amount_received == EUR_20.minor_units

    async def test_a_confirm_sent_again_gets_the_same_answer(self, target: Target) -> None:
        payment = await a_payment(target)

        first = await target.processor.post(payment, CONFIRM)
        again = await target.processor.post(payment, CONFIRM)

        assert evidence(first) == again

    async def test_a_second_confirm_is_refused(self, target: Target) -> None:
        payment = await a_confirmed_payment(target)

        assert isinstance(await target.processor.post(payment, Post(Operation.CONFIRM, 1)), Refused)

    async def test_a_decline_is_evidence_in_the_reply_to_confirm(self, target: Target) -> None:
        payment = await a_payment(target, "declined")

        intent = evidence(await target.processor.post(payment, CONFIRM))

        assert intent.status is IntentStatus.REQUIRES_PAYMENT_METHOD
        assert intent.failure
        assert intent.failure.code == "card_declined"

    async def test_a_decline_is_told_when_the_intent_is_asked_for(self, target: Target) -> None:
        payment = await a_confirmed_payment(target, "declined")

        intent = evidence(await target.processor.retrieve(payment.intent_id))

        assert intent.status is IntentStatus.REQUIRES_PAYMENT_METHOD
        assert (intent.amount, intent.amount_received) == (EUR_20, 0)
        assert intent.failure
        assert intent.failure.code == "card_declined"
        assert intent.failure.message

    async def test_a_decline_tells_the_issuers_own_code(self, target: Target) -> None:
        payment = await a_confirmed_payment(target, "without_funds")

        intent = evidence(await target.processor.retrieve(payment.intent_id))

        assert intent.failure
        assert intent.failure.decline_code == "insufficient_funds"

    async def test_3d_secure_with_a_return_url_gives_an_address(self, target: Target) -> None:
        url = ReturnUrl("https://shop.example/back?cart=1")
        payment = await a_payment(target, "authenticated", return_url=url)

        intent = evidence(await target.processor.post(payment, CONFIRM))

        assert intent.status is IntentStatus.REQUIRES_ACTION
        assert intent.redirect_url.startswith("http")

    async def test_3d_secure_without_a_return_url_gives_none(self, target: Target) -> None:
        payment = await a_payment(target, "authenticated")

        intent = evidence(await target.processor.post(payment, CONFIRM))

        assert intent.status is IntentStatus.REQUIRES_ACTION
        assert intent.redirect_url == ""

    async def test_after_3d_secure_the_payment_succeeds(self, target: Target) -> None:
        payment = await a_confirmed_payment(target, "authenticated")

        await target.authenticate(payment.intent_id, approved=True)

        assert await status_of(target, payment) is IntentStatus.SUCCEEDED

    async def test_a_refused_3d_secure_is_no_success(self, target: Target) -> None:
        payment = await a_confirmed_payment(target, "authenticated")

        await target.authenticate(payment.intent_id, approved=False)

        intent = evidence(await target.processor.retrieve(payment.intent_id))
        assert intent.status is IntentStatus.REQUIRES_PAYMENT_METHOD
        assert intent.failure
        assert intent.failure.code == "payment_intent_authentication_failure"


class TestCapture:
    async def test_with_manual_capture_the_money_is_only_held(self, target: Target) -> None:
        payment = await a_payment(target, capture_method=CaptureMethod.MANUAL)

        intent = evidence(await target.processor.post(payment, CONFIRM))

        assert intent.status is IntentStatus.REQUIRES_CAPTURE
        assert intent.amount_received == 0

    async def test_a_hold_says_until_when_it_lasts(self, target: Target) -> None:
        payment = await a_payment(target, capture_method=CaptureMethod.MANUAL)

        confirmed = evidence(await target.processor.post(payment, CONFIRM))
        asked = evidence(await target.processor.retrieve(payment.intent_id))

        assert asked.capture_before
        lasts = asked.capture_before - datetime.now(UTC)
        assert timedelta(days=2) < lasts < timedelta(days=31)
        assert confirmed.capture_before == asked.capture_before

    async def test_capturing_all_takes_all(self, target: Target) -> None:
        payment = await a_held_payment(target)

        intent = evidence(await target.processor.post(payment, capture(2000)))

        assert intent.status is IntentStatus.SUCCEEDED
        assert intent.amount_received == 2000

    async def test_capturing_a_part_takes_that_part(self, target: Target) -> None:
        payment = await a_held_payment(target)

        intent = evidence(await target.processor.post(payment, capture(700)))

        assert intent.status is IntentStatus.SUCCEEDED
        assert (intent.amount, intent.amount_received) == (EUR_20, 700)

    async def test_capturing_more_than_is_held_is_refused_and_changes_nothing(
        self, target: Target
    ) -> None:
        payment = await a_held_payment(target)

        reply = await target.processor.post(payment, capture(2001))

        assert isinstance(reply, Refused)
        assert await status_of(target, payment) is IntentStatus.REQUIRES_CAPTURE

    async def test_capturing_an_amount_that_stripe_cannot_say_is_refused(
        self, target: Target
    ) -> None:
        kwd = Money(5120, "KWD")
        payment = await a_confirmed_payment(target, amount=kwd, capture_method=CaptureMethod.MANUAL)

        assert isinstance(await target.processor.post(payment, capture(5119)), Refused)

    async def test_a_canceled_hold_cannot_be_captured(self, target: Target) -> None:
        payment = await a_held_payment(target)
        await target.processor.post(payment, CANCEL)

        reply = await target.processor.post(payment, capture(2000))

        assert isinstance(reply, Refused)
        assert await status_of(target, payment) is IntentStatus.CANCELED


class TestCancel:
    async def test_an_unconfirmed_intent_is_canceled(self, target: Target) -> None:
        payment = await a_payment(target)

        intent = evidence(await target.processor.post(payment, CANCEL))

        assert intent.status is IntentStatus.CANCELED
        assert await status_of(target, payment) is IntentStatus.CANCELED

    async def test_a_declined_intent_is_canceled_and_still_says_why(self, target: Target) -> None:
        payment = await a_confirmed_payment(target, "declined")

        intent = evidence(await target.processor.post(payment, CANCEL))

        assert intent.status is IntentStatus.CANCELED
        assert intent.amount_received == 0

    async def test_a_hold_is_released(self, target: Target) -> None:
        payment = await a_held_payment(target)

        intent = evidence(await target.processor.post(payment, CANCEL))

        assert intent.status is IntentStatus.CANCELED

    async def test_3d_secure_that_is_under_way_is_canceled(self, target: Target) -> None:
        payment = await a_confirmed_payment(target, "authenticated")

        intent = evidence(await target.processor.post(payment, CANCEL))

        assert intent.status is IntentStatus.CANCELED

    async def test_a_charged_intent_cannot_be_canceled(self, target: Target) -> None:
        payment = await a_confirmed_payment(target)

        assert isinstance(await target.processor.post(payment, CANCEL), Refused)
        assert await status_of(target, payment) is IntentStatus.SUCCEEDED

    async def test_a_canceled_intent_cannot_be_confirmed(self, target: Target) -> None:
        payment = await a_payment(target)
        await target.processor.post(payment, CANCEL)

        assert isinstance(await target.processor.post(payment, CONFIRM), Refused)
        assert await status_of(target, payment) is IntentStatus.CANCELED


class TestUnknown:
    async def test_an_intent_that_is_not_known_proves_nothing(self, target: Target) -> None:
        reply = await target.processor.retrieve("pi_nobodyhasthis")

        assert isinstance(reply, Unknown)
        assert not reply.unreachable

    @pytest.mark.parametrize(
        "post", [CONFIRM, capture(2000), CANCEL], ids=lambda one: one.operation
    )
    async def test_a_call_on_an_intent_that_is_not_known_proves_nothing(
        self, target: Target, post: Post
    ) -> None:
        payment = replace(await a_payment(target), intent_id="pi_nobodyhasthis")

        assert isinstance(await target.processor.post(payment, post), Unknown)


class TestRefund:
    async def test_the_whole_is_given_back(self, target: Target) -> None:
        payment = await a_confirmed_payment(target)
        refund = a_refund_of(payment, 2000)

        word = await target.processor.refund(refund)

        assert isinstance(word, ProcessorRefund)
        assert (word.status, word.amount) == (RefundStatus.SUCCEEDED, 2000)
        assert word.refund_id == refund.id
        assert await target.processor.refunds(payment.intent_id) == [word]

    async def test_parts_are_given_back_and_each_is_listed_with_our_id(
        self, target: Target
    ) -> None:
        payment = await a_confirmed_payment(target)
        parts = [a_refund_of(payment, amount) for amount in (700, 1300)]
        for part in parts:
            await target.processor.refund(part)

        listed = await target.processor.refunds(payment.intent_id)

        assert not isinstance(listed, Unknown)
        assert {(one.refund_id, one.amount) for one in listed} == {
            (part.id, part.amount) for part in parts
        }

    async def test_a_refund_sent_again_is_one_refund(self, target: Target) -> None:
        payment = await a_confirmed_payment(target)
        refund = a_refund_of(payment, 700)

        first = await target.processor.refund(refund)
        again = await target.processor.refund(refund)

        assert isinstance(first, ProcessorRefund)
        assert first == again
        assert await target.processor.refunds(payment.intent_id) == [first]

    async def test_a_refund_may_have_a_reason(self, target: Target) -> None:
        payment = await a_confirmed_payment(target)

        word = await target.processor.refund(
            a_refund_of(payment, 700, reason=RefundReason.REQUESTED_BY_CUSTOMER)
        )

        assert isinstance(word, ProcessorRefund)

    async def test_refunding_more_than_is_left_is_refused(self, target: Target) -> None:
        payment = await a_confirmed_payment(target)
        given = await target.processor.refund(a_refund_of(payment, 1500))

        reply = await target.processor.refund(a_refund_of(payment, 501))

        assert isinstance(reply, Refused)
        assert await target.processor.refunds(payment.intent_id) == [given]

    async def test_refunding_before_the_charge_is_refused(self, target: Target) -> None:
        payment = await a_payment(target)

        assert isinstance(await target.processor.refund(a_refund_of(payment, 700)), Refused)

    async def test_refunding_an_amount_that_stripe_cannot_say_is_refused(
        self, target: Target
    ) -> None:
        payment = await a_confirmed_payment(target, amount=Money(5120, "KWD"))

        assert isinstance(await target.processor.refund(a_refund_of(payment, 11)), Refused)

    async def test_a_charge_that_was_not_refunded_has_an_empty_list(self, target: Target) -> None:
        payment = await a_confirmed_payment(target)

        assert await target.processor.refunds(payment.intent_id) == []

    async def test_an_intent_that_was_never_charged_has_no_refunds(self, target: Target) -> None:
        payment = await a_payment(target)

        assert await target.processor.refunds(payment.intent_id) == []

    async def test_the_refunds_of_an_intent_that_is_not_known_are_not_known(
        self, target: Target
    ) -> None:
        assert isinstance(await target.processor.refunds("pi_nobodyhasthis"), Unknown)

    async def test_a_list_of_several_pages_is_given_whole(self, target: Target) -> None:
        payment = await a_confirmed_payment(target)
        refunds = [a_refund_of(payment, 1) for _ in range(101)]
        for refund in refunds:
            await target.processor.refund(refund)

        listed = await target.processor.refunds(payment.intent_id)

        assert not isinstance(listed, Unknown)
        assert len(listed) == len(refunds)
        assert {one.refund_id for one in listed} == {refund.id for refund in refunds}


def test_what_the_table_says_cannot_be_done_is_the_name_of_a_test() -> None:
    suites = (TestCreate, TestConfirm, TestCapture, TestCancel, TestUnknown, TestRefund)
    tests = {name for suite in suites for name in vars(suite)}

    assert {name for cannot in CANNOT.values() for name in cannot} <= tests
