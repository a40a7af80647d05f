"""Rules of what can be reached from outside: one path, over TLS, of a Service that exists."""

from collections.abc import Iterator

from payment.api.webhooks import PATH
from verification.kubernetes.rendering import Object, Rendering, describe, namespace_of


def ingresses_lead_to_services(rendering: Rendering) -> Iterator[str]:
    for each in rendering.of("Ingress"):
        for _, path in _paths(each):
            wanted = path["backend"]["service"]
            service = rendering.named("Service", namespace_of(each), wanted["name"])
            ports = service["spec"]["ports"] if service else []
            if not any(
                wanted["port"] in ({"name": p["name"]}, {"number": p["port"]}) for p in ports
            ):
                yield f"{describe(each)}: there is no Service {wanted['name']} with that port"


def ingresses_use_tls(rendering: Rendering) -> Iterator[str]:
    """Each host has a certificate from a Secret that is named."""
    for each in rendering.of("Ingress"):
        certified = {
            host
            for tls in each["spec"].get("tls", [])
            if tls.get("secretName")
            for host in tls.get("hosts", [])
        }
        for host, _ in _paths(each):
            if host not in certified:
                yield f"{describe(each)}: {host or 'every host'} is served without TLS"


def ingresses_serve_one_path(rendering: Rendering) -> Iterator[str]:
    for each in rendering.of("Ingress"):
        if "defaultBackend" in each["spec"] or "ingressClassName" not in each["spec"]:
            yield f"{describe(each)}: must name its class, and have no default backend"
        for _, path in _paths(each):
            if (path["path"], path["pathType"]) != (PATH, "Exact"):
                yield f"{describe(each)}: {path['path']} must be exactly {PATH}"


def services_are_internal(rendering: Rendering) -> Iterator[str]:
    """From outside, only an Ingress is reached."""
    for each in rendering.of("Service"):
        spec = each["spec"]
        if spec.get("type", "ClusterIP") != "ClusterIP" or spec.get("externalIPs"):
            yield f"{describe(each)}: must not be reached from outside the cluster"


def _paths(ingress: Object) -> Iterator[tuple[str, Object]]:
    for rule in ingress["spec"].get("rules", []):
        for path in rule.get("http", {}).get("paths", []):
            yield rule.get("host", ""), path


RULES = (
    ingresses_lead_to_services,
    ingresses_use_tls,
    ingresses_serve_one_path,
    services_are_internal,
)
