"""A load of clients in a pod of the cluster, while something is done to the services."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from oncepay_cli.local.installation import Ports
from verification import load
from verification.cluster.cluster import LOAD_NAMESPACE, Cluster
from verification.kubernetes.rendering import Object
from verification.waiting import wait_until

WARM_SECONDS = 3.0
"""How long they call before anything is done, and after."""
STOP = "import os, signal; os.kill(1, signal.SIGTERM)"


@contextmanager
def under_load(cluster: Cluster) -> Iterator[load.Observations]:
    """Clients pay from a pod while the block lasts; the observations are there at its end."""
    kubectl = cluster.kubectl
    observed = load.Observations()
    pod = ("-n", LOAD_NAMESPACE, "load")
    kubectl.run("apply", "--filename=-", stdin=json.dumps(_objects(cluster)))
    try:
        _wait_until_running(cluster)
        yield observed
        time.sleep(WARM_SECONDS)
        kubectl.run("exec", *pod, "--", "python", "-c", STOP)
        bound = 2 * load.PATIENCE_SECONDS
        ended = "--for=jsonpath={.status.phase}=Succeeded"
        arguments = ("wait", "-n", LOAD_NAMESPACE, "pod/load", ended, f"--timeout={bound:g}s")
        kubectl.run(*arguments, seconds=bound + 10)
        log, _ = kubectl.run("logs", *pod)
        vars(observed).update(json.loads(log.splitlines()[-1]))
    finally:
        kubectl.run("delete", "pod", *pod, "--ignore-not-found", "--grace-period=1")


def _wait_until_running(cluster: Cluster) -> None:
    def phase() -> str | None:
        pod = cluster.kubectl.get("pod", "-n", LOAD_NAMESPACE, "load")
        found: str | None = pod["status"].get("phase")
        return found

    wait_until(lambda: phase() == "Running", lambda: f"the pod of the load is {phase()}")
    time.sleep(WARM_SECONDS)


@contextmanager
def forwarded_ports(cluster: Cluster) -> Iterator[Ports]:
    """Ports of this machine that lead to a pod of each service, and to the sandbox."""
    forward = cluster.kubectl.forwarded_port
    with (
        forward("oncepay-customer", "customer", 50051) as customer,
        forward("oncepay-payment", "payment", 50052) as payment,
        forward("oncepay-sandbox", "sandbox", 12111) as sandbox,
    ):
        yield Ports(customer, payment, sandbox)


def _objects(cluster: Cluster) -> Object:
    """A namespace of its own, and a pod in it on Payment's image, as `restricted` as everything."""
    deployment = cluster.applied("Deployment", "payment")
    payment = deployment["spec"]["template"]["spec"]["containers"][0]
    may_call = {f"oncepay.{service}/caller": "true" for service in ("customer", "payment")}
    restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
    environment = {
        f"{service.upper()}_TARGET": cluster.target(service) for service in ("customer", "payment")
    }
    container = {
        "name": "load",
        "image": payment["image"],
        "imagePullPolicy": payment.get("imagePullPolicy", "IfNotPresent"),
        "command": ["python", "/program/load.py"],
        "env": [{"name": name, "value": value} for name, value in environment.items()],
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": payment["securityContext"],
        "volumeMounts": [{"name": "program", "mountPath": "/program", "readOnly": True}],
    }
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [{"name": "program", "configMap": {"name": "load"}}],
    }
    metadata = {"name": "load", "namespace": LOAD_NAMESPACE}
    namespace = {"name": LOAD_NAMESPACE, "labels": may_call | restricted}
    program = Path(str(load.__file__)).read_text(encoding="utf-8")
    objects = [
        {"kind": "Namespace", "metadata": namespace},
        {"kind": "ConfigMap", "metadata": metadata, "data": {"load.py": program}},
        {"kind": "Pod", "metadata": metadata, "spec": pod},
    ]
    items = [{"apiVersion": "v1", **each} for each in objects]
    return {"apiVersion": "v1", "kind": "List", "items": items}
