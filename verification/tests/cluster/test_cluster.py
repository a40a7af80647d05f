"""The manifests on the cluster that KUBECONFIG names: `make cluster-test`. In the order of the file."""

import os
import sys
from collections.abc import Iterator

import pytest

if not os.environ.get("CLUSTER_TEST"):
    reason = "A cluster is tested by `make cluster-test`, which says so."
    pytest.skip(reason, allow_module_level=True)

from oncepay_cli.connection import connect
from oncepay_cli.local import first_payment
from oncepay_cli.local.health import HOST
from verification.caller import Snapshot
from verification.cluster.calling import called, forwarded, unpaid
from verification.cluster.cluster import Cluster, installed
from verification.cluster.kubectl import Kubectl

SERVICES = ("customer", "payment")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    if not os.environ.get("KUBECONFIG"):
        pytest.skip("KUBECONFIG names no cluster: nothing was tested on one.")
    if not Kubectl.is_there():
        pytest.skip("There is no kubectl on the PATH: nothing was tested on a cluster.")
    with installed(Kubectl(), os.environ.get("OVERLAY", "")) as there:
        yield there


def say(capsys: pytest.CaptureFixture[str], what: str, seen: Snapshot) -> None:
    """The figures, whether or not the test passes."""
    with capsys.disabled():
        failed, calls = sum(seen.failed.values()), sum(seen.calls.values())
        sys.stdout.write(
            f"\n{what}: {calls} calls, {failed} failed at the first try, "
            f"{len(seen.given_up)} after the retry, {len(seen.payments)} payments, "
            f"longest wait {seen.longest_seconds:.1f} s\n"
        )


def test_the_cluster_takes_every_object_without_a_warning(cluster: Cluster) -> None:
    assert cluster.warnings == []


def test_a_first_payment_is_executed_once(cluster: Cluster) -> None:
    with (
        forwarded(cluster) as ports,
        connect(f"{HOST}:{ports.customer}") as customers,
        connect(f"{HOST}:{ports.payment}") as payments,
    ):
        sandbox = f"http://{HOST}:{ports.sandbox}"
        first = first_payment.execute(customers, payments, sandbox)

    assert first.payment.State.Name(first.payment.state) == "SUCCEEDED"
    assert first.charges == [first_payment.AMOUNT.minor_units]


@pytest.mark.parametrize("service", SERVICES)
def test_a_roll_under_load_fails_no_caller_that_keeps_the_contract(
    cluster: Cluster, service: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = cluster.pods(service)
    with called(cluster) as seen:
        cluster.roll(service)
    say(capsys, f"{service}, rolled", seen)

    assert not {*before} & {*cluster.pods(service)}
    assert seen.calls["CreatePayment"] > 0
    assert seen.given_up == []
    assert unpaid(cluster, seen) == []


@pytest.mark.parametrize("service", SERVICES)
def test_one_pod_at_a_time_is_evicted_and_no_payment_is_lost(
    cluster: Cluster, service: str, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = cluster.pods(service)
    with called(cluster) as seen:
        assert cluster.evict(service, first)
        assert not cluster.evict(service, second), "the budget should have been used up"
        cluster.wait_until_whole(service)
        assert cluster.evict(service, second), "the budget should have been full again"
        cluster.wait_until_whole(service)
    say(capsys, f"{service}, evicted", seen)

    assert not {first, second} & {*cluster.pods(service)}
    assert seen.given_up == []
    assert unpaid(cluster, seen) == []


def test_the_processors_books_agree_with_ours(cluster: Cluster) -> None:
    report = cluster.reconcile()

    assert report["differences"] == []
    assert [each["currency_code"] for each in report["totals"]] == ["EUR"]
    assert report["totals"][0]["internal"] == report["totals"][0]["processor"]
