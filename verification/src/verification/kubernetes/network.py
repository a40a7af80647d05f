"""Who can reach whom: computed from rendered NetworkPolicies, compared with architecture.toml.

Kubernetes' rules: a pod that no policy selects is open; selected, it allows what any one of its policies
allows; a connection needs the sender's leave and the receiver's. An outsider gives its own leave.
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

# Tried beside every port that somebody names: what is open here is open altogether.
UNHEARD_OF = ("9", "9/UDP")


@dataclass(frozen=True, slots=True)
class End:
    """One end of an arrow: pods of ours, pods of others, or an address.

    Attributes:
        namespace: its name where it is ours, None elsewhere.
        namespace_labels: what a namespaceSelector sees.
        address: where it is no pod of the cluster.
    """

    name: str
    namespace: str | None = None
    namespace_labels: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    address: str | None = None


@dataclass(frozen=True, slots=True, order=True)
class Arrow:
    """A connection that can be made."""

    source: str
    target: str
    port: str

    def __str__(self) -> str:
        return f"{self.source} -> {self.target}:{self.port}"


def architecture() -> dict[str, Any]:
    return tomllib.loads((KUBERNETES / "architecture.toml").read_text(encoding="utf-8"))


def disagreements(rendering: Rendering) -> Iterator[str]:
    """Every arrow that is drawn and cannot be gone, or can be gone and is not drawn."""
    drawn, gone = set(drawn_arrows(rendering.overlay)), set(possible_arrows(rendering))
    for arrow in sorted(drawn - gone):
        yield f"{arrow} is in architecture.toml, and the NetworkPolicies do not let it through"
    for arrow in sorted(gone - drawn):
        yield f"{arrow} is let through by the NetworkPolicies, and is not in architecture.toml"


def drawn_arrows(overlay: str) -> Iterator[Arrow]:
    for each in architecture()["arrows"]:
        if overlay in each.get("overlays", [overlay]):
            for source in _many(each["from"]):
                for target in _many(each["to"]):
                    for port in each["ports"]:
                        yield Arrow(source, target, port)


def possible_arrows(rendering: Rendering) -> Iterator[Arrow]:
    policies = list(rendering.of("NetworkPolicy"))
    ours, others = list(_ours(rendering)), list(_outside())
    ports = sorted({*_ports(rendering), *UNHEARD_OF})
    for source in (*ours, *others):
        for target in (*ours, *others):
            if source.namespace is None and target.namespace is None:
                continue
            for port in ports:
                if _allows(policies, "Egress", source, target, port) and _allows(
                    policies, "Ingress", target, source, port
                ):
                    yield Arrow(source.name, target.name, port)


def _ours(rendering: Rendering) -> Iterator[End]:
    for workload in rendering.workloads():
        room = rendering.named("Namespace", "", workload.namespace)
        labels = (room or {"metadata": {}})["metadata"].get("labels", {})
        labels = labels | {"kubernetes.io/metadata.name": workload.namespace}
        part = workload.labels.get("oncepay/component", workload.name)
        name = f"{workload.namespace.removeprefix('oncepay-')}/{part}"
        yield End(name, workload.namespace, labels, workload.labels)


def _outside() -> Iterator[End]:
    for name, each in architecture()["outside"].items():
        for address in each.get("addresses", [None]):
            yield End(name, None, each.get("namespace", {}), each.get("pod", {}), address)


def _ports(rendering: Rendering) -> Iterator[str]:
    for policy in rendering.of("NetworkPolicy"):
        for way in ("ingress", "egress"):
            for rule in policy["spec"].get(way) or []:
                yield from (_port(each) for each in rule.get("ports", []))
    for workload in rendering.workloads():
        for container in workload.containers:
            yield from (str(each["containerPort"]) for each in container.get("ports", []))


def _port(port: Object) -> str:
    number, protocol = port.get("port"), port.get("protocol", "TCP")
    if not isinstance(number, int) or "endPort" in port:
        raise ValueError("the evaluator knows single ports by number; write them so")
    return str(number) if protocol == "TCP" else f"{number}/{protocol}"


def _allows(policies: list[Object], way: str, end: End, peer: End, port: str) -> bool:
    """Whether `end` lets a connection to (Egress) or from (Ingress) `peer` through."""
    if end.namespace is None:
        return True
    chosen = [
        policy["spec"]
        for policy in policies
        if namespace_of(policy) == end.namespace
        and way in policy["spec"]["policyTypes"]
        and matches(policy["spec"]["podSelector"], end.labels)
    ]
    if not chosen:
        return True
    side = "to" if way == "Egress" else "from"
    return any(
        ("ports" not in rule or port in [_port(each) for each in rule["ports"]])
        and (side not in rule or any(_is(peer, each, end) for each in rule[side]))
        for spec in chosen
        for rule in spec.get(way.lower()) or []
    )


def _is(peer: End, described: Object, end: End) -> bool:
    """Whether a peer of a policy in `end`'s namespace is this one."""
    if block := described.get("ipBlock"):
        if peer.address is None:
            return False
        address = ip_address(peer.address)
        within = address in ip_network(block["cidr"])
        return within and not any(address in ip_network(each) for each in block.get("except", []))
    if peer.address is not None:
        return False
    if "namespaceSelector" in described:
        if not matches(described["namespaceSelector"], peer.namespace_labels):
            return False
    elif peer.namespace != end.namespace:
        return False
    return matches(described.get("podSelector", {}), peer.labels)


def _many(names: str | list[str]) -> list[str]:
    return [names] if isinstance(names, str) else names
