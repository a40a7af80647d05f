"""Rules of addresses: the overlay `no-dns` has them in place of names."""

from collections import Counter
from collections.abc import Iterator
from ipaddress import ip_address

from verification.kubernetes.rendering import Rendering, describe
from verification.kubernetes.rules.references import named_addresses

NO_DNS = "no-dns"


def grpc_is_balanced_over_all_pods(rendering: Rendering) -> Iterator[str]:
    """Without DNS, one address has to do: a client then stays with one pod."""
    for each in rendering.of("Service"):
        grpc = any(port.get("name") == "grpc" for port in each["spec"]["ports"])
        headless = each["spec"].get("clusterIP") == "None"
        if grpc and not headless and rendering.overlay != NO_DNS:
            yield f"{describe(each)}: gRPC behind one address reaches one pod; clusterIP: None"


def services_have_an_address_without_dns(rendering: Rendering) -> Iterator[str]:
    if rendering.overlay != NO_DNS:
        return
    addresses = Counter(each["spec"].get("clusterIP") for each in rendering.of("Service"))
    for each in rendering.of("Service"):
        address = each["spec"].get("clusterIP")
        if not _is_address(address):
            yield f"{describe(each)}: needs an address; clusterIP is {address}"
        elif addresses[address] > 1:
            yield f"{describe(each)}: {address} is the address of another Service, too"


def hosts_files_name_every_target(rendering: Rendering) -> Iterator[str]:
    """Each host that a variable names is in the pod's hosts file, with the address of its Service."""
    for item in rendering.workloads():
        aliases = item.pod.get("hostAliases", [])
        known = {name: alias["ip"] for alias in aliases for name in alias["hostnames"]}
        for _, host, namespace, _ in named_addresses(item):
            name = f"{host}.{namespace}.svc.cluster.local" if namespace else host
            service = rendering.named("Service", namespace or item.namespace, host)
            address = service["spec"].get("clusterIP") if service else None
            if name in known and known[name] != address:
                yield f"{item}: its hosts file says {known[name]} for {name}, which is {address}"
            elif name not in known and rendering.overlay == NO_DNS:
                yield f"{item}: calls {name}, whose address is in no hosts file"


def _is_address(text: str | None) -> bool:
    try:
        ip_address(text or "")
    except ValueError:
        return False
    return True


RULES = (
    grpc_is_balanced_over_all_pods,
    services_have_an_address_without_dns,
    hosts_files_name_every_target,
)
