"""What the suite does on a cluster that says no: it takes away what it made, and nothing else."""

import json
from typing import Any

import pytest

pytest.importorskip("kubernetes_validate", reason="`make kubernetes-check` brings what this needs")

from verification.cluster import cluster as suite
from verification.cluster.cluster import ADDRESSED, NAMESPACES, Cluster, NotOurs, installed
from verification.cluster.kubectl import Kubectl, Rejection
from verification.kubernetes.rendering import Rendering

DEFAULT = {"storageclass.kubernetes.io/is-default-class": "true"}
REMOVAL = ("delete", "namespaces", *NAMESPACES)


class Scripted(Kubectl):
    """A cluster that has what it is given here, refuses what it is told to, and remembers the rest."""

    def __init__(
        self,
        *,
        namespaces: tuple[str, ...] = ("default",),
        dns: bool = False,
        storage: bool = False,
        taken: tuple[str, ...] = (),
        cidr: str = "10.43.0.0/16",
        refusing: str = "nothing",
        words: str = "no",
        log: str = "",
    ) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.given: list[str] = []
        self._refusing, self._words, self._log = refusing, words, log
        named = [{"metadata": {"name": name}} for name in namespaces]
        classes = [{"metadata": {"annotations": DEFAULT}}] if storage else []
        services = [{"spec": {"clusterIP": address}} for address in taken]
        self._there: dict[str, Any] = {
            "namespaces": {"items": named},
            "storageclasses": {"items": classes},
            "servicecidr": {"spec": {"cidrs": [cidr]}},
            "services -n": {"items": [{}] if dns else []},
            "services --all-namespaces": {"items": services},
        }

    def run(self, *arguments: str, stdin: str | None = None, **_: object) -> tuple[str, str]:
        self.asked.append(arguments)
        self.given += [stdin] if stdin is not None else []
        if self._refusing in " ".join(arguments):
            raise Rejection(self._words)
        if arguments[0] == "get":
            answers = [self._there.get(" ".join(arguments[1:count])) for count in (2, 3)]
            return json.dumps(next((each for each in answers if each), {"items": []})), ""
        if arguments[0] == "logs":
            return self._log, ""
        return "", "Warning: it will go away\nanything" if arguments[0] == "apply" else ""

    def did(self, *words: str) -> bool:
        return any(each[: len(words)] == words for each in self.asked)


@pytest.fixture(autouse=True)
def rendering(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kustomize is not what is looked at here."""
    rendered = Rendering("no-dns", (DEPLOYMENT, JOB))
    monkeypatch.setattr(suite, "render", lambda _, addresses: json.dumps(addresses))
    monkeypatch.setattr(suite, "read", lambda *_: rendered)


DEPLOYMENT = {
    "kind": "Deployment",
    "metadata": {"name": "customer", "namespace": "oncepay-customer"},
}
JOB = {"kind": "Job", "metadata": {"name": "migrate-0-1-0", "namespace": "oncepay-customer"}}


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_a_cluster_that_has_a_namespace_of_ours_is_left_as_it_is(namespace: str) -> None:
    kubectl = Scripted(namespaces=("default", namespace))

    with pytest.raises(NotOurs, match=namespace), installed(kubectl):
        pytest.fail("it was installed over what was there")

    assert {each[0] for each in kubectl.asked} == {"get"}


def test_what_was_made_is_taken_away_at_the_end_and_nothing_else() -> None:
    kubectl = Scripted()

    with installed(kubectl):
        assert not kubectl.did("delete")

    assert [each for each in kubectl.asked if each[0] == "delete"] == [kubectl.asked[-1]]
    named = [word for word in kubectl.asked[-1] if not word.startswith("--")]
    assert named == [*REMOVAL]


@pytest.mark.parametrize("refusing", ["apply", "rollout status", "wait"])
def test_it_is_taken_away_also_when_the_cluster_refuses(refusing: str) -> None:
    kubectl = Scripted(refusing=refusing, words="no room")

    with pytest.raises(Rejection, match="no room"), installed(kubectl):
        pytest.fail("it was taken for installed")

    assert kubectl.did(*REMOVAL)


def test_it_is_taken_away_also_when_a_test_breaks_off() -> None:
    kubectl = Scripted()

    with pytest.raises(KeyboardInterrupt), installed(kubectl):
        raise KeyboardInterrupt

    assert kubectl.did(*REMOVAL)


def test_who_waits_in_vain_is_told_what_the_cluster_says_of_it() -> None:
    kubectl = Scripted(refusing="rollout status")

    with pytest.raises(Rejection), installed(kubectl):
        pass

    assert kubectl.did("get", "events")
    assert kubectl.did("get", "pods")


def test_the_warnings_of_the_cluster_are_kept() -> None:
    with installed(Scripted()) as cluster:
        assert cluster.warnings == ["Warning: it will go away"]


@pytest.mark.parametrize(
    ("dns", "storage", "overlay"),
    [
        (True, True, "development"),
        (True, False, "no-dns"),
        (False, True, "no-dns"),
        (False, False, "no-dns"),
    ],
)
def test_a_cluster_without_names_or_without_storage_gets_the_bare_overlay(
    dns: bool, storage: bool, overlay: str
) -> None:
    assert Cluster(Scripted(dns=dns, storage=storage)).overlay == overlay


def test_the_overlay_that_is_asked_for_is_taken() -> None:
    assert Cluster(Scripted(dns=True, storage=True), "no-dns").overlay == "no-dns"


def test_addresses_are_free_ones_of_the_clusters_own_range() -> None:
    taken = ("10.43.0.1", "10.43.0.10", "10.43.0.12", "None")
    kubectl = Scripted(taken=taken)
    Cluster(kubectl).apply()

    (given,) = kubectl.given
    addresses = json.loads(given)
    assert [*addresses] == [*ADDRESSED]
    assert [*addresses.values()] == [f"10.43.0.{each}" for each in (11, 13, 14, 15, 16, 17)]


def test_a_budget_that_is_used_up_is_told_from_every_other_refusal() -> None:
    used_up = "Cannot evict pod as it would violate the pod's disruption budget."
    assert Cluster(Scripted()).evict("payment", "payment-1")
    assert not Cluster(Scripted(refusing="eviction", words=used_up)).evict("payment", "payment-1")
    with pytest.raises(Rejection, match="not found"):
        Cluster(Scripted(refusing="eviction", words="not found")).evict("payment", "payment-1")


def test_the_report_of_a_reconciliation_is_found_among_the_lines_of_its_log() -> None:
    log = '{"event":"ready"}\n{\n  "differences": [],\n  "totals": [\n    {}\n  ]\n}\n{"event":"end"}\n'

    report = Cluster(Scripted(log=log)).reconcile()

    assert report == {"differences": [], "totals": [{}]}


def test_a_reconciliation_that_failed_is_told_with_its_report() -> None:
    with pytest.raises(Rejection, match="charged twice"):
        Cluster(Scripted(refusing="wait", log="charged twice")).reconcile()
