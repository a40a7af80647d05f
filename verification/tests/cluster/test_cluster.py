"""The manifests on the cluster that KUBECONFIG names, by `make cluster-test`, in the order of the file."""

import os
import sys
from collections.abc import Iterator

import pytest

if not os.environ.get("CLUSTER_TEST"):
    reason = "A cluster is tested by `make cluster-test`, which says so."
    pytest.skip(reason, allow_module_level=True)

from oncepay_cli.local.first_payment import AMOUNT
from verification.audit import discrepancies
from verification.client import execute_first_payment
from verification.cluster.cluster import Cluster, installed
from verification.cluster.kubectl import Kubectl
from verification.cluster.load_pod import forwarded_ports, under_load
from verification.load import Observations

SERVICES = ("customer", "payment")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    if not os.environ.get("KUBECONFIG"):
        pytest.skip("KUBECONFIG names no cluster: nothing was tested on one.")
    if not Kubectl.is_installed():
        pytest.skip("There is no kubectl on the PATH: nothing was tested on a cluster.")
    with installed(Kubectl(), os.environ.get("OVERLAY", "")) as applied:
        yield applied


def show(capsys: pytest.CaptureFixture[str], what: str, observed: Observations) -> None:
    """Print the figures, whether or not the test passes."""
    with capsys.disabled():
        failed, calls = sum(observed.failed.values()), sum(observed.calls.values())
        sys.stdout.write(
            f"\n{what}: {calls} calls, {failed} failed at the first try, "
            f"{len(observed.given_up)} after the retry, {len(observed.payments)} payments, "
            f"longest wait {observed.longest_seconds:.1f} s\n"
        )


def test_the_cluster_accepts_every_object_without_a_warning(cluster: Cluster) -> None:
    assert cluster.warnings == []


def test_a_first_payment_is_executed_once(cluster: Cluster) -> None:
    with forwarded_ports(cluster) as ports:
        first = execute_first_payment(ports)

    assert first.payment.State.Name(first.payment.state) == "SUCCEEDED"
    assert first.charges == [AMOUNT.minor_units]


@pytest.mark.parametrize("service", SERVICES)
def test_a_rolling_restart_under_load_fails_no_client_that_keeps_the_contract(
    cluster: Cluster, service: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = cluster.pods(service)
    with under_load(cluster) as observed:
        cluster.roll(service)
    show(capsys, f"{service}, rolled", observed)

    assert not {*before} & {*cluster.pods(service)}
    assert observed.calls["CreatePayment"] > 0
    assert observed.given_up == []
    with forwarded_ports(cluster) as ports:
        assert discrepancies(ports, observed) == []


@pytest.mark.parametrize("service", SERVICES)
def test_pods_are_evicted_one_at_a_time_and_no_payment_is_lost(
    cluster: Cluster, service: str, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = cluster.pods(service)
    with under_load(cluster) as observed:
        assert cluster.evict(service, first)
        assert not cluster.evict(service, second), "the disruption budget should have been used up"
        cluster.wait_until_complete(service)
        assert cluster.evict(service, second), "the disruption budget should have been full again"
        cluster.wait_until_complete(service)
    show(capsys, f"{service}, evicted", observed)

    assert not {first, second} & {*cluster.pods(service)}
    assert observed.given_up == []
    with forwarded_ports(cluster) as ports:
        assert discrepancies(ports, observed) == []


def test_reconciliation_finds_no_difference(cluster: Cluster) -> None:
    report = cluster.reconcile()

    assert report["differences"] == []
    assert [each["currency_code"] for each in report["totals"]] == ["EUR"]
    assert report["totals"][0]["internal"] == report["totals"][0]["processor"]
