"""Lists, as Stripe pages them."""

from typing import Any

import pytest

from sandbox.actions import List, Window
from sandbox.objects import Methods

from .conftest import Till


@pytest.fixture
def five(till: Till) -> list[str]:
    """Five intents, one a second."""
    names = []
    for _ in range(5):
        names.append(till.intent())
        till.now += 1
    return names


def listed(till: Till, kind: str = "payment_intent", **given: Any) -> tuple[list[str], bool]:
    page = till.ask(List(kind, **given)).body
    return [one.id for one in page.items], page.has_more


def test_the_newest_come_first_and_more_is_said(till: Till, five: list[str]) -> None:
    assert listed(till, limit=2) == ([five[4], five[3]], True)
    assert listed(till, limit=5) == (five[::-1], False)


def test_a_page_goes_on_after_the_last_of_the_one_before(till: Till, five: list[str]) -> None:
    assert listed(till, limit=2, starting_after=five[3]) == ([five[2], five[1]], True)
    assert listed(till, starting_after=five[0]) == ([], False)


def test_an_unknown_starting_after_is_refused(till: Till, five: list[str]) -> None:
    error = till.ask(List("payment_intent", starting_after="pi_nobody")).body
    assert (error.status, error.code, error.param) == (400, "resource_missing", "starting_after")


def test_created_cuts_both_ends(till: Till, five: list[str]) -> None:
    build_payment = till.get(five[0]).created
    window = Window(build_payment + 1, build_payment + 3)
    assert listed(till, created=window, limit=2) == ([five[3], five[2]], True)
    assert listed(till, created=window) == ([five[3], five[2], five[1]], False)


def test_refunds_are_listed_by_their_intent(till: Till) -> None:
    one, other = till.confirmed(), till.confirmed()
    first = till.refund(one, 1).body.id
    till.refund(other, 1)
    second = till.refund(one, 2).body.id
    assert listed(till, "refund", intent=one) == ([second, first], False)
    assert listed(till, "refund", intent=one, starting_after=second) == ([first], False)
    assert listed(till, "refund", intent=one, limit=1) == ([second], True)


def test_refunds_of_an_intent_that_never_was_charged_are_none(till: Till) -> None:
    assert listed(till, "refund", intent=till.intent()) == ([], False)


def test_events_are_listed_by_type(till: Till) -> None:
    till.confirmed()
    till.held(methods=Methods.CARD)
    names, _ = listed(till, "event", types=("payment_intent.succeeded",))
    assert len(names) == 1
