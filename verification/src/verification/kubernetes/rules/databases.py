"""Rules of the databases that CloudNativePG runs: who may connect, their release, and how they are restored."""

import re
from collections.abc import Iterator

from verification.kubernetes.rendering import Object, Rendering, describe

REVOKED = re.compile(r"\s*REVOKE\b.*\bON DATABASE (.+?) FROM\b", re.IGNORECASE | re.DOTALL)
GRANTED = re.compile(r"\s*GRANT CONNECT ON DATABASE (.+?) TO (.+)", re.IGNORECASE | re.DOTALL)
MAINTENANCE = ("postgres", "template1")
REJECTIONS = ["hostnossl all all all reject", f"hostssl {','.join(MAINTENANCE)} all all reject"]
MONITOR = "pg_monitor"
# MAJOR.MINOR, the day of the build or not, the kind, Debian's release; a digest or not. The kind `system`
# is deprecated: it has Barman in it, which is a plug-in now.
IMAGE = re.compile(
    r".+:\d+\.\d+(-\d{12})?-(minimal|standard)-[a-z]+(@sha256:[0-9a-f]{64})?", re.ASCII
)


def operators_can_connect(rendering: Rendering) -> Iterator[str]:
    """By PUBLIC's privilege its instances connect to `postgres`, to follow a new primary; and its exporter of
    metrics, a member of pg_monitor, to the service's database.
    """
    for each in rendering.of("Cluster"):
        statements = list(_statements(each))
        revoked = {name for found in _found(REVOKED, statements) for name in _names(found[1])}
        for name in sorted(revoked.intersection(MAINTENANCE)):
            yield f"{describe(each)}: must revoke nothing on {name}; pg_hba rejects others"
        for name in sorted(revoked.difference(MAINTENANCE)):
            if not any(
                name in _names(found[1]) and MONITOR in _names(found[2])
                for found in _found(GRANTED, statements)
            ):
                yield f"{describe(each)}: without CONNECT on {name}, {MONITOR} sees no metrics"


def others_are_rejected(rendering: Rendering) -> Iterator[str]:
    """From the maintenance databases, and everybody without TLS. CloudNativePG's own lines come before these.

    Source: pkg/postgres/configuration.go of CloudNativePG
    """
    for each in rendering.of("Cluster"):
        lines = [" ".join(line.split()) for line in each["spec"]["postgresql"].get("pg_hba", [])]
        if lines[: len(REJECTIONS)] != REJECTIONS:
            yield f"{describe(each)}: pg_hba must begin with `{'`, `'.join(REJECTIONS)}`"


def databases_name_a_minor_release(rendering: Rendering) -> Iterator[str]:
    """A tag of the major release alone is moved to the next minor release by its publisher.

    Source: https://github.com/cloudnative-pg/postgres-containers#image-tags
    """
    for each in rendering.of("Cluster"):
        image = each["spec"].get("imageName", "")
        if not IMAGE.fullmatch(image):
            yield f"{describe(each)}: {image or 'no imageName'}; use 18.6-minimal-trixie, for example"


def databases_are_restored_into_another_archive(rendering: Rendering) -> Iterator[str]:
    """With its roles, from an archive that exists: CloudNativePG refuses to write where there is one already,
    and one that was overwritten cannot be restored any more.
    """
    for each in rendering.of("Cluster"):
        methods = each["spec"].get("bootstrap", {})
        if len(methods) != 1:
            yield f"{describe(each)}: bootstrap must have one method, and has {', '.join(methods) or 'none'}"
        if "recovery" not in methods:
            continue
        if not methods["recovery"].keys() >= {"source", "database", "owner", "secret"}:
            yield f"{describe(each)}: recovery must name source, database, owner and secret"
        plugins = each["spec"].get("plugins", [])
        written = [_archive(each, plugin) for plugin in plugins if plugin.get("isWALArchiver")]
        read = [
            _archive(each, cluster["plugin"])
            for cluster in each["spec"].get("externalClusters", [])
            if cluster["name"] == methods["recovery"].get("source") and "plugin" in cluster
        ]
        namespace = each["metadata"]["namespace"]
        if not read or not rendering.named("ObjectStore", namespace, read[0][0]):
            yield f"{describe(each)}: its source is no externalCluster with an ObjectStore that exists"
        if set(read) & set(written):
            yield f"{describe(each)}: archives where it was restored from; it needs another serverName"


def _archive(cluster: Object, plugin: Object) -> tuple[str, str]:
    """The store, and the folder in it: by default the Cluster's name."""
    parameters = plugin.get("parameters", {})
    name = parameters.get("serverName", cluster["metadata"]["name"])
    return parameters.get("barmanObjectName", ""), name


def _statements(cluster: Object) -> Iterator[str]:
    for name, value in cluster["spec"].get("bootstrap", {}).get("initdb", {}).items():
        if name.startswith("postInit") and name.endswith("SQL"):
            yield from value


def _found(pattern: re.Pattern[str], statements: list[str]) -> Iterator[re.Match[str]]:
    return (found for each in statements if (found := pattern.match(each)))


def _names(words: str) -> set[str]:
    return {word.strip(' "') for word in words.split(",")}


RULES = (
    operators_can_connect,
    others_are_rejected,
    databases_name_a_minor_release,
    databases_are_restored_into_another_archive,
)
