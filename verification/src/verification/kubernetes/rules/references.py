"""Names that must lead somewhere: no API server looks where they point."""

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

# What is there in production and in no manifest: from the secret store, and from the operator.
ELSEWHERE = {"database", "database-owner", "stripe", "backup", "database-ca"}
# The Services that CloudNativePG makes of a Cluster named `database`.
OPERATED = ("rw", "ro", "r")
ADDRESS = re.compile(r"(?:@|//|/)([a-z0-9-]+)(?:\.([a-z0-9-]+)\.svc\.cluster\.local)?:(\d+)")


def selectors_take_their_own_pods(rendering: Rendering) -> Iterator[str]:
    for item in rendering.workloads():
        selector = item.object["spec"].get("selector")
        if selector is not None and not matches(selector, item.labels):
            yield f"{item}: its selector does not take the pods of its own template"


def services_lead_to_pods(rendering: Rendering) -> Iterator[str]:
    for each in rendering.of("Service"):
        taken = _taken(rendering, each, {"matchLabels": each["spec"]["selector"]})
        if not taken:
            yield f"{describe(each)}: its selector takes no pods"
        for port in each["spec"]["ports"]:
            target = port.get("targetPort", port["port"])
            for item in taken:
                if target not in {*item.ports(), *item.ports().values()}:
                    yield f"{describe(each)}: {item} has no port {target}"


def budgets_cover_pods(rendering: Rendering) -> Iterator[str]:
    for each in rendering.of("PodDisruptionBudget"):
        if not _taken(rendering, each, each["spec"]["selector"]):
            yield f"{describe(each)}: its selector takes no pods"


def autoscalers_have_a_target(rendering: Rendering) -> Iterator[str]:
    """Which then must say no number of replicas of its own, and what CPU it asks for."""
    for each in rendering.of("HorizontalPodAutoscaler"):
        wanted = each["spec"]["scaleTargetRef"]
        target = rendering.named(wanted["kind"], namespace_of(each), wanted["name"])
        if target is None:
            yield f"{describe(each)}: there is no {wanted['kind']} {wanted['name']}"
            continue
        if "replicas" in target["spec"]:
            yield f"{describe(target)}: replicas beside an autoscaler undo it with each apply"
        for container in target["spec"]["template"]["spec"]["containers"]:
            if "cpu" not in container.get("resources", {}).get("requests", {}):
                yield f"{describe(target)}: a share of CPU needs a request of CPU"


def volumes_are_there(rendering: Rendering) -> Iterator[str]:
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
            outside = kind == "Secret" and rendering.overlay == "production" and name in ELSEWHERE
            if not outside and rendering.named(kind, item.namespace, name) is None:
                yield f"{item}: there is no {kind} {name}"


def _sources(item: Workload) -> Iterator[tuple[str, str]]:
    for volume in item.pod.get("volumes", []):
        if "secret" in volume:
            yield "Secret", volume["secret"]["secretName"]
        if "configMap" in volume:
            yield "ConfigMap", volume["configMap"]["name"]


def accounts_are_there(rendering: Rendering) -> Iterator[str]:
    for item in rendering.workloads():
        name = item.pod.get("serviceAccountName")
        if name and rendering.named("ServiceAccount", item.namespace, name) is None:
            yield f"{item}: there is no ServiceAccount {name}"


def namespaces_are_there(rendering: Rendering) -> Iterator[str]:
    for each in rendering.objects:
        room = namespace_of(each)
        if each["kind"] != "Namespace" and rendering.named("Namespace", "", room) is None:
            yield f"{describe(each)}: there is no Namespace {room or 'at all'}"


def addresses_are_services(rendering: Rendering) -> Iterator[str]:
    """What a variable dials must be a Service, and a port of it."""
    for item in rendering.workloads():
        for container in item.containers:
            for variable in container.get("env", []):
                if variable["name"].endswith("LISTEN_ADDRESS"):
                    continue
                for host, room, port in ADDRESS.findall(variable.get("value", "")):
                    if not _served(rendering, room or item.namespace, host, int(port)):
                        yield f"{item}: {variable['name']} names {host}:{port}, which no Service is"


def _served(rendering: Rendering, room: str, host: str, port: int) -> bool:
    service = rendering.named("Service", room, host)
    if service is not None:
        return port in [each["port"] for each in service["spec"]["ports"]]
    cluster, _, way = host.rpartition("-")
    operated = rendering.named("Cluster", room, cluster) is not None and way in OPERATED
    return operated and port == 5432


def _taken(rendering: Rendering, item: Object, selector: Object) -> list[Workload]:
    return [
        each
        for each in rendering.workloads()
        if each.namespace == namespace_of(item) and matches(selector, each.labels)
    ]


RULES = (
    selectors_take_their_own_pods,
    services_lead_to_pods,
    budgets_cover_pods,
    autoscalers_have_a_target,
    volumes_are_there,
    accounts_are_there,
    namespaces_are_there,
    addresses_are_services,
)
