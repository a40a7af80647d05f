"""Rendering of an overlay: its objects, and the pods that are made from them."""

import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]

KUBERNETES = Path(__file__).resolve().parents[4] / "kubernetes"
OVERLAYS = ("development", "no-dns", "production")
TEMPLATED = ("Deployment", "StatefulSet", "Job", "CronJob")
"""Kinds whose pods are made from a template."""


class NotRendered(Exception):
    """kustomize failed; the message is its own."""


@dataclass(frozen=True, slots=True)
class Workload:
    """The pods that are made from one object.

    Attributes:
        pod: the pods' spec; empty where an operator writes it (a Cluster).
        labels: the pods' labels.
    """

    name: str
    namespace: str
    object: Object
    pod: Object
    labels: dict[str, str]

    @property
    def containers(self) -> list[Object]:
        return [*self.pod.get("initContainers", []), *self.pod.get("containers", [])]

    def ports(self) -> dict[str, int]:
        """Port by name, of those that have one."""
        ports = (port for container in self.containers for port in container.get("ports", []))
        return {port["name"]: port["containerPort"] for port in ports if "name" in port}

    def __str__(self) -> str:
        return describe(self.object)


@dataclass(frozen=True, slots=True)
class Rendering:
    """The objects of one overlay."""

    overlay: str
    objects: tuple[Object, ...]

    def of(self, *kinds: str) -> Iterator[Object]:
        return (each for each in self.objects if each["kind"] in kinds)

    def named(self, kind: str, namespace: str, name: str) -> Object | None:
        for each in self.of(kind):
            if (namespace_of(each), each["metadata"]["name"]) == (namespace, name):
                return each
        return None

    def workloads(self) -> Iterator[Workload]:
        for each in self.of(*TEMPLATED):
            spec = each["spec"]
            template = spec.get("jobTemplate", {}).get("spec", spec)["template"]
            labels = template.get("metadata", {}).get("labels", {})
            yield Workload(
                each["metadata"]["name"], namespace_of(each), each, template["spec"], labels
            )
        for each in self.of("Cluster"):
            labels = each["spec"].get("inheritedMetadata", {}).get("labels", {})
            name = each["metadata"]["name"]
            labels = labels | {"cnpg.io/cluster": name}
            yield Workload(name, namespace_of(each), each, {}, labels)

    def containers(self, *kinds: str) -> Iterator[tuple[Workload, Object]]:
        """Every container with its workload, of these kinds or of all."""
        for workload in self.workloads():
            if not kinds or workload.object["kind"] in kinds:
                for container in workload.containers:
                    yield workload, container


def namespace_of(item: Object) -> str:
    return str(item["metadata"].get("namespace", ""))


def describe(item: Object) -> str:
    """`Deployment oncepay-customer/customer`, as the messages of faults name it."""
    return f"{item['kind']} {namespace_of(item)}/{item['metadata']['name']}"


def matches(selector: Object, labels: dict[str, str]) -> bool:
    """Whether a label selector takes these labels; the empty one takes all.

    Raises:
        ValueError: an operator that Kubernetes does not know.
    """
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    for wanted in selector.get("matchExpressions", []):
        value = labels.get(wanted["key"])
        match wanted["operator"]:
            case "In":
                fits = value in wanted["values"]
            case "NotIn":
                fits = value not in wanted["values"]
            case "Exists":
                fits = value is not None
            case "DoesNotExist":
                fits = value is None
            case other:
                raise ValueError(f"a label selector has no operator {other}")
        if not fits:
            return False
    return True


def render(
    overlay: str,
    addresses: Mapping[str, str] | None = None,
    changed: Mapping[str, str] | None = None,
) -> str:
    """The YAML that `kubectl apply -k` would send, with random passwords.

    Args:
        addresses: of the Services, in place of those in no-dns's addresses.yaml.
        changed: texts in place of files of the manifests, by their path.

    Raises:
        NotRendered: kustomize failed.
    """
    program = Path(sys.executable).with_name("kubectl")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "kubernetes"
        shutil.copytree(KUBERNETES, copy, ignore=shutil.ignore_patterns("secrets"))
        for service in ("customer", "payment"):
            folder_of_secrets = copy / "overlays" / "development" / service / "secrets"
            folder_of_secrets.mkdir()
            for name in ("password.txt", "owner_password.txt"):
                (folder_of_secrets / name).write_text(f"{secrets.token_urlsafe(32)}\n")
        shared = f"{secrets.token_urlsafe(32)}\n"
        for part in ("payment", "sandbox"):
            folder_of_secrets = copy / "overlays" / "development" / part / "secrets"
            folder_of_secrets.mkdir(exist_ok=True)
            (folder_of_secrets / "webhook_secret.txt").write_text(shared)
        if addresses is not None:
            _set_addresses(copy / "overlays" / "no-dns" / "addresses.yaml", addresses)
        for name, text in (changed or {}).items():
            (copy / name).write_text(text, encoding="utf-8")
        command = [str(program), "kustomize", str(copy / "overlays" / overlay)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode or result.stderr:
        raise NotRendered(f"{overlay}: {result.stderr.strip()}")
    return result.stdout


def _set_addresses(file: Path, addresses: Mapping[str, str]) -> None:
    addressed = yaml.safe_load(file.read_text(encoding="utf-8"))
    file.write_text(yaml.safe_dump(addressed | {"data": dict(addresses)}), encoding="utf-8")


def read(overlay: str, text: str) -> Rendering:
    return Rendering(overlay, tuple(each for each in yaml.safe_load_all(text) if each))
