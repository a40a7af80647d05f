"""The life of a payment intent, as Stripe's: what each request does, and what it may not do."""

import pytest

from sandbox.actions import ConfirmIntent
from sandbox.errors import Error
from sandbox.objects import ChargeStatus, Methods, Status

from .conftest import Makers, Till

WEEK = 7 * 24 * 3600


def test_an_intent_is_born_unconfirmed_and_moves_no_money(till: Till) -> None:
    intent = till.get(till.intent("pm_card_visa"))
    assert intent.status is Status.REQUIRES_CONFIRMATION
    assert till.moved() == []


def test_an_intent_without_a_payment_method_requires_one(till: Till) -> None:
    name = till.intent(None)
    assert till.get(name).status is Status.REQUIRES_PAYMENT_METHOD
    assert till.confirm(name).body.code == "payment_intent_unexpected_state"
    assert till.confirm(name, payment_method="pm_card_visa").body.status is Status.SUCCEEDED


def test_a_payment_method_that_is_not_there_is_refused_by_name(till: Till) -> None:
    error = till.confirm(till.intent(), payment_method="pm_card_nobody").body
    assert (error.status, error.code, error.param) == (400, "resource_missing", "payment_method")


def test_a_confirmed_card_is_charged_once_and_whole(till: Till) -> None:
    intent = till.get(till.confirmed())
    assert intent.status is Status.SUCCEEDED
    assert intent.amount_received == 1099
    assert intent.charge and intent.charge.status is ChargeStatus.SUCCEEDED
    assert till.moved() == [("captured", 1099)]
    assert till.happened() == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
    ]


def test_create_with_confirm_does_both(till: Till) -> None:
    assert till.get(till.intent(confirm=True)).status is Status.SUCCEEDED
    assert till.happened()[0] == "payment_intent.created"


@pytest.mark.parametrize("end", ["succeeded", "canceled", "requires_capture", "processing"])
def test_what_has_gone_on_cannot_be_confirmed_again_and_shows_its_intent(
    till: Till, end: str
) -> None:
    makers: Makers = {
        "succeeded": till.confirmed,
        "canceled": lambda: till.cancel(till.intent()).body.id,
        "requires_capture": till.held,
        "processing": lambda: till.confirmed("pm_sandbox_processing"),
    }
    name = makers[end]()
    moved = till.moved()
    error = till.confirm(name).body
    assert (error.status, error.code) == (400, "payment_intent_unexpected_state")
    assert error.intent.status.value == end
    assert till.moved() == moved


@pytest.mark.parametrize(
    ("token", "code", "decline_code"),
    [
        ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card"),
        ("pm_card_visa_chargeDeclinedStolenCard", "card_declined", "stolen_card"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", "processing_error"),
    ],
)
def test_a_declined_card_is_a_402_with_the_intent_inside(
    till: Till, token: str, code: str, decline_code: str
) -> None:
    name = till.confirmed(token)
    error = till.answer.body
    assert (error.status, error.type) == (402, "card_error")
    assert (error.code, error.decline_code) == (code, decline_code)
    assert error.intent == till.get(name)
    assert error.intent.status is Status.REQUIRES_PAYMENT_METHOD
    assert error.intent.charge.status is ChargeStatus.FAILED
    assert till.moved() == []


def test_after_a_decline_the_card_is_not_tried_again_unless_one_is_named(till: Till) -> None:
    name = till.confirmed("pm_card_visa_chargeDeclined")
    assert till.get(name).payment_method is None
    assert till.confirm(name).body.status == 400
    again = till.confirm(name, payment_method="pm_card_mastercard").body
    assert again.status is Status.SUCCEEDED
    assert again.last_error is None
    assert again.charge.id.endswith("2"), "the second attempt is a charge of its own"


def test_an_intent_for_the_dashboards_methods_needs_a_way_back(till: Till) -> None:
    name = till.intent(methods=Methods.DASHBOARD)
    error = till.confirm(name).body
    assert (error.status, error.type) == (400, "invalid_request_error")
    assert "return_url" in error.message
    assert till.confirm(name, return_url="https://shop.example/").body.status is Status.SUCCEEDED


def test_without_redirects_it_needs_none(till: Till) -> None:
    name = till.intent(methods=Methods.DASHBOARD_WITHOUT_REDIRECTS)
    assert till.confirm(name).body.status is Status.SUCCEEDED


class TestAuthentication:
    def test_the_card_is_not_charged_before_the_payer_has_answered(self, till: Till) -> None:
        name = till.confirmed("pm_card_threeDSecure2Required")
        assert till.get(name).status is Status.REQUIRES_ACTION
        assert till.get(name).charge is None
        assert till.moved() == []

    def test_approved_it_is_charged(self, till: Till) -> None:
        name = till.confirmed("pm_card_authenticationRequired")
        intent = till.authenticate(name, approved=True).body
        assert intent.status is Status.SUCCEEDED
        assert intent.charge.authenticated

    def test_approved_it_is_held_where_capture_is_manual(self, till: Till) -> None:
        name = till.held(payment_method="pm_card_authenticationRequired")
        assert till.authenticate(name, approved=True).body.status is Status.REQUIRES_CAPTURE

    def test_declined_it_asks_for_another_method_and_no_charge_was_tried(self, till: Till) -> None:
        name = till.confirmed("pm_card_authenticationRequired")
        intent = till.authenticate(name, approved=False).body
        assert intent.status is Status.REQUIRES_PAYMENT_METHOD
        assert intent.last_error.decline.code == "payment_intent_authentication_failure"
        assert intent.charge is None

    def test_it_may_be_approved_and_then_declined_by_the_issuer(self, till: Till) -> None:
        name = till.confirmed("pm_card_threeDSecureRequiredChargeDeclined")
        assert till.authenticate(name, approved=True).status == 402
        error = till.get(name).last_error
        assert error and error.decline.decline_code == "generic_decline"

    def test_it_counts_once(self, till: Till) -> None:
        name = till.confirmed("pm_card_authenticationRequired")
        till.authenticate(name, approved=True)
        assert till.authenticate(name, approved=True).status == 400
        assert till.moved() == [("captured", 1099)]

    def test_the_caller_may_refuse_to_be_asked(self, till: Till) -> None:
        name = till.intent("pm_card_authenticationRequired")
        error = till.confirm(name, error_on_requires_action=True).body
        assert (error.status, error.code) == (402, "authentication_required")
        assert till.get(name).status is Status.REQUIRES_PAYMENT_METHOD


class TestHolds:
    def test_a_hold_takes_nothing_and_says_until_when_it_lasts(self, till: Till) -> None:
        intent = till.get(till.held())
        assert intent.status is Status.REQUIRES_CAPTURE
        assert (intent.amount_capturable, intent.amount_received) == (1099, 0)
        assert intent.charge and intent.charge.capture_before == till.now + WEEK
        assert till.moved() == [("authorized", 1099)]

    def test_it_is_captured_whole(self, till: Till) -> None:
        intent = till.capture(till.held()).body
        assert intent.status is Status.SUCCEEDED
        assert (intent.amount_capturable, intent.amount_received) == (0, 1099)
        assert till.moved() == [("authorized", 1099), ("captured", 1099)]

    def test_a_part_is_captured_and_the_rest_released(self, till: Till) -> None:
        intent = till.capture(till.held(), 1000).body
        assert (intent.amount, intent.amount_received) == (1099, 1000)
        assert till.moved()[1:] == [("captured", 1000), ("released", 99)]

    def test_no_more_than_was_held_is_captured(self, till: Till) -> None:
        error = till.capture(till.held(), 1100).body
        assert (error.status, error.code) == (400, "amount_too_large")
        assert till.moved() == [("authorized", 1099)]

    def test_it_is_captured_once(self, till: Till) -> None:
        name = till.held()
        till.capture(name, 100)
        error = till.capture(name, 100).body
        assert (error.status, error.code) == (400, "payment_intent_unexpected_state")
        assert error.intent.amount_received == 100

    def test_it_is_released_by_cancel(self, till: Till) -> None:
        intent = till.cancel(till.held(), "requested_by_customer").body
        assert intent.status is Status.CANCELED
        assert intent.cancellation_reason == "requested_by_customer"
        assert till.moved() == [("authorized", 1099), ("released", 1099)]

    def test_it_runs_out_by_itself_at_its_time_and_not_before(self, till: Till) -> None:
        name = till.held()
        end = till.now + WEEK
        till.wait(WEEK - 1)
        assert till.get(name).status is Status.REQUIRES_CAPTURE
        till.wait(3600)
        intent = till.get(name)
        assert intent.status is Status.CANCELED
        assert (intent.cancellation_reason, intent.canceled_at) == ("automatic", end)
        assert till.moved() == [("authorized", 1099), ("released", 1099)]

    def test_a_capture_that_comes_too_late_is_refused_even_if_nobody_looked_before(
        self, till: Till
    ) -> None:
        name = till.held()
        till.now += WEEK
        assert till.capture(name).body.intent.status is Status.CANCELED


class TestCancel:
    @pytest.mark.parametrize(
        "token", [None, "pm_card_visa", "pm_card_authenticationRequired", "pm_card_chargeDeclined"]
    )
    def test_whatever_has_not_taken_money_can_be_canceled(self, till: Till, token: str) -> None:
        name = till.intent(token)
        if token not in (None, "pm_card_visa"):
            till.confirm(name)
        assert till.cancel(name).body.status is Status.CANCELED
        assert till.moved() == []

    def test_a_canceled_one_cannot_be_canceled_again(self, till: Till) -> None:
        name = till.intent()
        till.cancel(name)
        error = till.cancel(name).body
        assert (error.status, error.code) == (400, "payment_intent_unexpected_state")
        assert error.intent.status is Status.CANCELED

    @pytest.mark.parametrize("token", ["pm_card_visa", "pm_sandbox_processing"])
    def test_what_took_money_or_may_be_taking_it_cannot(self, till: Till, token: str) -> None:
        assert till.cancel(till.confirmed(token)).body.status == 400

    def test_a_canceled_one_is_never_charged(self, till: Till) -> None:
        name = till.confirmed("pm_card_authenticationRequired")
        till.cancel(name)
        assert till.authenticate(name, approved=True).status == 400
        assert till.confirm(name).status == 400
        assert till.moved() == []


class TestProcessing:
    def test_it_succeeds_after_a_while(self, till: Till) -> None:
        name = till.confirmed("pm_sandbox_processing")
        assert till.get(name).status is Status.PROCESSING
        till.wait(till.world.rules.delay)
        assert till.get(name).status is Status.SUCCEEDED
        assert till.moved() == [("captured", 1099)]

    def test_or_is_declined_after_a_while_and_no_402_is_there_to_say_so(self, till: Till) -> None:
        name = till.confirmed("pm_sandbox_processingDeclined")
        assert till.answer.status == 200
        till.wait(till.world.rules.delay)
        assert till.get(name).status is Status.REQUIRES_PAYMENT_METHOD
        error = till.get(name).last_error
        assert error and error.decline.code == "card_declined"

    def test_what_was_due_long_ago_is_dated_by_when_it_was_due(self, till: Till) -> None:
        name = till.confirmed("pm_sandbox_processing", capture_method="manual")
        began = till.now
        till.wait(2 * WEEK)
        intent = till.get(name)
        assert intent.status is Status.CANCELED, "held after the delay, and the hold ran out"
        assert intent.canceled_at == began + till.world.rules.delay + WEEK


def test_an_unknown_intent_is_a_404(till: Till) -> None:
    error = till.confirm("pi_nobody").body
    assert (error.status, error.code, error.param) == (404, "resource_missing", "intent")


def test_the_same_request_on_the_same_world_gives_the_same(till: Till) -> None:
    name = till.intent()
    assert till.ask(ConfirmIntent(name)) is till.answer
    other = type(till)(till.world, till.now)
    assert hash(other.world) == hash(till.world)
    assert till.refund(name, 5) == other.refund(name, 5)
    assert till.world == other.world


def test_a_refused_request_changes_nothing(till: Till) -> None:
    name = till.confirmed()
    before = till.world
    assert isinstance(till.cancel(name).body, Error)
    assert till.world is before
