"""Who can reach whom: computed from the rendered NetworkPolicies, compared with architecture.toml.

Kubernetes' rules: a pod that no policy selects is open; a selected one allows what any one of its policies
allows; a connection must be allowed by the sender and by the receiver. Peers outside allow everything.
Source: https://kubernetes.io/docs/concepts/services-networking/network-policies/
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

from verification.kubernetes.rendering import (
    KUBERNETES,
    Object,
    Rendering,
    matches,
    namespace_of,
)

UNUSED_PORTS = ("9", "9/UDP")
"""Tried in addition to every port of the manifests: a peer that is open here is open at every port."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A source or target of connections: pods of ours, pods of others, or an address.

    Attributes:
        namespace: of pods of ours; None for all others.
        namespace_labels: what a namespaceSelector matches.
        address: where it is no pod of the cluster.
    """

    name: str
    namespace: str | None = None
    namespace_labels: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    address: str | None = None


@dataclass(frozen=True, slots=True, order=True)
class Arrow:
    """A kind of connection: from a source to a port of a target."""

    source: str
    target: str
    port: str

    def __str__(self) -> str:
        return f"{self.source} -> {self.target}:{self.port}"


def architecture() -> dict[str, Any]:
    return tomllib.loads((KUBERNETES / "architecture.toml").read_text(encoding="utf-8"))


def differences(rendering: Rendering) -> Iterator[str]:
    """Every connection that is specified and not possible, or possible and not specified."""
    specified, possible = set(specified_arrows(rendering.overlay)), set(possible_arrows(rendering))
    for arrow in sorted(specified - possible):
        yield f"{arrow} is in architecture.toml, and the NetworkPolicies do not allow it"
    for arrow in sorted(possible - specified):
        yield f"{arrow} is allowed by the NetworkPolicies, and is not in architecture.toml"


def specified_arrows(overlay: str) -> Iterator[Arrow]:
    for each in architecture()["arrows"]:
        if overlay in each.get("overlays", [overlay]):
            for source in _as_list(each["from"]):
                for target in _as_list(each["to"]):
                    for port in each["ports"]:
                        yield Arrow(source, target, port)


def possible_arrows(rendering: Rendering) -> Iterator[Arrow]:
    policies = list(rendering.of("NetworkPolicy"))
    ours, others = list(_ours(rendering)), list(_outside())
    ports = sorted({*_ports(rendering), *UNUSED_PORTS})
    for source in (*ours, *others):
        for target in (*ours, *others):
            if source.namespace is None and target.namespace is None:
                continue
            for port in ports:
                if _allows(policies, "Egress", source, target, port) and _allows(
                    policies, "Ingress", target, source, port
                ):
                    yield Arrow(source.name, target.name, port)


def _ours(rendering: Rendering) -> Iterator[Endpoint]:
    for workload in rendering.workloads():
        namespace = rendering.named("Namespace", "", workload.namespace)
        labels = (namespace or {"metadata": {}})["metadata"].get("labels", {})
        labels = labels | {"kubernetes.io/metadata.name": workload.namespace}
        component = workload.labels.get("oncepay/component", workload.name)
        name = f"{workload.namespace.removeprefix('oncepay-')}/{component}"
        yield Endpoint(name, workload.namespace, labels, workload.labels)


def _outside() -> Iterator[Endpoint]:
    for name, each in architecture()["outside"].items():
        for address in each.get("addresses", [None]):
            yield Endpoint(name, None, each.get("namespace", {}), each.get("pod", {}), address)


def _ports(rendering: Rendering) -> Iterator[str]:
    for policy in rendering.of("NetworkPolicy"):
        for direction in ("ingress", "egress"):
            for rule in policy["spec"].get(direction) or []:
                yield from (_port(each) for each in rule.get("ports", []))
    for workload in rendering.workloads():
        for container in workload.containers:
            yield from (str(each["containerPort"]) for each in container.get("ports", []))


def _port(port: Object) -> str:
    number, protocol = port.get("port"), port.get("protocol", "TCP")
    if not isinstance(number, int) or "endPort" in port:
        raise ValueError("only single ports by number can be evaluated")
    return str(number) if protocol == "TCP" else f"{number}/{protocol}"


def _allows(
    policies: list[Object], direction: str, end: Endpoint, peer: Endpoint, port: str
) -> bool:
    """Whether the policies of `end` allow a connection to (Egress) or from (Ingress) `peer`."""
    if end.namespace is None:
        return True
    chosen = [
        policy["spec"]
        for policy in policies
        if namespace_of(policy) == end.namespace
        and direction in policy["spec"]["policyTypes"]
        and matches(policy["spec"]["podSelector"], end.labels)
    ]
    if not chosen:
        return True
    side = "to" if direction == "Egress" else "from"
    return any(
        ("ports" not in rule or port in [_port(each) for each in rule["ports"]])
        and (side not in rule or any(_is(peer, each, end) for each in rule[side]))
        for spec in chosen
        for rule in spec.get(direction.lower()) or []
    )


def _is(peer: Endpoint, entry: Object, end: Endpoint) -> bool:
    """Whether an entry of a policy in `end`'s namespace matches this peer."""
    if block := entry.get("ipBlock"):
        if peer.address is None:
            return False
        address = ip_address(peer.address)
        within = address in ip_network(block["cidr"])
        return within and not any(address in ip_network(each) for each in block.get("except", []))
    if peer.address is not None:
        return False
    if "namespaceSelector" in entry:
        if not matches(entry["namespaceSelector"], peer.namespace_labels):
            return False
    elif peer.namespace != end.namespace:
        return False
    return matches(entry.get("podSelector", {}), peer.labels)


def _as_list(names: str | list[str]) -> list[str]:
    return [names] if isinstance(names, str) else names
