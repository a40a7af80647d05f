"""Lists of payments: filters, order and pages, in each implementation."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from support.examples import NOW, PAYMENT_ID
from support.repositories import Repositories

from chassis.aip.filters import Comparison
from chassis.aip.pages import Position
from chassis.identifiers import uuid7
from chassis.values import Reference
from payment.domain.payment import Payment, PublicState, State
from payment.domain.values import CustomerName
from payment.repository.postgresql.listing import select
from payment.service_layer.ports import PaymentQuery

ANNA, BORIS = CustomerName(uuid7()), CustomerName(uuid7())
A_1 = Reference("A-1")


@pytest.fixture
async def listed(repositories: Repositories) -> list[Payment]:
    """A payment in each state, and some with other customers, references and times; oldest first."""
    created = [await repositories.create_in(state, customer=ANNA) for state in State]
    created.append(await repositories.create_in(State.FAILED, customer=BORIS, reference=A_1))
    created.append(
        await repositories.hold(await repositories.create_in(State.CAPTURING, customer=BORIS))
    )
    for state in (State.FAILED, State.CANCELED):
        deleted = await repositories.create_in(state, customer=BORIS, reference=A_1)
        created.append(await repositories.delete(deleted))
    created.append(await repositories.create_in(State.SUCCEEDED, customer=BORIS, reference=A_1))
    return created


def state_is(*states: State) -> Callable[[Payment], bool]:
    return lambda each: each.state in states


FILTERS: list[tuple[dict[str, Any], Callable[[Payment], bool]]] = [
    ({}, lambda _: True),
    ({"customer": BORIS}, lambda each: each.request.customer == BORIS),
    ({"customer": CustomerName(PAYMENT_ID)}, lambda _: False),
    ({"reference": A_1}, lambda each: each.request.reference == A_1),
    ({"reference": Reference("A-2")}, lambda _: False),
    ({"held": True}, lambda each: each.held is not None),
    ({"held": False}, lambda each: each.held is None),
    (
        {"state": PublicState.PROCESSING},
        state_is(State.CONFIRMING, State.CAPTURING, State.CANCELING),
    ),
    *(
        ({"state": state}, state_is(State(state.value)))
        for state in PublicState
        if state is not PublicState.PROCESSING
    ),
    (
        {"state": PublicState.FAILED, "customer": BORIS, "reference": A_1, "held": False},
        lambda each: each.state is State.FAILED and each.request.customer == BORIS,
    ),
]


async def test_a_list_has_the_payments_that_match_its_filter(
    repositories: Repositories, listed: list[Payment], subtests: Any
) -> None:
    for (filters, matches), show_deleted, newest_first in itertools.product(
        FILTERS, (False, True), (False, True)
    ):
        query = PaymentQuery(100, show_deleted=show_deleted, newest_first=newest_first, **filters)
        expected = [
            each for each in listed if matches(each) and (show_deleted or not each.delete_time)
        ]
        with subtests.test(str(query)):
            found = await repositories.payments.list(query)
            assert found == (expected[::-1] if newest_first else expected)


async def test_pages_have_every_payment_once_and_in_order(
    repositories: Repositories, listed: list[Payment]
) -> None:
    for newest_first, show_deleted in itertools.product((True, False), repeat=2):
        query = PaymentQuery(2, newest_first=newest_first, show_deleted=show_deleted)
        found: list[Payment] = []
        while page := await repositories.payments.list(query):
            assert len(page) <= 2
            found += page
            query = replace(query, after=Position(page[-1].create_time, page[-1].id))
        assert found == await repositories.payments.list(replace(query, limit=100, after=None))


async def test_each_comparison_of_the_creation_time_is_exact_at_its_end(
    repositories: Repositories, listed: list[Payment]
) -> None:
    expected = {"<": listed[:4], "<=": listed[:5], ">": listed[5:], ">=": listed[4:]}
    for operator, payments in expected.items():
        range_ = ((Comparison(operator), listed[4].create_time),)
        query = PaymentQuery(100, show_deleted=True, newest_first=False, create_time=range_)
        assert await repositories.payments.list(query) == payments


async def test_several_comparisons_of_the_creation_time_apply_together(
    repositories: Repositories, listed: list[Payment]
) -> None:
    ranges = (
        (Comparison.AFTER, listed[1].create_time),
        (Comparison.UNTIL, listed[3].create_time),
    )
    found = await repositories.payments.list(
        PaymentQuery(100, newest_first=False, create_time=ranges)
    )
    assert found == listed[2:4]


def test_an_operator_that_is_none_of_ours_is_never_put_into_the_statement() -> None:
    ranges: Any = (("< now() --", NOW),)
    with pytest.raises(AttributeError):
        select(PaymentQuery(1, create_time=ranges))
