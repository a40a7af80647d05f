"""Idempotency keys, as specified by https://docs.stripe.com/api/idempotent_requests."""

from dataclasses import replace

from sandbox.actions import CaptureIntent, ConfirmIntent, CreateIntent, InjectedFailure, Request
from sandbox.errors import Error
from sandbox.objects import Methods, Status
from sandbox.transition import transition

from .conftest import InMemorySandbox

DAY = 24 * 3600


def test_a_repeated_key_with_the_same_parameters_replays_the_answer_and_does_nothing(
    sandbox: InMemorySandbox,
) -> None:
    action = CreateIntent(1099, "usd", "pm_card_visa", Methods.CARD, confirm=True)
    first = sandbox.perform(action, key="k")
    again = sandbox.perform(action, key="k")
    assert again == replace(first, replayed=True)
    assert len(sandbox.world.intents) == 1
    assert sandbox.movements() == [("captured", 1099)]


def test_a_replay_shows_the_object_as_it_was_at_first(sandbox: InMemorySandbox) -> None:
    name = sandbox.create(capture_method="manual")
    authorized = sandbox.confirm(name, key="k").body
    sandbox.capture(name)
    assert sandbox.confirm(name, key="k").body == authorized
    assert sandbox.get(name).status is Status.SUCCEEDED


def test_a_decline_is_replayed(sandbox: InMemorySandbox) -> None:
    name = sandbox.create("pm_card_visa_chargeDeclined")
    first = sandbox.confirm(name, key="k")
    assert first.status == 402
    assert sandbox.confirm(name, key="k").body == first.body
    assert sandbox.get(name).attempts == 1


def test_an_error_of_the_state_is_replayed(sandbox: InMemorySandbox) -> None:
    name = sandbox.create(None)
    assert sandbox.confirm(name, key="k").status == 400
    sandbox.confirm(name, payment_method="pm_card_visa")
    assert sandbox.confirm(name, key="k").body.intent.status is Status.REQUIRES_PAYMENT_METHOD


def test_a_key_with_other_parameters_is_an_idempotency_error(sandbox: InMemorySandbox) -> None:
    name = sandbox.authorize()
    sandbox.perform(CaptureIntent(name, 100), key="k")
    error = sandbox.perform(CaptureIntent(name, 200), key="k").body
    assert (error.status, error.type) == (400, "idempotency_error")


def test_a_key_with_another_path_is_an_idempotency_error(sandbox: InMemorySandbox) -> None:
    sandbox.confirm(sandbox.create(), key="k")
    error = sandbox.confirm(sandbox.create(), key="k").body
    assert (error.status, error.type) == (400, "idempotency_error")
    assert "endpoint" in error.message


def test_an_idempotency_error_does_not_change_the_key(sandbox: InMemorySandbox) -> None:
    name = sandbox.authorize()
    first = sandbox.perform(CaptureIntent(name, 100), key="k")
    sandbox.perform(CaptureIntent(name, 200), key="k")
    assert sandbox.perform(CaptureIntent(name, 100), key="k").body == first.body


def test_an_expired_key_is_a_new_request(sandbox: InMemorySandbox) -> None:
    name = sandbox.create("pm_card_visa")
    paid = sandbox.confirm(name, key="k")
    sandbox.now += DAY - 1
    assert sandbox.confirm(name, key="k").replayed
    sandbox.now += 1
    late = sandbox.confirm(name, key="k")
    assert not late.replayed
    assert (late.status, paid.status) == (400, 200)


def test_a_refund_with_an_expired_key_is_a_second_refund(sandbox: InMemorySandbox) -> None:
    name = sandbox.pay()
    sandbox.refund(name, 100, key="k")
    sandbox.now += DAY
    sandbox.refund(name, 100, key="k")
    assert [refund.amount for refund in sandbox.world.refunds] == [100, 100]


def test_a_500_after_the_effect_is_replayed_and_the_effect_remains(
    sandbox: InMemorySandbox,
) -> None:
    name = sandbox.create()
    broken = sandbox.perform(ConfirmIntent(name), "k", InjectedFailure.FAILS_AFTER)
    assert broken.status == 500
    assert sandbox.confirm(name, key="k") == replace(broken, replayed=True)
    assert sandbox.get(name).status is Status.SUCCEEDED
    assert sandbox.movements() == [("captured", 1099)]


def test_a_500_before_the_effect_is_replayed_until_another_key_is_used(
    sandbox: InMemorySandbox,
) -> None:
    name = sandbox.create()
    assert sandbox.perform(ConfirmIntent(name), "k", InjectedFailure.FAILS_BEFORE).status == 500
    assert sandbox.confirm(name, key="k").status == 500
    assert sandbox.get(name).status is Status.REQUIRES_CONFIRMATION
    assert sandbox.confirm(name, key="k2").status == 200


def test_expand_is_one_of_the_parameters_that_a_key_is_bound_to(sandbox: InMemorySandbox) -> None:
    name = sandbox.create()
    action = ConfirmIntent(name)
    world, _ = transition(sandbox.world, Request(action, "k", ("latest_charge",)), sandbox.now)
    _, other = transition(world, Request(action, "k"), sandbox.now)
    assert isinstance(other.body, Error)
    assert other.body.type == "idempotency_error"


def test_the_state_does_not_depend_on_the_order_of_keys(sandbox: InMemorySandbox) -> None:
    one, other = sandbox.create(), sandbox.create()
    before = sandbox.world
    sandbox.confirm(one, key="a")
    sandbox.confirm(other, key="b")
    first = replace(sandbox.world, events=(), movements=())
    sandbox.world = before
    sandbox.confirm(other, key="b")
    sandbox.confirm(one, key="a")
    assert replace(sandbox.world, events=(), movements=()) == first
