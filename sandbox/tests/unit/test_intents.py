"""The lifecycle of a payment intent: what each request does, and where it is rejected."""

import pytest

from sandbox.actions import ConfirmIntent
from sandbox.errors import Error
from sandbox.objects import ChargeStatus, Methods, Status

from .conftest import Factories, InMemorySandbox

WEEK = 7 * 24 * 3600


def test_a_new_intent_is_unconfirmed_and_moves_no_money(sandbox: InMemorySandbox) -> None:
    intent = sandbox.get(sandbox.create("pm_card_visa"))
    assert intent.status is Status.REQUIRES_CONFIRMATION
    assert sandbox.movements() == []


def test_an_intent_without_a_payment_method_requires_one(sandbox: InMemorySandbox) -> None:
    name = sandbox.create(None)
    assert sandbox.get(name).status is Status.REQUIRES_PAYMENT_METHOD
    assert sandbox.confirm(name).body.code == "payment_intent_unexpected_state"
    assert sandbox.confirm(name, payment_method="pm_card_visa").body.status is Status.SUCCEEDED


def test_an_unknown_payment_method_is_rejected(sandbox: InMemorySandbox) -> None:
    error = sandbox.confirm(sandbox.create(), payment_method="pm_card_nobody").body
    assert (error.status, error.code, error.param) == (400, "resource_missing", "payment_method")


def test_a_confirmed_intent_is_charged_once_in_full(sandbox: InMemorySandbox) -> None:
    intent = sandbox.get(sandbox.pay())
    assert intent.status is Status.SUCCEEDED
    assert intent.amount_received == 1099
    assert intent.charge and intent.charge.status is ChargeStatus.SUCCEEDED
    assert sandbox.movements() == [("captured", 1099)]
    assert sandbox.event_types() == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
    ]


def test_create_with_confirm_charges_at_once(sandbox: InMemorySandbox) -> None:
    assert sandbox.get(sandbox.create(confirm=True)).status is Status.SUCCEEDED
    assert sandbox.event_types()[0] == "payment_intent.created"


@pytest.mark.parametrize("end", ["succeeded", "canceled", "requires_capture", "processing"])
def test_an_intent_past_confirmation_cannot_be_confirmed_again(
    sandbox: InMemorySandbox, end: str
) -> None:
    factories: Factories = {
        "succeeded": sandbox.pay,
        "canceled": lambda: sandbox.cancel(sandbox.create()).body.id,
        "requires_capture": sandbox.authorize,
        "processing": lambda: sandbox.pay("pm_sandbox_processing"),
    }
    name = factories[end]()
    movements = sandbox.movements()
    error = sandbox.confirm(name).body
    assert (error.status, error.code) == (400, "payment_intent_unexpected_state")
    assert error.intent.status.value == end
    assert sandbox.movements() == movements


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
def test_a_decline_is_a_402_that_contains_the_intent(
    sandbox: InMemorySandbox, token: str, code: str, decline_code: str
) -> None:
    name = sandbox.pay(token)
    error = sandbox.response.body
    assert (error.status, error.type) == (402, "card_error")
    assert (error.code, error.decline_code) == (code, decline_code)
    assert error.intent == sandbox.get(name)
    assert error.intent.status is Status.REQUIRES_PAYMENT_METHOD
    assert error.intent.charge.status is ChargeStatus.FAILED
    assert sandbox.movements() == []


def test_after_a_decline_confirm_requires_a_payment_method(sandbox: InMemorySandbox) -> None:
    name = sandbox.pay("pm_card_visa_chargeDeclined")
    assert sandbox.get(name).payment_method is None
    assert sandbox.confirm(name).body.status == 400
    again = sandbox.confirm(name, payment_method="pm_card_mastercard").body
    assert again.status is Status.SUCCEEDED
    assert again.last_error is None
    assert again.charge.id.endswith("2"), "the second attempt is a charge of its own"


def test_an_intent_with_dashboard_methods_requires_a_return_url(sandbox: InMemorySandbox) -> None:
    name = sandbox.create(methods=Methods.DASHBOARD)
    error = sandbox.confirm(name).body
    assert (error.status, error.type) == (400, "invalid_request_error")
    assert "return_url" in error.message
    assert sandbox.confirm(name, return_url="https://shop.example/").body.status is Status.SUCCEEDED


def test_dashboard_methods_without_redirects_require_no_return_url(
    sandbox: InMemorySandbox,
) -> None:
    name = sandbox.create(methods=Methods.DASHBOARD_WITHOUT_REDIRECTS)
    assert sandbox.confirm(name).body.status is Status.SUCCEEDED


class TestAuthentication:
    def test_the_card_is_not_charged_before_the_payer_has_answered(
        self, sandbox: InMemorySandbox
    ) -> None:
        name = sandbox.pay("pm_card_threeDSecure2Required")
        assert sandbox.get(name).status is Status.REQUIRES_ACTION
        assert sandbox.get(name).charge is None
        assert sandbox.movements() == []

    def test_an_approved_intent_is_charged(self, sandbox: InMemorySandbox) -> None:
        name = sandbox.pay("pm_card_authenticationRequired")
        intent = sandbox.authenticate(name, approved=True).body
        assert intent.status is Status.SUCCEEDED
        assert intent.charge.authenticated

    def test_an_approved_intent_with_manual_capture_is_authorized(
        self, sandbox: InMemorySandbox
    ) -> None:
        name = sandbox.authorize(payment_method="pm_card_authenticationRequired")
        assert sandbox.authenticate(name, approved=True).body.status is Status.REQUIRES_CAPTURE

    def test_a_declined_authentication_requires_another_method_and_attempts_no_charge(
        self, sandbox: InMemorySandbox
    ) -> None:
        name = sandbox.pay("pm_card_authenticationRequired")
        intent = sandbox.authenticate(name, approved=False).body
        assert intent.status is Status.REQUIRES_PAYMENT_METHOD
        assert intent.last_error.decline.code == "payment_intent_authentication_failure"
        assert intent.charge is None

    def test_an_approved_intent_may_be_declined_by_the_issuer(
        self, sandbox: InMemorySandbox
    ) -> None:
        name = sandbox.pay("pm_card_threeDSecureRequiredChargeDeclined")
        assert sandbox.authenticate(name, approved=True).status == 402
        error = sandbox.get(name).last_error
        assert error and error.decline.decline_code == "generic_decline"

    def test_a_second_answer_is_rejected(self, sandbox: InMemorySandbox) -> None:
        name = sandbox.pay("pm_card_authenticationRequired")
        sandbox.authenticate(name, approved=True)
        assert sandbox.authenticate(name, approved=True).status == 400
        assert sandbox.movements() == [("captured", 1099)]

    def test_error_on_requires_action_fails_instead_of_requiring_authentication(
        self, sandbox: InMemorySandbox
    ) -> None:
        name = sandbox.create("pm_card_authenticationRequired")
        error = sandbox.confirm(name, error_on_requires_action=True).body
        assert (error.status, error.code) == (402, "authentication_required")
        assert sandbox.get(name).status is Status.REQUIRES_PAYMENT_METHOD


class TestAuthorizations:
    def test_an_authorization_captures_nothing_and_has_an_expiry(
        self, sandbox: InMemorySandbox
    ) -> None:
        intent = sandbox.get(sandbox.authorize())
        assert intent.status is Status.REQUIRES_CAPTURE
        assert (intent.amount_capturable, intent.amount_received) == (1099, 0)
        assert intent.charge and intent.charge.capture_before == sandbox.now + WEEK
        assert sandbox.movements() == [("authorized", 1099)]

    def test_an_authorization_is_captured_in_full(self, sandbox: InMemorySandbox) -> None:
        intent = sandbox.capture(sandbox.authorize()).body
        assert intent.status is Status.SUCCEEDED
        assert (intent.amount_capturable, intent.amount_received) == (0, 1099)
        assert sandbox.movements() == [("authorized", 1099), ("captured", 1099)]

    def test_a_partial_capture_releases_the_rest(self, sandbox: InMemorySandbox) -> None:
        intent = sandbox.capture(sandbox.authorize(), 1000).body
        assert (intent.amount, intent.amount_received) == (1099, 1000)
        assert sandbox.movements()[1:] == [("captured", 1000), ("released", 99)]

    def test_a_capture_cannot_exceed_the_authorization(self, sandbox: InMemorySandbox) -> None:
        error = sandbox.capture(sandbox.authorize(), 1100).body
        assert (error.status, error.code) == (400, "amount_too_large")
        assert sandbox.movements() == [("authorized", 1099)]

    def test_an_authorization_is_captured_once(self, sandbox: InMemorySandbox) -> None:
        name = sandbox.authorize()
        sandbox.capture(name, 100)
        error = sandbox.capture(name, 100).body
        assert (error.status, error.code) == (400, "payment_intent_unexpected_state")
        assert error.intent.amount_received == 100

    def test_cancel_releases_an_authorization(self, sandbox: InMemorySandbox) -> None:
        intent = sandbox.cancel(sandbox.authorize(), "requested_by_customer").body
        assert intent.status is Status.CANCELED
        assert intent.cancellation_reason == "requested_by_customer"
        assert sandbox.movements() == [("authorized", 1099), ("released", 1099)]

    def test_an_authorization_expires_at_its_time_and_not_before(
        self, sandbox: InMemorySandbox
    ) -> None:
        name = sandbox.authorize()
        end = sandbox.now + WEEK
        sandbox.wait(WEEK - 1)
        assert sandbox.get(name).status is Status.REQUIRES_CAPTURE
        sandbox.wait(3600)
        intent = sandbox.get(name)
        assert intent.status is Status.CANCELED
        assert (intent.cancellation_reason, intent.canceled_at) == ("automatic", end)
        assert sandbox.movements() == [("authorized", 1099), ("released", 1099)]

    def test_a_capture_after_the_expiry_is_rejected(self, sandbox: InMemorySandbox) -> None:
        name = sandbox.authorize()
        sandbox.now += WEEK
        assert sandbox.capture(name).body.intent.status is Status.CANCELED


class TestCancel:
    @pytest.mark.parametrize(
        "token", [None, "pm_card_visa", "pm_card_authenticationRequired", "pm_card_chargeDeclined"]
    )
    def test_an_intent_without_a_captured_charge_can_be_canceled(
        self, sandbox: InMemorySandbox, token: str
    ) -> None:
        name = sandbox.create(token)
        if token not in (None, "pm_card_visa"):
            sandbox.confirm(name)
        assert sandbox.cancel(name).body.status is Status.CANCELED
        assert sandbox.movements() == []

    def test_a_canceled_intent_cannot_be_canceled_again(self, sandbox: InMemorySandbox) -> None:
        name = sandbox.create()
        sandbox.cancel(name)
        error = sandbox.cancel(name).body
        assert (error.status, error.code) == (400, "payment_intent_unexpected_state")
        assert error.intent.status is Status.CANCELED

    @pytest.mark.parametrize("token", ["pm_card_visa", "pm_sandbox_processing"])
    def test_an_intent_that_succeeded_or_is_processing_cannot_be_canceled(
        self, sandbox: InMemorySandbox, token: str
    ) -> None:
        assert sandbox.cancel(sandbox.pay(token)).body.status == 400

    def test_a_canceled_intent_is_never_charged(self, sandbox: InMemorySandbox) -> None:
        name = sandbox.pay("pm_card_authenticationRequired")
        sandbox.cancel(name)
        assert sandbox.authenticate(name, approved=True).status == 400
        assert sandbox.confirm(name).status == 400
        assert sandbox.movements() == []


class TestProcessing:
    def test_a_processing_intent_succeeds_after_the_delay(self, sandbox: InMemorySandbox) -> None:
        name = sandbox.pay("pm_sandbox_processing")
        assert sandbox.get(name).status is Status.PROCESSING
        sandbox.wait(sandbox.world.rules.delay)
        assert sandbox.get(name).status is Status.SUCCEEDED
        assert sandbox.movements() == [("captured", 1099)]

    def test_a_processing_intent_may_be_declined_after_the_delay(
        self, sandbox: InMemorySandbox
    ) -> None:
        name = sandbox.pay("pm_sandbox_processingDeclined")
        assert sandbox.response.status == 200
        sandbox.wait(sandbox.world.rules.delay)
        assert sandbox.get(name).status is Status.REQUIRES_PAYMENT_METHOD
        error = sandbox.get(name).last_error
        assert error and error.decline.code == "card_declined"

    def test_delayed_changes_have_the_time_at_which_they_were_due(
        self, sandbox: InMemorySandbox
    ) -> None:
        name = sandbox.pay("pm_sandbox_processing", capture_method="manual")
        started = sandbox.now
        sandbox.wait(2 * WEEK)
        intent = sandbox.get(name)
        assert intent.status is Status.CANCELED, "authorized after the delay, then expired"
        assert intent.canceled_at == started + sandbox.world.rules.delay + WEEK


def test_an_unknown_intent_is_a_404(sandbox: InMemorySandbox) -> None:
    error = sandbox.confirm("pi_nobody").body
    assert (error.status, error.code, error.param) == (404, "resource_missing", "intent")


def test_the_same_request_on_the_same_state_gives_the_same_result(sandbox: InMemorySandbox) -> None:
    name = sandbox.create()
    assert sandbox.perform(ConfirmIntent(name)) is sandbox.response
    other = type(sandbox)(sandbox.world, sandbox.now)
    assert hash(other.world) == hash(sandbox.world)
    assert sandbox.refund(name, 5) == other.refund(name, 5)
    assert sandbox.world == other.world


def test_a_rejected_request_changes_nothing(sandbox: InMemorySandbox) -> None:
    name = sandbox.pay()
    before = sandbox.world
    assert isinstance(sandbox.cancel(name).body, Error)
    assert sandbox.world is before
