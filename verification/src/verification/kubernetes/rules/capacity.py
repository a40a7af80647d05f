"""Rules of capacity and durability: connections, memory, replication and backups suffice."""

from collections.abc import Iterator
from dataclasses import fields

from chassis.interceptor import MAX_CALLS
from customer.settings import Settings as CustomerSettings
from payment.settings import Settings as PaymentSettings
from verification.kubernetes.rendering import Object, Rendering, describe, namespace_of
from verification.kubernetes.rules.values import amount

DEFAULT_CONNECTIONS, RESERVED_CONNECTIONS = 100, 10
"""PostgreSQL's default, and what is reserved for its operator, migrations, reconciliation and operators."""
POOLS = ("database_pool_size", "recovery_pool_size")
DEFAULTS = {
    service: {each.name: each.default for each in fields(settings) if each.name in POOLS}
    for service, settings in (("customer", CustomerSettings), ("payment", PaymentSettings))
}
HEALTH_CONNECTIONS = 1
"""The connection of each pod over which it checks that the database is there."""
SURGE_PODS = 2
"""Pods in addition to the maximum: the new one of a rolling update, and an old one that still drains: it keeps its
pools until its last call is over, while the next one starts.
"""
IDLE_BYTES, MAX_CALL_BYTES = 78_000_000, 160_000
"""The memory of a service before any call, and of one call with the largest request, as measured where
MAX_CALLS is defined.
"""


def connections_suffice(rendering: Rendering) -> Iterator[str]:
    """For the maximum of pods, and those of a rolling update, with full pools."""
    scaled = {
        (namespace_of(each), each["spec"]["scaleTargetRef"]["name"]): each["spec"]["maxReplicas"]
        for each in rendering.of("HorizontalPodAutoscaler")
    }
    for each in rendering.of("Deployment"):
        namespace, name = namespace_of(each), each["metadata"]["name"]
        pods = scaled.get((namespace, name), each["spec"].get("replicas", 1)) + SURGE_PODS
        needed = pods * (_pools(name, _container(each)) + HEALTH_CONNECTIONS) + RESERVED_CONNECTIONS
        cluster = rendering.named("Cluster", namespace, "database")
        parameters = cluster["spec"]["postgresql"]["parameters"] if cluster else {}
        available = int(parameters.get("max_connections", DEFAULT_CONNECTIONS))
        if needed > available:
            yield f"{describe(each)}: may need {needed} connections, and there are {available}"


def memory_suffices(rendering: Rendering) -> Iterator[str]:
    """For as many of the largest calls as a service admits: a pod that is killed for its memory loses
    all its calls.
    """
    needed = IDLE_BYTES + MAX_CALLS * MAX_CALL_BYTES
    for each in rendering.of("Deployment"):
        limit = _container(each).get("resources", {}).get("limits", {}).get("memory")
        if limit is None or amount(limit) < needed:
            yield f"{describe(each)}: {limit} of memory, and its calls may take {needed / 2**20:.0f}Mi"


def _container(deployment: Object) -> Object:
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return dict(container)


def _pools(service: str, container: Object) -> int:
    """All connections of a pod's pools: by its variables, or else by its service's defaults."""
    variables = {variable["name"]: variable.get("value") for variable in container["env"]}
    return sum(int(variables.get(name.upper(), size)) for name, size in DEFAULTS[service].items())


def commits_are_on_two_instances(rendering: Rendering) -> Iterator[str]:
    for each in rendering.of("Cluster"):
        kept = each["spec"]["postgresql"].get("synchronous", {})
        if kept.get("dataDurability") != "required" or kept.get("number", 0) < 1:
            yield f"{describe(each)}: a commit must wait for a second instance"
        if each["spec"]["instances"] < 3:
            yield f"{describe(each)}: with one gone, two must be left: instances 3"


def databases_are_backed_up(rendering: Rendering) -> Iterator[str]:
    """Every change is archived in a store that exists, and a whole copy is made on schedule."""
    for each in rendering.of("Cluster"):
        namespace = namespace_of(each)
        archivers = [
            plugin for plugin in each["spec"].get("plugins", []) if plugin.get("isWALArchiver")
        ]
        stores = [plugin["parameters"]["barmanObjectName"] for plugin in archivers]
        if not any(rendering.named("ObjectStore", namespace, store) for store in stores):
            yield f"{describe(each)}: its changes are archived in no ObjectStore that exists"
        copied = {
            (namespace_of(backup), backup["spec"]["cluster"]["name"])
            for backup in rendering.of("ScheduledBackup")
        }
        if (namespace, each["metadata"]["name"]) not in copied:
            yield f"{describe(each)}: no ScheduledBackup copies it"
    destinations = [
        store["spec"]["configuration"]["destinationPath"] for store in rendering.of("ObjectStore")
    ]
    if len(set(destinations)) < len(destinations):
        yield "two databases would write their backups to one place"


RULES = (
    connections_suffice,
    memory_suffices,
    commits_are_on_two_instances,
    databases_are_backed_up,
)
