"""Where there are names, and where there are addresses in their place: the overlay `no-dns`."""

from collections import Counter
from collections.abc import Iterator
from ipaddress import ip_address

from verification.kubernetes.rendering import Rendering, Workload, describe, namespace_of
from verification.kubernetes.rules.references import ADDRESS

ADDRESSED = "no-dns"


def grpc_is_balanced_over_all_pods(rendering: Rendering) -> Iterator[str]:
    """Where nobody answers for names, one address has to do: a client then stays with one pod."""
    for each in rendering.of("Service"):
        grpc = any(port.get("name") == "grpc" for port in each["spec"]["ports"])
        headless = each["spec"].get("clusterIP") == "None"
        if grpc and not headless and rendering.overlay != ADDRESSED:
            yield f"{describe(each)}: gRPC behind one address reaches one pod; clusterIP: None"


def services_have_an_address_where_there_are_no_names(rendering: Rendering) -> Iterator[str]:
    if rendering.overlay != ADDRESSED:
        return
    stated = Counter(each["spec"].get("clusterIP") for each in rendering.of("Service"))
    for each in rendering.of("Service"):
        address = each["spec"].get("clusterIP")
        if not _is_address(address):
            yield f"{describe(each)}: needs an address; clusterIP is {address}"
        elif stated[address] > 1:
            yield f"{describe(each)}: {address} is the address of another Service, too"


def hosts_files_know_what_is_dialled(rendering: Rendering) -> Iterator[str]:
    """Whom a variable names is in the pod's hosts file, with the address of that Service."""
    for item in rendering.workloads():
        aliases = item.pod.get("hostAliases", [])
        known = {name: alias["ip"] for alias in aliases for name in alias["hostnames"]}
        for name, room, host in _dialled(item):
            service = rendering.named("Service", room, host)
            address = service["spec"].get("clusterIP") if service else None
            if name in known and known[name] != address:
                yield f"{item}: its hosts file says {known[name]} for {name}, which is {address}"
            elif name not in known and rendering.overlay == ADDRESSED:
                yield f"{item}: dials {name}, and nothing here tells its address"


def _dialled(item: Workload) -> Iterator[tuple[str, str, str]]:
    """Each host that a variable names: as it is written, its namespace, its Service."""
    for container in item.containers:
        for variable in container.get("env", []):
            if variable["name"].endswith("LISTEN_ADDRESS"):
                continue
            for host, room, _ in ADDRESS.findall(variable.get("value", "")):
                written = f"{host}.{room}.svc.cluster.local" if room else host
                yield written, room or namespace_of(item.object), host


def _is_address(text: str | None) -> bool:
    try:
        ip_address(text or "")
    except ValueError:
        return False
    return True


RULES = (
    grpc_is_balanced_over_all_pods,
    services_have_an_address_where_there_are_no_names,
    hosts_files_know_what_is_dialled,
)
