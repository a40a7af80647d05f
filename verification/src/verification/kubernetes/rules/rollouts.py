"""Rules of rolling updates, drains and releases: no request fails, and the schema fits."""

from collections.abc import Iterator

from payment.customers.client import RESOLVE_AGAIN_MILLISECONDS
from verification.kubernetes.rendering import Object, Rendering, describe

CLOSING_SECONDS = 8
"""After the drain: 2 s for the webhooks, 5 s for the connections, 1 s for the interpreter."""
# An answer of the cluster's DNS may be 30 s old (CoreDNS as kubeadm sets it up), and the DNS learns of a new
# pod after a moment. A client resolves again when a connection closes, but not more often than its own
# minimum: gRPC's default of 30 s fits too, as long as the sum is longer.
DNS_CACHE_SECONDS, DNS_UPDATE_SECONDS = 30, 5
RESOLVE_AGAIN_SECONDS = RESOLVE_AGAIN_MILLISECONDS / 1_000
RESOLVED_SECONDS = DNS_CACHE_SECONDS + DNS_UPDATE_SECONDS + RESOLVE_AGAIN_SECONDS
VERSION = "app.kubernetes.io/version"


def rolling_updates_start_a_pod_before_they_stop_one(rendering: Rendering) -> Iterator[str]:
    """Both at zero, which no API server accepts, is wrong as well."""
    for each in rendering.of("Deployment"):
        strategy = each["spec"].get("strategy", {})
        rolling = strategy.get("rollingUpdate", {})
        if strategy.get("type", "RollingUpdate") != "RollingUpdate":
            yield f"{describe(each)}: must use a rolling update"
        if rolling.get("maxUnavailable") != 0 or not rolling.get("maxSurge"):
            yield f"{describe(each)}: maxUnavailable must be 0 and maxSurge at least 1"


def rolling_updates_are_slower_than_dns(rendering: Rendering) -> Iterator[str]:
    """Otherwise a client may know only addresses of pods that are gone."""
    for each in rendering.of("Deployment"):
        if each["spec"].get("minReadySeconds", 0) < RESOLVED_SECONDS:
            yield f"{describe(each)}: minReadySeconds must be {RESOLVED_SECONDS:g} at least"


def pods_outlive_their_drain(rendering: Rendering) -> Iterator[str]:
    """preStop, then DRAIN_SECONDS for calls and background tasks, then what closes."""
    for item, container in rendering.containers("Deployment"):
        drain = float(_variable(container, "DRAIN_SECONDS") or 10)
        needed = _sleep(container) + drain + CLOSING_SECONDS
        grace = item.pod.get("terminationGracePeriodSeconds", 30)
        if grace < needed:
            yield f"{item}: is killed after {grace} s, and may need {needed:g}"


def pods_wait_until_their_endpoint_is_removed(rendering: Rendering) -> Iterator[str]:
    """SIGTERM and the endpoint's removal are concurrent; and our images need no shell."""
    for item, container in rendering.containers("Deployment"):
        hook = container.get("lifecycle", {}).get("preStop", {})
        if hook.keys() != {"sleep"} or _sleep(container) < 3:
            yield f"{item}: preStop must be Kubernetes' own sleep, of 3 s or more"


def probes_use_existing_health_services(rendering: Rendering) -> Iterator[str]:
    """Liveness is the process's, readiness also the database's: a restart repairs no database."""
    wanted = {
        "startupProbe": "liveness",
        "livenessProbe": "liveness",
        "readinessProbe": "readiness",
    }
    for item, container in rendering.containers("Deployment"):
        port = next(each["containerPort"] for each in container["ports"] if each["name"] == "grpc")
        for name, service in wanted.items():
            asked = container.get(name, {}).get("grpc")
            if asked != {"port": port, "service": service}:
                yield f"{item}: {name} must ask gRPC's health at {port} for `{service}`"


def images_keep_their_entrypoint(rendering: Rendering) -> Iterator[str]:
    """A command would replace the image's entrypoint, which handles SIGTERM from the start."""
    for item, container in rendering.containers():
        if "command" in container:
            yield f"{item}: must not have a command; arguments go into args"


def servers_have_probes(rendering: Rendering) -> Iterator[str]:
    for item, container in rendering.containers("Deployment", "StatefulSet"):
        if not container.keys() >= {"readinessProbe", "livenessProbe"}:
            yield f"{item}: {container['name']} needs a readinessProbe and a livenessProbe"


def disruption_budgets_let_a_node_drain(rendering: Rendering) -> Iterator[str]:
    for each in rendering.of("PodDisruptionBudget"):
        if each["spec"].get("maxUnavailable") != 1 or "minAvailable" in each["spec"]:
            yield f"{describe(each)}: must allow one eviction at a time: maxUnavailable 1"
    covered = {_key(each) for each in rendering.of("PodDisruptionBudget")}
    for each in rendering.of("Deployment"):
        if _key(each) not in covered:
            yield f"{describe(each)}: has no PodDisruptionBudget"


def deployments_have_two_pods(rendering: Rendering) -> Iterator[str]:
    """One serves while the other is updated or evicted."""
    scaled = {_key(each): each for each in rendering.of("HorizontalPodAutoscaler")}
    for each in rendering.of("Deployment"):
        scaler = scaled.get(_key(each))
        least = scaler["spec"]["minReplicas"] if scaler else each["spec"].get("replicas", 1)
        if least < 2:
            yield f"{describe(each)}: needs two replicas at least"


def migrations_are_named_by_their_release(rendering: Rendering) -> Iterator[str]:
    for each in rendering.of("Job"):
        labels = each["spec"]["template"]["metadata"]["labels"]
        release = labels.get(VERSION, "").replace(".", "-")
        if not release or not each["metadata"]["name"].endswith(f"-{release}"):
            yield f"{describe(each)}: its name must end in the release, -{release}"


def immutable_fields_name_no_release(rendering: Rendering) -> Iterator[str]:
    """Selectors and templates of volumes: otherwise the next release could not be applied."""
    for item in rendering.workloads():
        spec = item.object["spec"]
        claims = [claim["metadata"] for claim in spec.get("volumeClaimTemplates", [])]
        fixed = [spec.get("selector", {}).get("matchLabels", {})]
        fixed += [claim.get("labels", {}) for claim in claims]
        if any(VERSION in labels for labels in fixed):
            yield f"{item}: {VERSION} is in a field that cannot change"


def jobs_use_the_image_of_their_service(rendering: Rendering) -> Iterator[str]:
    images = {
        (item.namespace, container["image"])
        for item, container in rendering.containers("Deployment")
    }
    for item, container in rendering.containers("Job", "CronJob"):
        if (item.namespace, container["image"]) not in images:
            yield f"{item}: must use the image of the service"


def _key(item: Object) -> tuple[str, str]:
    return item["metadata"]["namespace"], item["metadata"]["name"]


def _variable(container: Object, name: str) -> str | None:
    values = {each["name"]: each.get("value") for each in container.get("env", [])}
    return values.get(name)


def _sleep(container: Object) -> float:
    hook = container.get("lifecycle", {}).get("preStop", {})
    return float(hook.get("sleep", {}).get("seconds", 0))


RULES = (
    rolling_updates_start_a_pod_before_they_stop_one,
    rolling_updates_are_slower_than_dns,
    pods_outlive_their_drain,
    pods_wait_until_their_endpoint_is_removed,
    probes_use_existing_health_services,
    images_keep_their_entrypoint,
    servers_have_probes,
    disruption_budgets_let_a_node_drain,
    deployments_have_two_pods,
    migrations_are_named_by_their_release,
    immutable_fields_name_no_release,
    jobs_use_the_image_of_their_service,
)
