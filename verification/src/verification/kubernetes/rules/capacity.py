"""Whether what scales fits into what does not; and whether the databases lose nothing."""

from collections.abc import Iterator
from dataclasses import fields

from chassis.interceptor import MAX_CALLS
from customer.settings import Settings as CustomerSettings
from payment.settings import Settings as PaymentSettings
from verification.kubernetes.rendering import Object, Rendering, describe, namespace_of
from verification.kubernetes.rules.values import amount

# PostgreSQL's default, and what is kept for its operator, for migrations, reconciliation and a person.
DEFAULT_CONNECTIONS, KEPT_CONNECTIONS = 100, 10
POOLS = ("database_pool_size", "recovery_pool_size")
DEFAULTS = {
    service: {each.name: each.default for each in fields(settings) if each.name in POOLS}
    for service, settings in (("customer", CustomerSettings), ("payment", PaymentSettings))
}
WATCHING = 1
"""The connection of each pod over which it asks whether the database is there."""
LEAVING = 2
"""Pods beside the most that there are: the new one of a roll, and an old one that is not gone yet: it keeps
its pools until its last call is over, while the next one starts.
"""
IDLE_BYTES, MAX_CALL_BYTES = 78_000_000, 160_000
"""What a service takes before any call, and for one with the largest request: measured, and told where
MAX_CALLS is.
"""


def connections_suffice(rendering: Rendering) -> Iterator[str]:
    """The most pods, and those of a roll, with full pools."""
    scaled = {
        (namespace_of(each), each["spec"]["scaleTargetRef"]["name"]): each["spec"]["maxReplicas"]
        for each in rendering.of("HorizontalPodAutoscaler")
    }
    for each in rendering.of("Deployment"):
        room, name = namespace_of(each), each["metadata"]["name"]
        pods = scaled.get((room, name), each["spec"].get("replicas", 1)) + LEAVING
        needed = pods * (_pools(name, _container(each)) + WATCHING) + KEPT_CONNECTIONS
        cluster = rendering.named("Cluster", room, "database")
        parameters = cluster["spec"]["postgresql"]["parameters"] if cluster else {}
        there = int(parameters.get("max_connections", DEFAULT_CONNECTIONS))
        if needed > there:
            yield f"{describe(each)}: may need {needed} connections, and there are {there}"


def memory_suffices(rendering: Rendering) -> Iterator[str]:
    """For as many of the largest calls as a service admits: a pod that is killed for its memory loses
    all that it had in hand.
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
    """All connections of a pod's pools: what it is told, or else what its service takes by default."""
    told = {variable["name"]: variable.get("value") for variable in container["env"]}
    return sum(int(told.get(name.upper(), size)) for name, size in DEFAULTS[service].items())


def commits_are_on_two_instances(rendering: Rendering) -> Iterator[str]:
    for each in rendering.of("Cluster"):
        kept = each["spec"]["postgresql"].get("synchronous", {})
        if kept.get("dataDurability") != "required" or kept.get("number", 0) < 1:
            yield f"{describe(each)}: a commit must wait for a second instance"
        if each["spec"]["instances"] < 3:
            yield f"{describe(each)}: with one gone, two must be left: instances 3"


def databases_are_backed_up(rendering: Rendering) -> Iterator[str]:
    """Every change as it happens, to a store that exists, and a whole copy on schedule."""
    for each in rendering.of("Cluster"):
        room = namespace_of(each)
        archivers = [
            plugin for plugin in each["spec"].get("plugins", []) if plugin.get("isWALArchiver")
        ]
        stores = [plugin["parameters"]["barmanObjectName"] for plugin in archivers]
        if not any(rendering.named("ObjectStore", room, store) for store in stores):
            yield f"{describe(each)}: its changes are archived in no ObjectStore that is there"
        copied = {
            (namespace_of(backup), backup["spec"]["cluster"]["name"])
            for backup in rendering.of("ScheduledBackup")
        }
        if (room, each["metadata"]["name"]) not in copied:
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
