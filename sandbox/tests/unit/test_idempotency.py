"""Idempotency keys, as https://docs.stripe.com/api/idempotent_requests has them."""

from dataclasses import replace

from sandbox.actions import CaptureIntent, ConfirmIntent, CreateIntent, InjectedFailure, Request
from sandbox.errors import Error
from sandbox.objects import Methods, Status
from sandbox.transition import transition

from .conftest import Till

DAY = 24 * 3600


def test_the_same_key_and_parameters_get_the_first_answer_and_do_nothing_again(till: Till) -> None:
    asked = CreateIntent(1099, "usd", "pm_card_visa", Methods.CARD, confirm=True)
    first = till.ask(asked, key="k")
    again = till.ask(asked, key="k")
    assert again == replace(first, replayed=True)
    assert len(till.world.intents) == 1
    assert till.moved() == [("captured", 1099)]


def test_the_first_answer_is_given_even_when_the_object_has_gone_on(till: Till) -> None:
    name = till.intent(capture_method="manual")
    held = till.confirm(name, key="k").body
    till.capture(name)
    assert till.confirm(name, key="k").body == held
    assert till.get(name).status is Status.SUCCEEDED


def test_a_decline_is_kept(till: Till) -> None:
    name = till.intent("pm_card_visa_chargeDeclined")
    first = till.confirm(name, key="k")
    assert first.status == 402
    assert till.confirm(name, key="k").body == first.body
    assert till.get(name).attempts == 1


def test_a_refusal_is_kept(till: Till) -> None:
    name = till.intent(None)
    assert till.confirm(name, key="k").status == 400
    till.confirm(name, payment_method="pm_card_visa")
    assert till.confirm(name, key="k").body.intent.status is Status.REQUIRES_PAYMENT_METHOD


def test_other_parameters_are_an_idempotency_error(till: Till) -> None:
    name = till.held()
    till.ask(CaptureIntent(name, 100), key="k")
    error = till.ask(CaptureIntent(name, 200), key="k").body
    assert (error.status, error.type) == (400, "idempotency_error")


def test_another_path_is_an_idempotency_error(till: Till) -> None:
    till.confirm(till.intent(), key="k")
    error = till.confirm(till.intent(), key="k").body
    assert (error.status, error.type) == (400, "idempotency_error")
    assert "endpoint" in error.message


def test_an_idempotency_error_leaves_the_key_as_it_was(till: Till) -> None:
    name = till.held()
    first = till.ask(CaptureIntent(name, 100), key="k")
    till.ask(CaptureIntent(name, 200), key="k")
    assert till.ask(CaptureIntent(name, 100), key="k").body == first.body


def test_a_dead_key_is_a_new_request(till: Till) -> None:
    name = till.intent("pm_card_visa")
    paid = till.confirm(name, key="k")
    till.now += DAY - 1
    assert till.confirm(name, key="k").replayed
    till.now += 1
    late = till.confirm(name, key="k")
    assert not late.replayed
    assert (late.status, paid.status) == (400, 200)


def test_a_dead_keys_refund_is_a_second_refund(till: Till) -> None:
    name = till.confirmed()
    till.refund(name, 100, key="k")
    till.now += DAY
    till.refund(name, 100, key="k")
    assert [refund.amount for refund in till.world.refunds] == [100, 100]


def test_a_500_after_the_effect_is_kept_and_the_effect_is_there(till: Till) -> None:
    name = till.intent()
    broken = till.ask(ConfirmIntent(name), "k", InjectedFailure.FAILS_AFTER)
    assert broken.status == 500
    assert till.confirm(name, key="k") == replace(broken, replayed=True)
    assert till.get(name).status is Status.SUCCEEDED
    assert till.moved() == [("captured", 1099)]


def test_a_500_before_the_effect_is_kept_too(till: Till) -> None:
    name = till.intent()
    assert till.ask(ConfirmIntent(name), "k", InjectedFailure.FAILS_BEFORE).status == 500
    assert till.confirm(name, key="k").status == 500
    assert till.get(name).status is Status.REQUIRES_CONFIRMATION
    assert till.confirm(name, key="k2").status == 200


def test_what_is_to_be_expanded_belongs_to_the_parameters(till: Till) -> None:
    name = till.intent()
    action = ConfirmIntent(name)
    world, _ = transition(till.world, Request(action, "k", ("latest_charge",)), till.now)
    _, other = transition(world, Request(action, "k"), till.now)
    assert isinstance(other.body, Error)
    assert other.body.type == "idempotency_error"


def test_worlds_do_not_differ_by_the_order_in_which_keys_came(till: Till) -> None:
    one, other = till.intent(), till.intent()
    before = till.world
    till.confirm(one, key="a")
    till.confirm(other, key="b")
    first = replace(till.world, events=(), movements=())
    till.world = before
    till.confirm(other, key="b")
    till.confirm(one, key="a")
    assert replace(till.world, events=(), movements=()) == first
