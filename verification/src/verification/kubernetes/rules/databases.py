"""The databases that CloudNativePG runs: open to whom they must be, of a release that is known, and where
they were restored, apart from what they were restored from.
"""

import re
from collections.abc import Iterator

from verification.kubernetes.rendering import Object, Rendering, describe

REVOKED = re.compile(r"\s*REVOKE\b.*\bON DATABASE (.+?) FROM\b", re.IGNORECASE | re.DOTALL)
GRANTED = re.compile(r"\s*GRANT CONNECT ON DATABASE (.+?) TO (.+)", re.IGNORECASE | re.DOTALL)
MAINTENANCE = ("postgres", "template1")
WALLS = ["hostnossl all all all reject", f"hostssl {','.join(MAINTENANCE)} all all reject"]
MONITOR = "pg_monitor"
# MAJOR.MINOR, the day of the build or not, the kind, Debian's release; a digest behind it or not. The kind
# `system` has Barman in it, which the plug-in brings, and is given up.
IMAGE = re.compile(
    r".+:\d+\.\d+(-\d{12})?-(minimal|standard)-[a-z]+(@sha256:[0-9a-f]{64})?", re.ASCII
)


def operators_reach_their_databases(rendering: Rendering) -> Iterator[str]:
    """By PUBLIC's right its instances come to `postgres`, to follow a new primary; and its exporter of
    metrics, a member of pg_monitor, comes to the service's database.
    """
    for each in rendering.of("Cluster"):
        statements = list(_statements(each))
        revoked = {name for found in _found(REVOKED, statements) for name in _names(found[1])}
        for name in sorted(revoked.intersection(MAINTENANCE)):
            yield f"{describe(each)}: must revoke nothing on {name}; pg_hba keeps others out of it"
        for name in sorted(revoked.difference(MAINTENANCE)):
            if not any(
                name in _names(found[1]) and MONITOR in _names(found[2])
                for found in _found(GRANTED, statements)
            ):
                yield f"{describe(each)}: without CONNECT on {name}, {MONITOR} sees no metrics"


def others_reach_no_other_database(rendering: Rendering) -> Iterator[str]:
    """Nor does anybody without TLS. CloudNativePG's own lines of pg_hba come before these.

    Source: pkg/postgres/configuration.go of CloudNativePG
    """
    for each in rendering.of("Cluster"):
        lines = [" ".join(line.split()) for line in each["spec"]["postgresql"].get("pg_hba", [])]
        if lines[: len(WALLS)] != WALLS:
            yield f"{describe(each)}: pg_hba must begin with `{'`, `'.join(WALLS)}`"


def databases_are_of_a_minor_release(rendering: Rendering) -> Iterator[str]:
    """One that somebody chose: a tag of the major release alone goes to the next one by itself.

    Source: https://github.com/cloudnative-pg/postgres-containers#image-tags
    """
    for each in rendering.of("Cluster"):
        image = each["spec"].get("imageName", "")
        if not IMAGE.fullmatch(image):
            yield f"{describe(each)}: {image or 'no imageName'}; say 18.6-minimal-trixie, or alike"


def databases_are_restored_apart(rendering: Rendering) -> Iterator[str]:
    """With its roles, from an archive that is there, into another: CloudNativePG refuses to write where
    there is one already, and one that was overwritten restores nothing any more.
    """
    for each in rendering.of("Cluster"):
        ways = each["spec"].get("bootstrap", {})
        if len(ways) != 1:
            yield f"{describe(each)}: bootstrap must say one way, and says {', '.join(ways) or 'none'}"
        if "recovery" not in ways:
            continue
        if not ways["recovery"].keys() >= {"source", "database", "owner", "secret"}:
            yield f"{describe(each)}: recovery must name source, database, owner and secret"
        plugins = each["spec"].get("plugins", [])
        written = [_archive(each, plugin) for plugin in plugins if plugin.get("isWALArchiver")]
        read = [
            _archive(each, there["plugin"])
            for there in each["spec"].get("externalClusters", [])
            if there["name"] == ways["recovery"].get("source") and "plugin" in there
        ]
        room = each["metadata"]["namespace"]
        if not read or not rendering.named("ObjectStore", room, read[0][0]):
            yield f"{describe(each)}: its source is no externalCluster with an ObjectStore that is there"
        if set(read) & set(written):
            yield f"{describe(each)}: archives where it was restored from; another serverName"


def _archive(cluster: Object, plugin: Object) -> tuple[str, str]:
    """The store, and the folder in it: the Cluster's name, where none is told."""
    told = plugin.get("parameters", {})
    name = told.get("serverName", cluster["metadata"]["name"])
    return told.get("barmanObjectName", ""), name


def _statements(cluster: Object) -> Iterator[str]:
    for name, value in cluster["spec"].get("bootstrap", {}).get("initdb", {}).items():
        if name.startswith("postInit") and name.endswith("SQL"):
            yield from value


def _found(pattern: re.Pattern[str], statements: list[str]) -> Iterator[re.Match[str]]:
    return (found for each in statements if (found := pattern.match(each)))


def _names(words: str) -> set[str]:
    return {word.strip(' "') for word in words.split(",")}


RULES = (
    operators_reach_their_databases,
    others_reach_no_other_database,
    databases_are_of_a_minor_release,
    databases_are_restored_apart,
)
