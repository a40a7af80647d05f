"""A rolling restart under load fails no call: two replicas of each service, one after the other."""

from collections.abc import Iterator

import pytest

from verification.processes import ServiceProcess
from verification.rolling import SERVICES, Replicas, two_of_each


@pytest.fixture(scope="module")
def replicas() -> Iterator[Replicas]:
    with two_of_each() as started:
        yield started


@pytest.mark.parametrize("service", SERVICES)
def test_a_rolling_restart_fails_no_call_of_a_client_that_keeps_the_contract(
    replicas: Replicas, service: str
) -> None:
    restart = replicas.restart(service)

    assert restart.observed.calls["CreatePayment"] > len(restart.seconds)
    assert restart.observed.given_up == []
    assert restart.discrepancies == []


def test_a_killed_replica_is_noticed_by_clients_and_costs_none_of_them_a_payment(
    replicas: Replicas,
) -> None:
    restart = replicas.restart("payment", ServiceProcess.kill)

    assert sum(restart.observed.failed.values()) > 0
    assert restart.observed.given_up == []
    assert restart.discrepancies == []
