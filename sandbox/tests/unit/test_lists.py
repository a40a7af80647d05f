"""Lists with Stripe's pagination and filters."""

from typing import Any

import pytest

from sandbox.actions import List, TimeRange
from sandbox.objects import Methods

from .conftest import InMemorySandbox


@pytest.fixture
def five(sandbox: InMemorySandbox) -> list[str]:
    """Five intents, created one second apart."""
    names = []
    for _ in range(5):
        names.append(sandbox.create())
        sandbox.now += 1
    return names


def listed(
    sandbox: InMemorySandbox, kind: str = "payment_intent", **given: Any
) -> tuple[list[str], bool]:
    page = sandbox.perform(List(kind, **given)).body
    return [item.id for item in page.items], page.has_more


def test_a_page_is_newest_first_and_says_whether_there_are_more(
    sandbox: InMemorySandbox, five: list[str]
) -> None:
    assert listed(sandbox, limit=2) == ([five[4], five[3]], True)
    assert listed(sandbox, limit=5) == (five[::-1], False)


def test_a_page_starts_after_the_given_id(sandbox: InMemorySandbox, five: list[str]) -> None:
    assert listed(sandbox, limit=2, starting_after=five[3]) == ([five[2], five[1]], True)
    assert listed(sandbox, starting_after=five[0]) == ([], False)


def test_an_unknown_starting_after_is_rejected(sandbox: InMemorySandbox, five: list[str]) -> None:
    error = sandbox.perform(List("payment_intent", starting_after="pi_nobody")).body
    assert (error.status, error.code, error.param) == (400, "resource_missing", "starting_after")


def test_created_limits_a_page_at_both_ends(sandbox: InMemorySandbox, five: list[str]) -> None:
    first = sandbox.get(five[0]).created
    second_to_fourth = TimeRange(first + 1, first + 3)
    assert listed(sandbox, created=second_to_fourth, limit=2) == ([five[3], five[2]], True)
    assert listed(sandbox, created=second_to_fourth) == ([five[3], five[2], five[1]], False)


def test_refunds_are_filtered_by_intent(sandbox: InMemorySandbox) -> None:
    intent, other = sandbox.pay(), sandbox.pay()
    first = sandbox.refund(intent, 1).body.id
    sandbox.refund(other, 1)
    second = sandbox.refund(intent, 2).body.id
    assert listed(sandbox, "refund", intent=intent) == ([second, first], False)
    assert listed(sandbox, "refund", intent=intent, starting_after=second) == ([first], False)
    assert listed(sandbox, "refund", intent=intent, limit=1) == ([second], True)


def test_an_uncharged_intent_has_no_refunds(sandbox: InMemorySandbox) -> None:
    assert listed(sandbox, "refund", intent=sandbox.create()) == ([], False)


def test_events_are_filtered_by_type(sandbox: InMemorySandbox) -> None:
    sandbox.pay()
    sandbox.authorize(methods=Methods.CARD)
    names, _ = listed(sandbox, "event", types=("payment_intent.succeeded",))
    assert len(names) == 1
