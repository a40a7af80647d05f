"""Callers in the cluster, while something is done to it; and what became of their payments."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from oncepay_cli.local.installation import Ports
from verification import caller
from verification.cluster.cluster import CALLER, Cluster
from verification.kubernetes.rendering import Object
from verification.load import settled_payments_of
from verification.rolling import captures

START_SECONDS = 120.0
WARM_SECONDS = 3.0
"""How long they call before anything is done, and after."""
STOP = "import os, signal; os.kill(1, signal.SIGTERM)"


@contextmanager
def called(cluster: Cluster) -> Iterator[caller.Snapshot]:
    """Callers pay from a pod for as long as the block lasts; what they saw is there at its end."""
    kubectl = cluster.kubectl
    seen = caller.Snapshot()
    pod = ("-n", CALLER, "caller")
    kubectl.run("apply", "--filename=-", stdin=json.dumps(_made_of(cluster)))
    try:
        _until_calling(cluster)
        yield seen
        time.sleep(WARM_SECONDS)
        kubectl.run("exec", *pod, "--", "python", "-c", STOP)
        bound = 2 * caller.PATIENCE_SECONDS
        ended = "--for=jsonpath={.status.phase}=Succeeded"
        kubectl.run("wait", "-n", CALLER, "pod/caller", ended, f"--timeout={bound:g}s")
        told, _ = kubectl.run("logs", *pod)
        vars(seen).update(json.loads(told.splitlines()[-1]))
    finally:
        kubectl.run("delete", "pod", *pod, "--ignore-not-found", "--grace-period=1")


def _until_calling(cluster: Cluster) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        phase = cluster.kubectl.get("pod", "-n", CALLER, "caller")["status"].get("phase")
        if phase == "Running":
            break
        if time.monotonic() > until:
            raise TimeoutError(f"the callers' pod is {phase} after {START_SECONDS:g} s")
        time.sleep(0.5)
    time.sleep(WARM_SECONDS)


@contextmanager
def forwarded(cluster: Cluster) -> Iterator[Ports]:
    """Ports of this machine that lead to a pod of each service, and to the sandbox."""
    forward = cluster.kubectl.forwarded
    with (
        forward("oncepay-customer", "customer", 50051) as customer,
        forward("oncepay-payment", "payment", 50052) as payment,
        forward("oncepay-sandbox", "sandbox", 12111) as sandbox,
    ):
        yield Ports(customer, payment, sandbox)


def unpaid(cluster: Cluster, seen: caller.Snapshot) -> list[str]:
    """Each payment that was answered and is not there, or there and was not answered; or is there and
    not SUCCEEDED, or for which money was not taken exactly once.
    """
    with forwarded(cluster) as ports:
        payments = {each.name: each for each in settled_payments_of(ports, seen.customer)}
        taken = captures(ports.sandbox)
    wrong = sorted(payments.keys() ^ {*seen.payments})
    for name, payment in payments.items():
        times, state = taken.get(payment.processor_id, 0), payment.State.Name(payment.state)
        if (state, times) != ("SUCCEEDED", 1):
            wrong.append(f"{name}: {state}, money taken {times} times")
    return wrong


def _made_of(cluster: Cluster) -> Object:
    """Callers in a namespace of their own, on Payment's image, as `restricted` as everything."""
    deployment = cluster.applied("Deployment", "payment")
    payment = deployment["spec"]["template"]["spec"]["containers"][0]
    may_call = {f"oncepay.{service}/caller": "true" for service in ("customer", "payment")}
    restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
    environment = {
        f"{service.upper()}_TARGET": cluster.target(service) for service in ("customer", "payment")
    }
    container = {
        "name": "caller",
        "image": payment["image"],
        "imagePullPolicy": payment.get("imagePullPolicy", "IfNotPresent"),
        "command": ["python", "/caller/caller.py"],
        "env": [{"name": name, "value": value} for name, value in environment.items()],
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": payment["securityContext"],
        "volumeMounts": [{"name": "program", "mountPath": "/caller", "readOnly": True}],
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
        "volumes": [{"name": "program", "configMap": {"name": "caller"}}],
    }
    here = {"name": "caller", "namespace": CALLER}
    namespace = {"name": CALLER, "labels": may_call | restricted}
    program = Path(str(caller.__file__)).read_text(encoding="utf-8")
    items = [
        {"kind": "Namespace", "metadata": namespace},
        {"kind": "ConfigMap", "metadata": here, "data": {"caller.py": program}},
        {"kind": "Pod", "metadata": here, "spec": pod},
    ]
    of_one_version = [{"apiVersion": "v1", **each} for each in items]
    return {"apiVersion": "v1", "kind": "List", "items": of_one_version}
