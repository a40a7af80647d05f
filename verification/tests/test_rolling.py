"""A roll under load drops nothing: two replicas of each service as processes, one after the other anew."""

from collections.abc import Iterator

import pytest

from verification.rolling import SERVICES, Replica, Replicas, two_of_each


@pytest.fixture(scope="module")
def replicas() -> Iterator[Replicas]:
    with two_of_each() as started:
        yield started


@pytest.mark.parametrize("service", SERVICES)
def test_a_roll_fails_no_call_of_a_caller_that_keeps_the_contract(
    replicas: Replicas, service: str
) -> None:
    roll = replicas.roll(service)

    assert roll.seen.calls["CreatePayment"] > len(roll.seconds)
    assert roll.seen.given_up == []
    assert roll.missing == []
    assert roll.captures == {1}


def test_a_replica_that_is_killed_is_seen_by_callers_and_costs_none_of_them_a_payment(
    replicas: Replicas,
) -> None:
    roll = replicas.roll("payment", Replica.crash)

    assert sum(roll.seen.failed.values()) > 0
    assert roll.seen.given_up == []
    assert roll.missing == []
    assert roll.captures == {1}
