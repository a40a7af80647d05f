"""What a roll, a drain and a release must not lose: a request, or the schema."""

from collections.abc import Iterator

from payment.customers.client import RESOLVE_AGAIN_MILLISECONDS
from verification.kubernetes.rendering import Object, Rendering, Workload, describe

# What is over may take this long to close: 2 s the webhooks, 5 s the connections, 1 s an interpreter.
CLOSING_SECONDS = 8
# What the cluster's DNS says of a name may be 30 s old (CoreDNS as kubeadm sets it up); to the DNS the news
# takes a moment. A client asks when a connection goes, but for a while after it last asked: a client with
# gRPC's own 30 s has asked again before the next pod goes, as long as this is the longer.
DNS_SECONDS, NEWS_SECONDS = 30, 5
AGAIN_SECONDS = RESOLVE_AGAIN_MILLISECONDS / 1_000
KNOWN_SECONDS = DNS_SECONDS + NEWS_SECONDS + AGAIN_SECONDS
VERSION = "app.kubernetes.io/version"


def rolls_never_take_a_ready_pod_away_first(rendering: Rendering) -> Iterator[str]:
    """Both at zero, which no API server takes, is no way either."""
    for each in rendering.of("Deployment"):
        strategy = each["spec"].get("strategy", {})
        rolling = strategy.get("rollingUpdate", {})
        if strategy.get("type", "RollingUpdate") != "RollingUpdate":
            yield f"{describe(each)}: must roll"
        if rolling.get("maxUnavailable") != 0 or not rolling.get("maxSurge"):
            yield f"{describe(each)}: maxUnavailable must be 0 and maxSurge at least 1"


def pods_go_no_faster_than_clients_learn(rendering: Rendering) -> Iterator[str]:
    """Or a client whose every address is an old one has none left."""
    for each in rendering.of("Deployment"):
        if each["spec"].get("minReadySeconds", 0) < KNOWN_SECONDS:
            yield f"{describe(each)}: minReadySeconds must be {KNOWN_SECONDS:g} at least"


def pods_outlive_their_drain(rendering: Rendering) -> Iterator[str]:
    """preStop, then DRAIN_SECONDS, which the calls and what outlives them share, then what closes."""
    for item, container in _servers(rendering):
        drain = float(_variable(container, "DRAIN_SECONDS") or 10)
        needed = _sleep(container) + drain + CLOSING_SECONDS
        grace = item.pod.get("terminationGracePeriodSeconds", 30)
        if grace < needed:
            yield f"{item}: is killed after {grace} s, and may need {needed:g}"


def pods_wait_for_their_address_to_go(rendering: Rendering) -> Iterator[str]:
    """SIGTERM and the endpoint's removal run side by side; and our images need no shell."""
    for item, container in _servers(rendering):
        hook = container.get("lifecycle", {}).get("preStop", {})
        if hook.keys() != {"sleep"} or _sleep(container) < 3:
            yield f"{item}: preStop must sleep, by Kubernetes' own means, for 3 s or more"


def probes_ask_for_health_that_exists(rendering: Rendering) -> Iterator[str]:
    """Alive is the process, ready is the database too: a restart would heal no database."""
    wanted = {
        "startupProbe": "liveness",
        "livenessProbe": "liveness",
        "readinessProbe": "readiness",
    }
    for item, container in _servers(rendering):
        port = next(each["containerPort"] for each in container["ports"] if each["name"] == "grpc")
        for name, service in wanted.items():
            asked = container.get(name, {}).get("grpc")
            if asked != {"port": port, "service": service}:
                yield f"{item}: {name} must ask gRPC's health at {port} for `{service}`"


def images_start_as_they_were_made(rendering: Rendering) -> Iterator[str]:
    """A command takes the place of the image's entrypoint, which hears a stop from the first moment."""
    for item in rendering.workloads():
        if any("command" in container for container in item.containers):
            yield f"{item}: must not have a command; what the image is told goes into args"


def every_server_is_asked_whether_it_is_ready(rendering: Rendering) -> Iterator[str]:
    for item in rendering.workloads():
        if item.object["kind"] in ("Deployment", "StatefulSet"):
            for container in item.containers:
                if not container.keys() >= {"readinessProbe", "livenessProbe"}:
                    yield f"{item}: {container['name']} needs a readinessProbe and a livenessProbe"


def budgets_let_a_node_drain(rendering: Rendering) -> Iterator[str]:
    for each in rendering.of("PodDisruptionBudget"):
        if each["spec"].get("maxUnavailable") != 1 or "minAvailable" in each["spec"]:
            yield f"{describe(each)}: must let one pod go at a time: maxUnavailable 1"
    covered = {_home(each) for each in rendering.of("PodDisruptionBudget")}
    for each in rendering.of("Deployment"):
        if _home(each) not in covered:
            yield f"{describe(each)}: has no PodDisruptionBudget"


def two_pods_are_the_least(rendering: Rendering) -> Iterator[str]:
    """One that rolls or drains leaves another that serves."""
    scaled = {_home(each): each for each in rendering.of("HorizontalPodAutoscaler")}
    for each in rendering.of("Deployment"):
        scaler = scaled.get(_home(each))
        least = scaler["spec"]["minReplicas"] if scaler else each["spec"].get("replicas", 1)
        if least < 2:
            yield f"{describe(each)}: needs two replicas at least"


def migrations_are_named_by_their_release(rendering: Rendering) -> Iterator[str]:
    for each in rendering.of("Job"):
        labels = each["spec"]["template"]["metadata"]["labels"]
        release = labels.get(VERSION, "").replace(".", "-")
        if not release or not each["metadata"]["name"].endswith(f"-{release}"):
            yield f"{describe(each)}: its name must end in the release, -{release}"


def what_cannot_change_names_no_release(rendering: Rendering) -> Iterator[str]:
    """Selectors, and the templates of volumes: the next release could not be applied."""
    for item in rendering.workloads():
        spec = item.object["spec"]
        claims = [claim["metadata"] for claim in spec.get("volumeClaimTemplates", [])]
        fixed = [spec.get("selector", {}).get("matchLabels", {})]
        fixed += [claim.get("labels", {}) for claim in claims]
        if any(VERSION in labels for labels in fixed):
            yield f"{item}: {VERSION} stands where nothing can change"


def jobs_use_the_image_of_their_service(rendering: Rendering) -> Iterator[str]:
    images = {(item.namespace, container["image"]) for item, container in _servers(rendering)}
    for item in rendering.workloads():
        if item.object["kind"] in ("Job", "CronJob"):
            for container in item.containers:
                if (item.namespace, container["image"]) not in images:
                    yield f"{item}: must run the very image of the service"


def _servers(rendering: Rendering) -> Iterator[tuple[Workload, Object]]:
    for item in rendering.workloads():
        if item.object["kind"] == "Deployment":
            for container in item.containers:
                yield item, container


def _home(item: Object) -> tuple[str, str]:
    return item["metadata"]["namespace"], item["metadata"]["name"]


def _variable(container: Object, name: str) -> str | None:
    values = {each["name"]: each.get("value") for each in container.get("env", [])}
    return values.get(name)


def _sleep(container: Object) -> float:
    hook = container.get("lifecycle", {}).get("preStop", {})
    return float(hook.get("sleep", {}).get("seconds", 0))


RULES = (
    rolls_never_take_a_ready_pod_away_first,
    pods_go_no_faster_than_clients_learn,
    pods_outlive_their_drain,
    pods_wait_for_their_address_to_go,
    probes_ask_for_health_that_exists,
    images_start_as_they_were_made,
    every_server_is_asked_whether_it_is_ready,
    budgets_let_a_node_drain,
    two_pods_are_the_least,
    migrations_are_named_by_their_release,
    what_cannot_change_names_no_release,
    jobs_use_the_image_of_their_service,
)
