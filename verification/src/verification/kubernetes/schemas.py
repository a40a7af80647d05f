"""Validation of every object against the schemas of Kubernetes, and of the operators where there are any.

The validator only warns of a kind that it does not know: here that is a fault, except for the operators'
kinds. Their schemas are not in this repository: CRDS names a folder of their CustomResourceDefinitions.
"""

import copy
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from verification.kubernetes.rendering import Object, Rendering, describe

# The first in which the sleep of preStop is stable, and the newest that there are schemas of.
VERSIONS = ("1.34", "1.37")
OPERATORS = ("postgresql.cnpg.io/", "barmancloud.cnpg.io/")


def faults(rendered: Path, version: str) -> Iterator[str]:
    """What the schemas of one version of Kubernetes reject in a rendered file."""
    program = Path(sys.executable).with_name("kubernetes-validate")
    command = [str(program), "-k", version, "--strict", "--quiet", str(rendered)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    output = result.stdout + result.stderr
    for line in dict.fromkeys(output.splitlines()):
        unknown = re.search(r"find schema for kind \S+ with api version (\S+)", line)
        if not (unknown and unknown[1].startswith(OPERATORS)):
            yield f"Kubernetes {version}: {line}"
    if result.returncode and not output.strip():
        yield f"Kubernetes {version}: the validator failed without a message"


class Definitions:
    """The schemas of the operators' kinds, from a folder of CustomResourceDefinitions."""

    def __init__(self, folder: Path | None) -> None:
        self._validators: dict[tuple[str, str], Draft202012Validator] = {}
        for file in sorted(folder.glob("*.yaml")) if folder else []:
            for each in yaml.safe_load_all(file.read_text(encoding="utf-8")):
                if each and each["kind"] == "CustomResourceDefinition":
                    self._read(each["spec"])

    def _read(self, spec: Object) -> None:
        for version in spec["versions"]:
            schema = _strict(copy.deepcopy(version["schema"]["openAPIV3Schema"]))
            schema["properties"]["metadata"] = {"type": "object"}
            kind = (f"{spec['group']}/{version['name']}", spec["names"]["kind"])
            self._validators[kind] = Draft202012Validator(schema)

    def faults(self, rendering: Rendering) -> Iterator[str]:
        for each in self._operated(rendering):
            if validator := self._validators.get((each["apiVersion"], each["kind"])):
                for error in validator.iter_errors(each):
                    yield f"{describe(each)}: {error.json_path}: {error.message}"

    def missing(self, rendering: Rendering) -> list[str]:
        """The operators' kinds that nothing here can check."""
        kinds = {(each["apiVersion"], each["kind"]) for each in self._operated(rendering)}
        return sorted(kind for version, kind in kinds if (version, kind) not in self._validators)

    @staticmethod
    def _operated(rendering: Rendering) -> Iterator[Object]:
        return (each for each in rendering.objects if each["apiVersion"].startswith(OPERATORS))


def _strict(schema: Any) -> Any:
    """A schema of a CustomResourceDefinition as JSON Schema: fields that it does not list are rejected."""
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    strict = {key: _strict(value) for key, value in schema.items()}
    listed = isinstance(schema.get("properties"), dict) and schema.get("type") == "object"
    if listed and not schema.get("x-kubernetes-preserve-unknown-fields"):
        strict.setdefault("additionalProperties", False)
    return strict
