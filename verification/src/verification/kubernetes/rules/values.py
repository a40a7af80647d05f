"""Values that a schema takes and a real API server refuses: found here before anybody applies them."""

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
# The words that our manifests may say, by field: what a schema calls a string.
WORDS = {
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


def amount(quantity: object) -> Decimal:
    """What a quantity (`250m`, `128Mi`) amounts to.

    Raises:
        ValueError: it is none.
    """
    found = QUANTITY.fullmatch(str(quantity))
    if found is None:
        raise ValueError(f"{quantity!r} is no quantity")
    return Decimal(found[1]) * SCALE[found[2] or ""]


def walk(item: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every field of an object with its name, at every depth."""
    if isinstance(item, dict):
        for key, value in item.items():
            yield key, value
            yield from walk(value, key)
    elif isinstance(item, list):
        for value in item:
            if not isinstance(value, dict | list):
                yield name, value
            yield from walk(value, name)


def names_are_written_small(rendering: Rendering) -> Iterator[str]:
    for each in rendering.objects:
        if not NAME.fullmatch(each["metadata"]["name"]):
            yield f"{describe(each)}: a name has small letters, digits, dots and hyphens only"


def ports_are_ports(rendering: Rendering) -> Iterator[str]:
    for each in rendering.objects:
        for name, value in walk(each):
            if name in PORTS and isinstance(value, int) and not 0 < value < 65536:
                yield f"{describe(each)}: {name} {value} is no port (1 to 65535)"


def a_range_of_ports_goes_up(rendering: Rendering) -> Iterator[str]:
    for each in rendering.of("NetworkPolicy"):
        for way in ("ingress", "egress"):
            for rule in each["spec"].get(way) or []:
                for port in rule.get("ports", []):
                    if "endPort" in port and port["endPort"] < port["port"]:
                        yield f"{describe(each)}: endPort {port['endPort']} is below its port"


def words_are_known(rendering: Rendering) -> Iterator[str]:
    for each in rendering.objects:
        for name, value in walk(each):
            if name in WORDS and isinstance(value, str) and value not in WORDS[name]:
                allowed = ", ".join(sorted(WORDS[name]))
                yield f"{describe(each)}: {name} is {value}, and may be {allowed}"


def requests_fit_into_limits(rendering: Rendering) -> Iterator[str]:
    """And every quantity is one."""
    for item in (*rendering.workloads(),):
        spec = item.object["spec"]
        claims = [claim["spec"] for claim in spec.get("volumeClaimTemplates", [])]
        for holder in (*item.containers, *claims, *([spec] if not item.pod else [])):
            yield from _amounts(item.object, holder.get("resources", {}))


def _amounts(item: Object, resources: Object) -> Iterator[str]:
    requests, limits = resources.get("requests", {}), resources.get("limits", {})
    try:
        asked = {name: amount(value) for name, value in requests.items()}
        most = {name: amount(value) for name, value in limits.items()}
    except ValueError as error:
        yield f"{describe(item)}: {error}"
        return
    for name in asked.keys() & most.keys():
        if asked[name] > most[name]:
            yield f"{describe(item)}: asks for more {name} than its limit"


def variables_are_set_once(rendering: Rendering) -> Iterator[str]:
    for item in rendering.workloads():
        for container in item.containers:
            counts = Counter(variable["name"] for variable in container.get("env", []))
            for name in (name for name, count in counts.items() if count > 1):
                yield f"{item}: {name} is set twice"


def a_job_ends(rendering: Rendering) -> Iterator[str]:
    for item in rendering.workloads():
        job = item.object["kind"] in ("Job", "CronJob")
        if job and item.pod.get("restartPolicy") != "Never":
            yield f"{item}: restartPolicy must be Never, which podFailurePolicy needs"


def probes_ask_in_one_way(rendering: Rendering) -> Iterator[str]:
    for item in rendering.workloads():
        for container in item.containers:
            for name in ("startupProbe", "livenessProbe", "readinessProbe"):
                ways = container.get(name, {}).keys() & {"grpc", "httpGet", "tcpSocket", "exec"}
                if name in container and len(ways) != 1:
                    yield f"{item}: {name} must ask in one way, and has {len(ways)}"


RULES = (
    names_are_written_small,
    ports_are_ports,
    a_range_of_ports_goes_up,
    words_are_known,
    requests_fit_into_limits,
    variables_are_set_once,
    a_job_ends,
    probes_ask_in_one_way,
)
