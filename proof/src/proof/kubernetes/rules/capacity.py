"""Whether what scales fits into what does not; and whether the databases lose nothing."""

from collections.abc import Iterator
from dataclasses import fields

from payment.settings import Settings as PaymentSettings
from proof.kubernetes.rendering import Rendering, describe, namespace_of

# PostgreSQL's default, and what is kept for its operator, for migrations, reconciliation and a person.
DEFAULT_CONNECTIONS, KEPT_CONNECTIONS = 100, 10
RECOVERY_CONNECTIONS = {each.name: each.default for each in fields(PaymentSettings)}[
    "recovery_pool_size"
]
WATCHING = 1
"""The connection of each pod over which it asks whether the database is there."""


def connections_suffice(rendering: Rendering) -> Iterator[str]:
    """The most pods, and the one more of a roll, with full pools."""
    scaled = {
        (namespace_of(each), each["spec"]["scaleTargetRef"]["name"]): each["spec"]["maxReplicas"]
        for each in rendering.of("HorizontalPodAutoscaler")
    }
    for each in rendering.of("Deployment"):
        room, name = namespace_of(each), each["metadata"]["name"]
        pods = scaled.get((room, name), each["spec"].get("replicas", 1)) + 1
        (container,) = each["spec"]["template"]["spec"]["containers"]
        values = {variable["name"]: variable.get("value") for variable in container["env"]}
        pools = int(values.get("DATABASE_POOL_SIZE") or 10)
        pools += int(values.get("RECOVERY_POOL_SIZE") or 0)
        needed = pods * (pools + WATCHING) + KEPT_CONNECTIONS
        cluster = rendering.named("Cluster", room, "database")
        parameters = cluster["spec"]["postgresql"]["parameters"] if cluster else {}
        there = int(parameters.get("max_connections", DEFAULT_CONNECTIONS))
        if needed > there:
            yield f"{describe(each)}: may need {needed} connections, and there are {there}"


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
    places = [
        store["spec"]["configuration"]["destinationPath"] for store in rendering.of("ObjectStore")
    ]
    if len(set(places)) < len(places):
        yield "two databases would write their backups to one place"


RULES = (connections_suffice, commits_are_on_two_instances, databases_are_backed_up)
