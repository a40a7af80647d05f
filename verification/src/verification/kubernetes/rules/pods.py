"""Rules of every pod: the `restricted` standard, no token, no secret in a variable, settings that exist.

Of a Deployment that breaks `restricted`, Kubernetes only warns: it rejects the pods later.
"""

import re
from collections.abc import Iterator
from dataclasses import fields

from customer.settings import Settings as CustomerSettings
from payment.settings import MigrationSettings
from payment.settings import Settings as PaymentSettings
from verification.kubernetes.rendering import Rendering

SERVICES = {"customer": CustomerSettings, "payment": PaymentSettings}
PASSWORD_IN_URL = re.compile(r"//[^/@]*:[^/@]+@")
SECRET_WORDS = ("PASSWORD", "SECRET", "TOKEN", "KEY")


def namespaces_enforce_the_restricted_standard(rendering: Rendering) -> Iterator[str]:
    for each in rendering.of("Namespace"):
        labels = each["metadata"].get("labels", {})
        if labels.get("pod-security.kubernetes.io/enforce") != "restricted":
            yield f"Namespace {each['metadata']['name']}: does not enforce `restricted`"


def pods_keep_the_restricted_standard(rendering: Rendering) -> Iterator[str]:
    """Kubernetes rejects the pods, long after it accepted their Deployment.

    Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/
    """
    for item in rendering.workloads():
        if not item.pod:
            continue
        context = item.pod.get("securityContext", {})
        if context.get("runAsNonRoot") is not True or not context.get("runAsUser"):
            yield f"{item}: must have runAsNonRoot and a numeric user"
        if context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield f"{item}: seccompProfile must be RuntimeDefault"
        if any(item.pod.get(each) for each in ("hostNetwork", "hostPID", "hostIPC")):
            yield f"{item}: must not share a namespace with its node"
        if any("hostPath" in volume for volume in item.pod.get("volumes", [])):
            yield f"{item}: must not mount the node's files"


def containers_keep_the_restricted_standard(rendering: Rendering) -> Iterator[str]:
    """And a read-only root file system, which the standard does not require."""
    for item, container in rendering.containers():
        own = container.get("securityContext", {})
        if own.get("allowPrivilegeEscalation") is not False or own.get("privileged"):
            yield f"{item}: allowPrivilegeEscalation must be false"
        if own.get("capabilities") != {"drop": ["ALL"]}:
            yield f"{item}: every capability must be dropped"
        if own.get("readOnlyRootFilesystem") is not True:
            yield f"{item}: readOnlyRootFilesystem must be true"
        if own.get("runAsUser") == 0 or own.get("runAsNonRoot") is False:
            yield f"{item}: its container must not run as root"


def no_pod_has_a_token(rendering: Rendering) -> Iterator[str]:
    for item in rendering.workloads():
        if item.pod and item.pod.get("automountServiceAccountToken") is not False:
            yield f"{item}: automountServiceAccountToken must be false"


def secrets_are_files(rendering: Rendering) -> Iterator[str]:
    """Variables are visible to everybody who may read the pod; files only inside it."""
    for item, container in rendering.containers():
        for variable in container.get("env", []):
            named = variable["name"].split("_")
            if any(word in named for word in SECRET_WORDS) and named[-1] != "FILE":
                yield f"{item}: {variable['name']} must come from a file, as {variable['name']}_FILE"
            if PASSWORD_IN_URL.search(variable.get("value", "")):
                yield f"{item}: {variable['name']} has a password in its address"
            if "secretKeyRef" in variable.get("valueFrom", {}):
                yield f"{item}: {variable['name']} must be a file, not a Secret's key"


def variables_are_settings(rendering: Rendering) -> Iterator[str]:
    """The services ignore a variable that they do not know: a misspelt one has no effect."""
    for item, container in rendering.containers():
        settings = SERVICES.get(container["name"])
        if container["name"] == "reconcile":
            settings = PaymentSettings
        if container["name"] == "migrate":
            settings = MigrationSettings
        if settings is None:
            continue
        known = {field.name.upper() for field in fields(settings)}
        if container["name"] == "migrate":
            known.add("LOG_FORMAT")
        for variable in container.get("env", []):
            if variable["name"].removesuffix("_FILE") not in known:
                yield f"{item}: {variable['name']} is no setting of {container['name']}"


def images_are_pinned(rendering: Rendering) -> Iterator[str]:
    """By digest in production, by a tag elsewhere."""
    for item, container in rendering.containers():
        image = container["image"]
        tag = image.rpartition("/")[2].partition(":")[2]
        if rendering.overlay == "production" and "@sha256:" not in image:
            yield f"{item}: {image} must be named by its digest"
        elif tag in ("", "latest"):
            yield f"{item}: {image} must have a tag other than latest"


RULES = (
    namespaces_enforce_the_restricted_standard,
    pods_keep_the_restricted_standard,
    containers_keep_the_restricted_standard,
    no_pod_has_a_token,
    secrets_are_files,
    variables_are_settings,
    images_are_pinned,
)
