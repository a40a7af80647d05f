"""Rules of references: what a name refers to exists, which no API server checks."""

import re
from collections.abc import Iterator

from verification.kubernetes.rendering import (
    Object,
    Rendering,
    Workload,
    describe,
    matches,
    namespace_of,
)

OTHERS_SECRETS = {"database", "database-owner", "stripe", "backup", "database-ca"}
"""Secrets that exist in production and in no manifest: from the secret store, and from the operator."""
OPERATOR_SERVICES = ("rw", "ro", "r")
"""The suffixes of the Services that CloudNativePG makes for a Cluster."""
ADDRESS = re.compile(r"(?:@|//|/)([a-z0-9-]+)(?:\.([a-z0-9-]+)\.svc\.cluster\.local)?:(\d+)")


def selectors_match_their_own_pods(rendering: Rendering) -> Iterator[str]:
    for item in rendering.workloads():
        selector = item.object["spec"].get("selector")
        if selector is not None and not matches(selector, item.labels):
            yield f"{item}: its selector does not match the pods of its own template"


def services_lead_to_pods(rendering: Rendering) -> Iterator[str]:
    for each in rendering.of("Service"):
        selected = _selected(rendering, each, {"matchLabels": each["spec"]["selector"]})
        if not selected:
            yield f"{describe(each)}: its selector matches no pods"
        for port in each["spec"]["ports"]:
            target = port.get("targetPort", port["port"])
            for item in selected:
                if target not in {*item.ports(), *item.ports().values()}:
                    yield f"{describe(each)}: {item} has no port {target}"


def budgets_cover_pods(rendering: Rendering) -> Iterator[str]:
    for each in rendering.of("PodDisruptionBudget"):
        if not _selected(rendering, each, each["spec"]["selector"]):
            yield f"{describe(each)}: its selector matches no pods"


def autoscalers_have_a_target(rendering: Rendering) -> Iterator[str]:
    """Which must have no number of replicas of its own, and requests of CPU."""
    for each in rendering.of("HorizontalPodAutoscaler"):
        wanted = each["spec"]["scaleTargetRef"]
        target = rendering.named(wanted["kind"], namespace_of(each), wanted["name"])
        if target is None:
            yield f"{describe(each)}: there is no {wanted['kind']} {wanted['name']}"
            continue
        if "replicas" in target["spec"]:
            yield f"{describe(target)}: must have no replicas: each apply would undo what its autoscaler set"
        for container in target["spec"]["template"]["spec"]["containers"]:
            if "cpu" not in container.get("resources", {}).get("requests", {}):
                yield f"{describe(target)}: an autoscaler needs a request of CPU"


def volumes_exist(rendering: Rendering) -> Iterator[str]:
    """Every mount has a volume, every volume its Secret or ConfigMap."""
    for item in rendering.workloads():
        claims = item.object["spec"].get("volumeClaimTemplates", [])
        volumes = {each["name"] for each in item.pod.get("volumes", [])}
        volumes |= {claim["metadata"]["name"] for claim in claims}
        for container in item.containers:
            for mount in container.get("volumeMounts", []):
                if mount["name"] not in volumes:
                    yield f"{item}: mounts {mount['name']}, which is no volume of it"
        for kind, name in _sources(item):
            is_others = (
                kind == "Secret" and rendering.overlay == "production" and name in OTHERS_SECRETS
            )
            if not is_others and rendering.named(kind, item.namespace, name) is None:
                yield f"{item}: there is no {kind} {name}"


def _sources(item: Workload) -> Iterator[tuple[str, str]]:
    for volume in item.pod.get("volumes", []):
        if "secret" in volume:
            yield "Secret", volume["secret"]["secretName"]
        if "configMap" in volume:
            yield "ConfigMap", volume["configMap"]["name"]


def service_accounts_exist(rendering: Rendering) -> Iterator[str]:
    for item in rendering.workloads():
        name = item.pod.get("serviceAccountName")
        if name and rendering.named("ServiceAccount", item.namespace, name) is None:
            yield f"{item}: there is no ServiceAccount {name}"


def namespaces_exist(rendering: Rendering) -> Iterator[str]:
    for each in rendering.objects:
        namespace = namespace_of(each)
        if each["kind"] != "Namespace" and rendering.named("Namespace", "", namespace) is None:
            yield f"{describe(each)}: there is no Namespace {namespace or 'at all'}"


def addresses_are_services(rendering: Rendering) -> Iterator[str]:
    """A host and port in a variable are those of a Service."""
    for item in rendering.workloads():
        for variable, host, namespace, port in named_addresses(item):
            if not _is_served(rendering, namespace or item.namespace, host, int(port)):
                yield f"{item}: {variable} names {host}:{port}, which no Service is"


def named_addresses(item: Workload) -> Iterator[tuple[str, str, str, str]]:
    """Each address that a variable names: the variable, the host, its namespace if stated, the port."""
    for container in item.containers:
        for variable in container.get("env", []):
            if not variable["name"].endswith("LISTEN_ADDRESS"):
                for address in ADDRESS.findall(variable.get("value", "")):
                    yield variable["name"], *address


def _is_served(rendering: Rendering, namespace: str, host: str, port: int) -> bool:
    service = rendering.named("Service", namespace, host)
    if service is not None:
        return port in [each["port"] for each in service["spec"]["ports"]]
    cluster, _, suffix = host.rpartition("-")
    is_operators = (
        rendering.named("Cluster", namespace, cluster) is not None and suffix in OPERATOR_SERVICES
    )
    return is_operators and port == 5432


def _selected(rendering: Rendering, item: Object, selector: Object) -> list[Workload]:
    return [
        each
        for each in rendering.workloads()
        if each.namespace == namespace_of(item) and matches(selector, each.labels)
    ]


RULES = (
    selectors_match_their_own_pods,
    services_lead_to_pods,
    budgets_cover_pods,
    autoscalers_have_a_target,
    volumes_exist,
    service_accounts_exist,
    namespaces_exist,
    addresses_are_services,
)
