"""The restored database of docs/kubernetes.md keeps every rule."""

import os
import re
import textwrap
from pathlib import Path

import pytest

pytest.importorskip("kubernetes_validate", reason="`make kubernetes-check` brings what this needs")

import yaml

from verification.kubernetes import network
from verification.kubernetes.rendering import KUBERNETES, Rendering, read, render
from verification.kubernetes.rules import RULES
from verification.kubernetes.schemas import Definitions

PAGE = KUBERNETES.parent / "docs" / "kubernetes.md"
CLUSTER = "overlays/production/payment/cluster.yaml"


@pytest.fixture(scope="module")
def restored() -> Rendering:
    """Production, with the page's block in place of `bootstrap`."""
    (block,) = re.findall(r"^ *```yaml\n(.*?)^ *```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    written = yaml.safe_load(textwrap.dedent(block))
    cluster = yaml.safe_load((KUBERNETES / CLUSTER).read_text())
    cluster["spec"] |= written["spec"]
    return read("production", render("production", changed={CLUSTER: yaml.safe_dump(cluster)}))


def test_a_restored_database_keeps_every_rule(restored: Rendering) -> None:
    assert [fault for rule in RULES for fault in rule(restored)] == []
    assert list(network.differences(restored)) == []


def test_a_restored_cluster_differs_only_in_its_bootstrap(restored: Rendering) -> None:
    before = read("production", render("production")).named(
        "Cluster", "oncepay-payment", "database"
    )
    after = restored.named("Cluster", "oncepay-payment", "database")

    assert before is not None
    assert after is not None
    created, recovered = (
        before["spec"]["bootstrap"]["initdb"],
        after["spec"]["bootstrap"]["recovery"],
    )
    for name in ("database", "owner", "secret"):
        assert recovered[name] == created[name]
    others = before["spec"].keys() - {"bootstrap", "plugins"}
    assert {name: after["spec"][name] for name in others} == {
        name: before["spec"][name] for name in others
    }


@pytest.mark.skipif(not os.environ.get("CRDS"), reason="CRDS names no folder of definitions")
def test_cloudnativepg_knows_every_field(restored: Rendering) -> None:
    definitions = Definitions(Path(os.environ["CRDS"]))

    assert "Cluster" not in definitions.missing(restored)
    assert list(definitions.faults(restored)) == []
