"""The schemas, the scanner and the renderer do refuse what they are there for."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("kubernetes_validate", reason="`make kubernetes-check` brings what this needs")

import yaml

from verification.kubernetes import rendering
from verification.kubernetes.__main__ import scanned
from verification.kubernetes.schemas import VERSIONS, Definitions, faults

PARTS: dict[str, dict[str, Any]] = {
    "a misspelt field": {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "a"},
        "spec": {"slector": {"a": "b"}},
    },
    "a version that was removed": {
        "apiVersion": "autoscaling/v2beta2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "a"},
    },
    "a kind that nobody knows": {
        "apiVersion": "example.org/v1",
        "kind": "Wonder",
        "metadata": {"name": "a"},
    },
}
DEFINITION = {
    "kind": "CustomResourceDefinition",
    "spec": {
        "group": "postgresql.cnpg.io",
        "names": {"kind": "Cluster"},
        "versions": [
            {
                "name": "v1",
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "apiVersion": {"type": "string"},
                            "kind": {"type": "string"},
                            "spec": {
                                "type": "object",
                                "properties": {"instances": {"type": "integer", "minimum": 1}},
                            },
                        },
                    }
                },
            }
        ],
    },
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_kubernetes_refuses(tmp_path: Path, version: str, part: dict[str, Any]) -> None:
    file = tmp_path / "part.yaml"
    file.write_text(yaml.safe_dump(part))

    assert list(faults(file, version))


@pytest.mark.parametrize("spec", [{"instances": 0}, {"instances": 3, "synchronus": {}}])
def test_an_operators_kind_is_held_to_its_definition(tmp_path: Path, spec: Any) -> None:
    (tmp_path / "cluster.yaml").write_text(yaml.safe_dump(DEFINITION))
    cluster: dict[str, Any] = {"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster"}
    cluster |= {"metadata": {"name": "database"}, "spec": spec}
    rendered = rendering.Rendering("production", (cluster,))

    assert list(Definitions(tmp_path).faults(rendered))
    assert Definitions(tmp_path).missing(rendered) == []
    assert Definitions(None).missing(rendered) == ["Cluster"]


def test_the_scanner_refuses_a_privileged_pod(tmp_path: Path) -> None:
    container = {"name": "a", "image": "a", "securityContext": {"privileged": True}}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}
    file = tmp_path / "pod.yaml"
    file.write_text(yaml.safe_dump(pod | {"spec": {"containers": [container]}}))

    assert any("privileged" in fault for fault in scanned(file))


def test_an_overlay_that_does_not_render_is_refused() -> None:
    with pytest.raises(rendering.NotRendered):
        rendering.render("nowhere")
