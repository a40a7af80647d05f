"""The schemas, the scanner and the renderer reject what is wrong."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("kubernetes_validate", reason="`make kubernetes-check` brings what this needs")

import yaml

from verification.kubernetes import rendering
from verification.kubernetes.__main__ import scanner_faults
from verification.kubernetes.schemas import VERSIONS, Definitions, faults

INVALID: dict[str, dict[str, Any]] = {
    "a misspelt field": {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "a"},
        "spec": {"slector": {"a": "b"}},
    },
    "a removed version": {
        "apiVersion": "autoscaling/v2beta2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "a"},
    },
    "an unknown kind": {
        "apiVersion": "example.org/v1",
        "kind": "Unknown",
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
@pytest.mark.parametrize("invalid", INVALID.values(), ids=INVALID)
def test_the_schemas_reject(tmp_path: Path, version: str, invalid: dict[str, Any]) -> None:
    file = tmp_path / "invalid.yaml"
    file.write_text(yaml.safe_dump(invalid))

    assert list(faults(file, version))


@pytest.mark.parametrize("spec", [{"instances": 0}, {"instances": 3, "synchronus": {}}])
def test_an_operators_kind_is_validated_by_its_definition(tmp_path: Path, spec: Any) -> None:
    (tmp_path / "cluster.yaml").write_text(yaml.safe_dump(DEFINITION))
    cluster: dict[str, Any] = {"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster"}
    cluster |= {"metadata": {"name": "database"}, "spec": spec}
    rendered = rendering.Rendering("production", (cluster,))

    assert list(Definitions(tmp_path).faults(rendered))
    assert Definitions(tmp_path).missing(rendered) == []
    assert Definitions(None).missing(rendered) == ["Cluster"]


def test_the_scanner_rejects_a_privileged_pod(tmp_path: Path) -> None:
    container = {"name": "a", "image": "a", "securityContext": {"privileged": True}}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}
    file = tmp_path / "pod.yaml"
    file.write_text(yaml.safe_dump(pod | {"spec": {"containers": [container]}}))

    assert any("privileged" in fault for fault in scanner_faults(file))


def test_an_overlay_that_does_not_render_is_an_error() -> None:
    with pytest.raises(rendering.NotRendered):
        rendering.render("nowhere")
