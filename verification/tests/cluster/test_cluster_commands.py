"""The commands of the cluster suite, on a cluster that refuses: it removes what it made, and nothing else."""

import json
from typing import Any

import pytest

pytest.importorskip("kubernetes_validate", reason="`make kubernetes-check` brings what this needs")

from verification.cluster import cluster as suite
from verification.cluster.cluster import ADDRESSED, NAMESPACES, Cluster, NamespaceExists, installed
from verification.cluster.kubectl import Kubectl
from verification.commands import CommandFailed
from verification.kubernetes.rendering import Rendering

DEFAULT = {"storageclass.kubernetes.io/is-default-class": "true"}
REMOVAL = ("delete", "namespaces", *NAMESPACES)


class ScriptedKubectl(Kubectl):
    """Answers with the given objects, refuses the given command, and records every command."""

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
        self.commands: list[tuple[str, ...]] = []
        self.inputs: list[str] = []
        self._refusing, self._words, self._log = refusing, words, log
        named = [{"metadata": {"name": name}} for name in namespaces]
        classes = [{"metadata": {"annotations": DEFAULT}}] if storage else []
        services = [{"spec": {"clusterIP": address}} for address in taken]
        self._objects: dict[str, Any] = {
            "namespaces": {"items": named},
            "storageclasses": {"items": classes},
            "servicecidr": {"spec": {"cidrs": [cidr]}},
            "services -n": {"items": [{}] if dns else []},
            "services --all-namespaces": {"items": services},
        }

    def run(self, *arguments: str, stdin: str | None = None, **_: object) -> tuple[str, str]:
        self.commands.append(arguments)
        self.inputs += [stdin] if stdin is not None else []
        if self._refusing in " ".join(arguments):
            raise CommandFailed(self._words)
        if arguments[0] == "get":
            answers = [self._objects.get(" ".join(arguments[1:count])) for count in (2, 3)]
            return json.dumps(next((each for each in answers if each), {"items": []})), ""
        if arguments[0] == "logs":
            return self._log, ""
        return "", "Warning: it will go away\nanything" if arguments[0] == "apply" else ""

    def ran(self, *words: str) -> bool:
        return any(each[: len(words)] == words for each in self.commands)


@pytest.fixture(autouse=True)
def rendering(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without kustomize: what is rendered does not matter here."""
    rendered = Rendering("no-dns", (DEPLOYMENT, JOB))
    monkeypatch.setattr(suite, "render", lambda _, addresses: json.dumps(addresses))
    monkeypatch.setattr(suite, "read", lambda *_: rendered)


DEPLOYMENT = {
    "kind": "Deployment",
    "metadata": {"name": "customer", "namespace": "oncepay-customer"},
}
JOB = {"kind": "Job", "metadata": {"name": "migrate-0-1-0", "namespace": "oncepay-customer"}}


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_a_cluster_that_has_a_namespace_of_ours_is_left_unchanged(namespace: str) -> None:
    kubectl = ScriptedKubectl(namespaces=("default", namespace))

    with pytest.raises(NamespaceExists, match=namespace), installed(kubectl):
        pytest.fail("it was installed over an existing namespace")

    assert {each[0] for each in kubectl.commands} == {"get"}


def test_what_was_made_is_removed_at_the_end_and_nothing_else() -> None:
    kubectl = ScriptedKubectl()

    with installed(kubectl):
        assert not kubectl.ran("delete")

    assert [each for each in kubectl.commands if each[0] == "delete"] == [kubectl.commands[-1]]
    named = [word for word in kubectl.commands[-1] if not word.startswith("--")]
    assert named == [*REMOVAL]


@pytest.mark.parametrize("refusing", ["apply", "rollout status", "wait"])
def test_it_is_removed_also_when_the_cluster_refuses(refusing: str) -> None:
    kubectl = ScriptedKubectl(refusing=refusing, words="no room")

    with pytest.raises(CommandFailed, match="no room"), installed(kubectl):
        pytest.fail("it counted as installed")

    assert kubectl.ran(*REMOVAL)


def test_it_is_removed_also_when_a_test_is_interrupted() -> None:
    kubectl = ScriptedKubectl()

    with pytest.raises(KeyboardInterrupt), installed(kubectl):
        raise KeyboardInterrupt

    assert kubectl.ran(*REMOVAL)


def test_a_wait_in_vain_reports_pods_and_events() -> None:
    kubectl = ScriptedKubectl(refusing="rollout status")

    with pytest.raises(CommandFailed), installed(kubectl):
        pass

    assert kubectl.ran("get", "events")
    assert kubectl.ran("get", "pods")


def test_the_warnings_of_the_api_server_are_kept() -> None:
    with installed(ScriptedKubectl()) as cluster:
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
def test_a_cluster_without_dns_or_without_storage_gets_the_no_dns_overlay(
    dns: bool, storage: bool, overlay: str
) -> None:
    assert Cluster(ScriptedKubectl(dns=dns, storage=storage)).overlay == overlay


def test_the_overlay_can_be_chosen() -> None:
    assert Cluster(ScriptedKubectl(dns=True, storage=True), "no-dns").overlay == "no-dns"


def test_addresses_are_free_ones_of_the_clusters_range() -> None:
    taken = ("10.43.0.1", "10.43.0.10", "10.43.0.12", "None")
    kubectl = ScriptedKubectl(taken=taken)
    Cluster(kubectl).apply()

    (applied,) = kubectl.inputs
    addresses = json.loads(applied)
    assert [*addresses] == [*ADDRESSED]
    assert [*addresses.values()] == [f"10.43.0.{each}" for each in (11, 13, 14, 15, 16, 17)]


def test_a_used_up_disruption_budget_is_distinguished_from_other_errors() -> None:
    used_up = "Cannot evict pod as it would violate the pod's disruption budget."
    assert Cluster(ScriptedKubectl()).evict("payment", "payment-1")
    assert not Cluster(ScriptedKubectl(refusing="eviction", words=used_up)).evict(
        "payment", "payment-1"
    )
    with pytest.raises(CommandFailed, match="not found"):
        Cluster(ScriptedKubectl(refusing="eviction", words="not found")).evict(
            "payment", "payment-1"
        )


def test_the_report_of_a_reconciliation_is_found_in_its_log() -> None:
    log = '{"event":"ready"}\n{\n  "differences": [],\n  "totals": [\n    {}\n  ]\n}\n{"event":"end"}\n'

    report = Cluster(ScriptedKubectl(log=log)).reconcile()

    assert report == {"differences": [], "totals": [{}]}


def test_a_failed_reconciliation_is_reported_with_its_log() -> None:
    with pytest.raises(CommandFailed, match="charged twice"):
        Cluster(ScriptedKubectl(refusing="wait", log="charged twice")).reconcile()
