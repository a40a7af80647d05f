"""Oncepay on a cluster that is not ours: applied, waited for, rolled, evicted, removed."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_network
from itertools import islice
from typing import Any

from verification.cluster.kubectl import Kubectl
from verification.commands import CommandFailed
from verification.kubernetes.rendering import Object, Rendering, namespace_of, read, render

ADDRESSED = (
    "customer",
    "payment",
    "sandbox",
    "customer-database",
    "payment-database",
    "webhooks",
)
"""What overlays/no-dns/addresses.yaml names."""
LOAD_NAMESPACE = "oncepay-caller"
NAMESPACES = ("oncepay-customer", "oncepay-payment", "oncepay-sandbox", LOAD_NAMESPACE)
FIRST_FREE = 10
"""Of a range's addresses, the first is the Kubernetes API's, and the tenth often the DNS's."""
NO_DNS_EXPLANATION = (
    "Here Services are reached by their addresses: does anything on the nodes lead those to pods "
    "(kube-proxy), and do pods have a default route?"
)
# Bounds, not expectations: a migration may wait for its database ten minutes.
READY_SECONDS = 900
RECONCILE_SECONDS = 300
REMOVE_SECONDS = 300


class NamespaceExists(Exception):
    """There is a namespace of ours on the cluster already."""


class Cluster:
    """What the suite does to a cluster. Use `installed`.

    Attributes:
        overlay: which one is applied.
        warnings: of the API server, about manifests that it accepted.
    """

    def __init__(self, kubectl: Kubectl, overlay: str = "") -> None:
        self.kubectl = kubectl
        self.overlay = overlay or self._suitable_overlay()
        self.warnings: list[str] = []
        addresses = self._free_addresses() if self.overlay == "no-dns" else None
        self._text = render(self.overlay, addresses)
        self.rendering: Rendering = read(self.overlay, self._text)

    def _suitable_overlay(self) -> str:
        """`development` needs a cluster DNS and a storage class; `no-dns` neither."""
        names = self.kubectl.get("services", "-n", "kube-system", "-l", "k8s-app=kube-dns")
        classes = self.kubectl.get("storageclasses")["items"]
        default = "storageclass.kubernetes.io/is-default-class"
        stored = any(
            each["metadata"].get("annotations", {}).get(default) == "true" for each in classes
        )
        return "development" if names["items"] and stored else "no-dns"

    def _free_addresses(self) -> dict[str, str]:
        ranges = self.kubectl.get("servicecidr", "kubernetes")["spec"]["cidrs"]
        services = self.kubectl.get("services", "--all-namespaces")["items"]
        taken = {each["spec"].get("clusterIP") for each in services}
        hosts = islice(ip_network(ranges[0]).hosts(), FIRST_FREE, None)
        free = (str(host) for host in hosts if str(host) not in taken)
        return dict(zip(ADDRESSED, free, strict=False))

    def check_namespaces(self) -> None:
        """Check that none of our namespaces exists.

        Raises:
            NamespaceExists: one does, and `remove` would delete what somebody else made.
        """
        existing = {each["metadata"]["name"] for each in self.kubectl.get("namespaces")["items"]}
        if found := sorted(existing & {*NAMESPACES}):
            raise NamespaceExists(
                f"The cluster has {', '.join(found)} already. This suite only removes what it made: "
                "remove them first, or name another cluster."
            )

    def apply(self) -> None:
        _, messages = self.kubectl.run("apply", "--filename=-", stdin=self._text)
        self.warnings = [line for line in messages.splitlines() if line.startswith("Warning:")]

    def wait(self) -> None:
        """Return when the migrations are through and every pod is ready.

        Raises:
            CommandFailed: they are not in time; with the pods and events of the cluster.
        """
        try:
            for each in self.rendering.of("StatefulSet", "Deployment"):
                self._wait_for_rollout(each["kind"], namespace_of(each), each["metadata"]["name"])
            for each in self.rendering.of("Job"):
                name, namespace = each["metadata"]["name"], namespace_of(each)
                bound = f"--timeout={READY_SECONDS}s"
                wanted = ("wait", "-n", namespace, f"job/{name}", "--for=condition=Complete", bound)
                self.kubectl.run(*wanted, seconds=READY_SECONDS + 10)
        except CommandFailed as refused:
            raise CommandFailed(f"{refused}\n{self._diagnosis()}") from refused

    def _wait_for_rollout(self, kind: str, namespace: str, name: str) -> None:
        status = ("rollout", "status", f"{kind.lower()}/{name}", "-n", namespace)
        self.kubectl.run(*status, f"--timeout={READY_SECONDS}s", seconds=READY_SECONDS + 10)

    def _diagnosis(self) -> str:
        """Pods and events of our namespaces, for whoever has to find out why."""
        found = [NO_DNS_EXPLANATION] if self.overlay == "no-dns" else []
        for namespace in NAMESPACES:
            for what in (("pods", "--output=wide"), ("events", "--sort-by=.lastTimestamp")):
                with suppress(CommandFailed):
                    found.append(self.kubectl.run("get", *what, "-n", namespace)[0][-4_000:])
        return "\n".join(found)

    def remove(self) -> None:
        """Remove all that was made: the namespaces, and with them what is in them."""
        command = ("delete", "namespaces", *NAMESPACES, "--ignore-not-found")
        self.kubectl.run(*command, f"--timeout={REMOVE_SECONDS}s", seconds=REMOVE_SECONDS + 10)

    def pods(self, service: str) -> list[str]:
        """The pods of a service that are not being deleted, by name."""
        namespace, label = f"oncepay-{service}", f"oncepay/component={service}"
        pods = self.kubectl.get("pods", "-n", namespace, "-l", label)["items"]
        return [
            each["metadata"]["name"] for each in pods if "deletionTimestamp" not in each["metadata"]
        ]

    def roll(self, service: str) -> None:
        """Replace every pod of a service, as a release would; return when that is done."""
        namespace = f"oncepay-{service}"
        self.kubectl.run("rollout", "restart", f"deployment/{service}", "-n", namespace)
        self.wait_until_complete(service)

    def wait_until_complete(self, service: str) -> None:
        """Return when a service has all its pods, and they have been available long enough."""
        try:
            self._wait_for_rollout("Deployment", f"oncepay-{service}", service)
        except CommandFailed as refused:
            raise CommandFailed(f"{refused}\n{self._diagnosis()}") from refused

    def reconcile(self) -> Any:
        """Run the reconciliation now, as its CronJob would; its report.

        Raises:
            CommandFailed: it found a difference, or could not compare; with its output.
        """
        namespace, job = ("-n", "oncepay-payment"), "job/reconcile-now"
        self.kubectl.run("create", "job", "--from=cronjob/reconcile", "reconcile-now", *namespace)
        bound = f"--timeout={RECONCILE_SECONDS}s"
        try:
            ended = ("wait", *namespace, job, "--for=condition=Complete", bound)
            self.kubectl.run(*ended, seconds=RECONCILE_SECONDS + 10)
        except CommandFailed as refused:
            raise CommandFailed(
                f"{refused}\n{self.kubectl.run('logs', *namespace, job)[0]}"
            ) from refused
        log = self.kubectl.run("logs", *namespace, job)[0]  # among lines of the log, an object each
        return json.loads(log[log.index("{\n") : log.rindex("\n}") + 2])

    def evict(self, service: str, pod: str) -> bool:
        """Evict a pod, as `kubectl drain` does; False where its disruption budget is used up.

        Raises:
            CommandFailed: for another reason.
        """
        namespace = f"oncepay-{service}"
        eviction = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod, "namespace": namespace},
        }
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction"
        try:
            self.kubectl.run("create", "--raw", path, "--filename=-", stdin=json.dumps(eviction))
        except CommandFailed as refused:
            if "disruption budget" in str(refused):
                return False
            raise
        return True

    def target(self, service: str) -> str:
        """Where pods of the cluster find a service, as gRPC names it."""
        namespace = f"oncepay-{service}"
        found = self.applied("Service", service)
        port = found["spec"]["ports"][0]["port"]
        address = found["spec"]["clusterIP"]
        if address == "None":
            return f"dns:///{service}.{namespace}.svc.cluster.local:{port}"
        return f"ipv4:{address}:{port}"

    def applied(self, kind: str, service: str) -> Object:
        """The object of a kind that has a service's name, as it is applied."""
        found = self.rendering.named(kind, f"oncepay-{service}", service)
        if found is None:
            raise LookupError(f"{self.overlay} has no {kind} {service}")
        return found


@contextmanager
def installed(kubectl: Kubectl, overlay: str = "") -> Iterator[Cluster]:
    """Applied and ready; removed at the end, whatever happens.

    Raises:
        NamespaceExists: before anything was applied.
        CommandFailed: the cluster does not take it, or it does not become ready.
    """
    cluster = Cluster(kubectl, overlay)
    cluster.check_namespaces()
    try:
        cluster.apply()
        cluster.wait()
        yield cluster
    finally:
        cluster.remove()
