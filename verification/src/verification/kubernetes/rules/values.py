"""Rules of values that a schema accepts and a real API server rejects."""

import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from verification.kubernetes.rendering import Object, Rendering, describe

NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
QUANTITY = re.compile(r"(\d+(?:\.\d+)?)(m|k|M|G|T|Ki|Mi|Gi|Ti)?")
SCALE = {"": Decimal(1), "m": Decimal("0.001"), "k": Decimal(10**3), "M": Decimal(10**6)}
SCALE |= {"G": Decimal(10**9), "T": Decimal(10**12), "Ki": Decimal(2**10), "Mi": Decimal(2**20)}
SCALE |= {"Gi": Decimal(2**30), "Ti": Decimal(2**40)}
PORTS = ("port", "containerPort", "targetPort", "hostPort", "nodePort", "endPort")
ALLOWED_VALUES = {
    "protocol": {"TCP", "UDP"},
    "imagePullPolicy": {"Always", "IfNotPresent", "Never"},
    "whenUnsatisfiable": {"DoNotSchedule", "ScheduleAnyway"},
    "unhealthyPodEvictionPolicy": {"AlwaysAllow", "IfHealthyBudget"},
    "operator": {"In", "NotIn", "Exists", "DoesNotExist"},
    "accessModes": {"ReadWriteOnce", "ReadWriteOncePod"},
    "policyTypes": {"Ingress", "Egress"},
    "concurrencyPolicy": {"Allow", "Forbid", "Replace"},
    "pathType": {"Exact", "Prefix"},
}
"""By field: enumerations that a schema calls a string."""


def amount(quantity: object) -> Decimal:
    """The number that a quantity (`250m`, `128Mi`) stands for.

    Raises:
        ValueError: it is no quantity.
    """
    found = QUANTITY.fullmatch(str(quantity))
    if found is None:
        raise ValueError(f"{quantity!r} is no quantity")
    return Decimal(found[1]) * SCALE[found[2] or ""]


def walk(item: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every field of an object with its name, at any depth."""
    if isinstance(item, dict):
        for key, value in item.items():
            yield key, value
            yield from walk(value, key)
    elif isinstance(item, list):
        for value in item:
            if not isinstance(value, dict | list):
                yield name, value
            yield from walk(value, name)


def names_are_lowercase(rendering: Rendering) -> Iterator[str]:
    for each in rendering.objects:
        if not NAME.fullmatch(each["metadata"]["name"]):
            yield f"{describe(each)}: a name has lowercase letters, digits, dots and hyphens only"


def ports_are_in_range(rendering: Rendering) -> Iterator[str]:
    for each in rendering.objects:
        for name, value in walk(each):
            if name in PORTS and isinstance(value, int) and not 0 < value < 65536:
                yield f"{describe(each)}: {name} {value} is no port (1 to 65535)"


def port_ranges_ascend(rendering: Rendering) -> Iterator[str]:
    for each in rendering.of("NetworkPolicy"):
        for direction in ("ingress", "egress"):
            for rule in each["spec"].get(direction) or []:
                for port in rule.get("ports", []):
                    if "endPort" in port and port["endPort"] < port["port"]:
                        yield f"{describe(each)}: endPort {port['endPort']} is below its port"


def enumerations_are_known(rendering: Rendering) -> Iterator[str]:
    for each in rendering.objects:
        for name, value in walk(each):
            if (
                name in ALLOWED_VALUES
                and isinstance(value, str)
                and value not in ALLOWED_VALUES[name]
            ):
                allowed = ", ".join(sorted(ALLOWED_VALUES[name]))
                yield f"{describe(each)}: {name} is {value}, and may be {allowed}"


def requests_fit_into_limits(rendering: Rendering) -> Iterator[str]:
    """And every quantity is valid."""
    for item in rendering.workloads():
        spec = item.object["spec"]
        claims = [claim["spec"] for claim in spec.get("volumeClaimTemplates", [])]
        for holder in (*item.containers, *claims, *([spec] if not item.pod else [])):
            yield from _amounts(item.object, holder.get("resources", {}))


def _amounts(item: Object, resources: Object) -> Iterator[str]:
    requests, limits = resources.get("requests", {}), resources.get("limits", {})
    try:
        requested = {name: amount(value) for name, value in requests.items()}
        limited = {name: amount(value) for name, value in limits.items()}
    except ValueError as error:
        yield f"{describe(item)}: {error}"
        return
    for name in requested.keys() & limited.keys():
        if requested[name] > limited[name]:
            yield f"{describe(item)}: requests more {name} than its limit"


def variables_are_set_once(rendering: Rendering) -> Iterator[str]:
    for item, container in rendering.containers():
        counts = Counter(variable["name"] for variable in container.get("env", []))
        for name in (name for name, count in counts.items() if count > 1):
            yield f"{item}: {name} is set twice"


def jobs_never_restart_containers(rendering: Rendering) -> Iterator[str]:
    for item in rendering.workloads():
        job = item.object["kind"] in ("Job", "CronJob")
        if job and item.pod.get("restartPolicy") != "Never":
            yield f"{item}: restartPolicy must be Never, which podFailurePolicy requires"


def probes_have_one_handler(rendering: Rendering) -> Iterator[str]:
    for item, container in rendering.containers():
        for name in ("startupProbe", "livenessProbe", "readinessProbe"):
            handlers = container.get(name, {}).keys() & {"grpc", "httpGet", "tcpSocket", "exec"}
            if name in container and len(handlers) != 1:
                yield f"{item}: {name} must have one handler, and has {len(handlers)}"


RULES = (
    names_are_lowercase,
    ports_are_in_range,
    port_ranges_ascend,
    enumerations_are_known,
    requests_fit_into_limits,
    variables_are_set_once,
    jobs_never_restart_containers,
    probes_have_one_handler,
)
