"""Each rule of our own rejects the real manifests, broken in one place."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("kubernetes_validate", reason="`make kubernetes-check` brings what this needs")

from verification.kubernetes.rendering import KUBERNETES, OVERLAYS, Object, Rendering, read, render
from verification.kubernetes.rules import RULES

Breaking = Callable[[Rendering], None]
REMOVED = object()

POD = "spec.template.spec"
CONTAINER = f"{POD}.containers.0"
CUSTOMER = "Deployment customer"
PAYMENT = "Deployment payment"
VERSION = (KUBERNETES.parent / "VERSION").read_text(encoding="utf-8").strip()
MIGRATE = f"Job migrate-{VERSION.replace('.', '-')}"
RECONCILE = "CronJob reconcile"
JOB = "spec.jobTemplate.spec"
INGRESS = "Ingress webhooks"
BACKEND = "spec.rules.0.http.paths.0.backend.service"
DATABASE = "StatefulSet database"
SQL = "spec.bootstrap.initdb.postInitApplicationSQL"
REVOKE = "REVOKE CONNECT ON DATABASE {} FROM PUBLIC"
POSTGRESQL = "ghcr.io/cloudnative-pg/postgresql"


@pytest.fixture(scope="module")
def renderings() -> dict[str, Rendering]:
    return {overlay: read(overlay, render(overlay)) for overlay in OVERLAYS}


def found(rendering: Rendering, what: str) -> Object:
    kind, name = what.split()
    return next(each for each in rendering.of(kind) if each["metadata"]["name"] == name)


def change(what: str, path: str, value: object) -> Breaking:
    """Set a value at a path of the first object of a kind and name, or remove it."""

    def breaking(rendering: Rendering) -> None:
        target: Any = found(rendering, what)
        *steps, last = [int(step) if step.isdigit() else step for step in path.split(".")]
        for step in steps:
            target = target[step]
        if value is REMOVED:
            del target[last]
        else:
            target[last] = value

    return breaking


def change_variable(what: str, name: str, value: str) -> Breaking:
    def breaking(rendering: Rendering) -> None:
        container = found(rendering, what)["spec"]["template"]["spec"]["containers"][0]
        container["env"] = [each for each in container["env"] if each["name"] != name]
        container["env"].append({"name": name, "value": value})

    return breaking


def set_twice(rendering: Rendering) -> None:
    container = found(rendering, CUSTOMER)["spec"]["template"]["spec"]["containers"][0]
    container["env"].append(container["env"][0])


def one_bucket(rendering: Rendering) -> None:
    for each in rendering.of("ObjectStore"):
        each["spec"]["configuration"]["destinationPath"] = "s3://one"


PLUGIN = {"name": "barman-cloud.cloudnative-pg.io", "parameters": {"barmanObjectName": "backup"}}
MISSPELT = PLUGIN | {"parameters": {"barmanObjectName": "bakcup"}}
ELSEWHERE = PLUGIN | {
    "isWALArchiver": True,
    "parameters": {"barmanObjectName": "backup", "serverName": "database-2"},
}
RECOVERY = {
    "source": "before",
    "database": "customer",
    "owner": "customer_owner",
    "secret": {"name": "database-owner"},
}


def restored(**changed: object) -> Breaking:
    """The first Cluster, restored into its own archive."""

    def breaking(rendering: Rendering) -> None:
        spec = found(rendering, "Cluster database")["spec"]
        spec["bootstrap"] = {"recovery": RECOVERY}
        spec["externalClusters"] = [{"name": "before", "plugin": PLUGIN}]
        spec.update(copy.deepcopy(changed))

    return breaking


def without(kind: str, name: str) -> Callable[[Rendering], Rendering]:
    """Remove every object of a kind and name."""

    def breaking(rendering: Rendering) -> Rendering:
        return Rendering(
            rendering.overlay,
            tuple(
                each
                for each in rendering.objects
                if (each["kind"], each["metadata"]["name"]) != (kind, name)
            ),
        )

    return breaking


PORT = {"port": 50051}
PRODUCTION, DEVELOPMENT, NO_DNS = "production", "development", "no-dns"

# By rule: an overlay, and what is broken in it.
BROKEN: dict[str, list[tuple[str, Callable[[Rendering], Rendering | None]]]] = {
    "names_are_lowercase": [
        (DEVELOPMENT, change(CUSTOMER, "metadata.name", "Customer")),
    ],
    "ports_are_in_range": [
        (DEVELOPMENT, change(CUSTOMER, f"{CONTAINER}.ports.0.containerPort", 70000)),
        (DEVELOPMENT, change("Service customer", "spec.ports.0.port", 0)),
    ],
    "port_ranges_ascend": [
        (DEVELOPMENT, change("NetworkPolicy customer", "spec.ingress.0.ports.0.endPort", 50050)),
    ],
    "enumerations_are_known": [
        (DEVELOPMENT, change("Service customer", "spec.ports.0.protocol", "TPC")),
        (DEVELOPMENT, change(CUSTOMER, f"{CONTAINER}.imagePullPolicy", "Sometimes")),
        (DEVELOPMENT, change("NetworkPolicy deny-all", "spec.policyTypes", ["Ingres", "Egress"])),
        (DEVELOPMENT, change(RECONCILE, "spec.concurrencyPolicy", "Never")),
    ],
    "requests_fit_into_limits": [
        (DEVELOPMENT, change(CUSTOMER, f"{CONTAINER}.resources.requests.memory", "1Gi")),
        (DEVELOPMENT, change(CUSTOMER, f"{CONTAINER}.resources.limits.memory", "256MB")),
        (PRODUCTION, change("Cluster database", "spec.resources.limits.memory", "1Gi")),
    ],
    "variables_are_set_once": [
        (DEVELOPMENT, set_twice),
    ],
    "jobs_never_restart_containers": [
        (DEVELOPMENT, change(MIGRATE, f"{POD}.restartPolicy", "Always")),
        (DEVELOPMENT, change(RECONCILE, f"{JOB}.template.spec.restartPolicy", "OnFailure")),
    ],
    "probes_have_one_handler": [
        (DEVELOPMENT, change(CUSTOMER, f"{CONTAINER}.livenessProbe.tcpSocket", PORT)),
        (DEVELOPMENT, change(CUSTOMER, f"{CONTAINER}.livenessProbe.grpc", REMOVED)),
    ],
    "selectors_match_their_own_pods": [
        (
            DEVELOPMENT,
            change(CUSTOMER, "spec.selector.matchLabels", {"oncepay/component": "custmer"}),
        ),
    ],
    "services_lead_to_pods": [
        (DEVELOPMENT, change("Service customer", "spec.selector", {"oncepay/component": "x"})),
        (DEVELOPMENT, change("Service customer", "spec.ports.0.targetPort", "http")),
        (DEVELOPMENT, change("Service customer", "spec.ports.0.targetPort", 50052)),
    ],
    "budgets_cover_pods": [
        (
            DEVELOPMENT,
            change(
                "PodDisruptionBudget customer", "spec.selector.matchLabels", {"app": "customer"}
            ),
        ),
    ],
    "autoscalers_have_a_target": [
        (
            PRODUCTION,
            change("HorizontalPodAutoscaler customer", "spec.scaleTargetRef.name", "custmer"),
        ),
        (PRODUCTION, change(CUSTOMER, "spec.replicas", 3)),
        (PRODUCTION, change(PAYMENT, f"{CONTAINER}.resources.requests.cpu", REMOVED)),
    ],
    "volumes_exist": [
        (DEVELOPMENT, change(CUSTOMER, f"{CONTAINER}.volumeMounts.0.name", "databse")),
        (DEVELOPMENT, change(CUSTOMER, f"{POD}.volumes.0.secret.secretName", "databse")),
        (PRODUCTION, change(CUSTOMER, f"{POD}.volumes.0.secret.secretName", "databse")),
        (DEVELOPMENT, without("ConfigMap", "database-roles")),
    ],
    "service_accounts_exist": [
        (DEVELOPMENT, change(CUSTOMER, f"{POD}.serviceAccountName", "custmer")),
    ],
    "namespaces_exist": [
        (DEVELOPMENT, change(CUSTOMER, "metadata.namespace", "oncepay-custmer")),
    ],
    "addresses_are_services": [
        (DEVELOPMENT, without("Service", "database-rw")),
        (PRODUCTION, without("Cluster", "database")),
        (DEVELOPMENT, change_variable(PAYMENT, "CUSTOMER_TARGET", "dns:///customer:50051")),
        (
            DEVELOPMENT,
            change_variable(
                PAYMENT,
                "STRIPE_BASE_ADDRESS",
                "http://sandbox.oncepay-sandbox.svc.cluster.local:12112",
            ),
        ),
    ],
    "grpc_is_balanced_over_all_pods": [
        (DEVELOPMENT, change("Service payment", "spec.clusterIP", REMOVED)),
        (DEVELOPMENT, change("Service payment", "spec.clusterIP", "10.96.0.9")),
    ],
    "services_have_an_address_without_dns": [
        (NO_DNS, change("Service customer", "spec.clusterIP", "None")),
        (NO_DNS, change("Service customer", "spec.clusterIP", "10.96.0.52")),
    ],
    "hosts_files_name_every_target": [
        (NO_DNS, change(CUSTOMER, f"{POD}.hostAliases", [])),
        (NO_DNS, change(MIGRATE, f"{POD}.hostAliases.0.ip", "10.96.0.9")),
        (NO_DNS, change(PAYMENT, f"{POD}.hostAliases.1.hostnames", ["customer"])),
        (
            DEVELOPMENT,
            change(
                CUSTOMER, f"{POD}.hostAliases", [{"ip": "10.96.0.9", "hostnames": ["database-rw"]}]
            ),
        ),
    ],
    "namespaces_enforce_the_restricted_standard": [
        (
            DEVELOPMENT,
            change(
                "Namespace oncepay-payment",
                "metadata.labels",
                {"pod-security.kubernetes.io/enforce": "baseline"},
            ),
        ),
    ],
    "pods_keep_the_restricted_standard": [
        (DEVELOPMENT, change(CUSTOMER, f"{POD}.securityContext", {})),
        (DEVELOPMENT, change(DATABASE, f"{POD}.securityContext.runAsNonRoot", False)),
        (DEVELOPMENT, change(CUSTOMER, f"{POD}.securityContext.seccompProfile.type", "Unconfined")),
        (DEVELOPMENT, change(CUSTOMER, f"{POD}.hostNetwork", True)),
        (
            DEVELOPMENT,
            change(MIGRATE, f"{POD}.volumes.1", {"name": "nowhere", "hostPath": {"path": "/"}}),
        ),
    ],
    "containers_keep_the_restricted_standard": [
        (
            DEVELOPMENT,
            change(CUSTOMER, f"{CONTAINER}.securityContext.allowPrivilegeEscalation", True),
        ),
        (DEVELOPMENT, change(CUSTOMER, f"{CONTAINER}.securityContext.privileged", True)),
        (DEVELOPMENT, change(MIGRATE, f"{CONTAINER}.securityContext.capabilities.drop", [])),
        (
            DEVELOPMENT,
            change(DATABASE, f"{CONTAINER}.securityContext.capabilities.add", ["NET_RAW"]),
        ),
        (
            DEVELOPMENT,
            change(PAYMENT, f"{CONTAINER}.securityContext.readOnlyRootFilesystem", REMOVED),
        ),
        (DEVELOPMENT, change(PAYMENT, f"{CONTAINER}.securityContext.runAsUser", 0)),
    ],
    "no_pod_has_a_token": [
        (DEVELOPMENT, change(PAYMENT, f"{POD}.automountServiceAccountToken", REMOVED)),
    ],
    "secrets_are_files": [
        (DEVELOPMENT, change_variable(CUSTOMER, "DATABASE_PASSWORD", "in the open")),
        (
            DEVELOPMENT,
            change_variable(
                MIGRATE, "DATABASE_URL", "postgresql://customer:pw@database-rw:5432/customer"
            ),
        ),
        (DEVELOPMENT, change_variable(PAYMENT, "STRIPE_API_KEY", "sk_test_x")),
        (
            DEVELOPMENT,
            change(
                DATABASE, f"{CONTAINER}.env.0.valueFrom", {"secretKeyRef": {"name": "database"}}
            ),
        ),
    ],
    "variables_are_settings": [
        (DEVELOPMENT, change_variable(CUSTOMER, "DATABSE_POOL_SIZE", "10")),
        (DEVELOPMENT, change_variable(CUSTOMER, "CUSTOMER_TARGET", "x")),
        (DEVELOPMENT, change_variable(MIGRATE, "DRAIN_SECONDS", "1")),
        (
            DEVELOPMENT,
            change(RECONCILE, f"{JOB}.template.spec.containers.0.env.0.name", "DATABSE_URL"),
        ),
    ],
    "images_are_pinned": [
        (PRODUCTION, change(CUSTOMER, f"{CONTAINER}.image", "r/customer:0.1.0")),
        (DEVELOPMENT, change(CUSTOMER, f"{CONTAINER}.image", "r/customer")),
        (DEVELOPMENT, change(DATABASE, f"{CONTAINER}.image", "postgres:latest")),
    ],
    "rolling_updates_start_a_pod_before_they_stop_one": [
        (DEVELOPMENT, change(CUSTOMER, "spec.strategy.rollingUpdate.maxUnavailable", 1)),
        (DEVELOPMENT, change(CUSTOMER, "spec.strategy.rollingUpdate.maxSurge", 0)),
        (DEVELOPMENT, change(PAYMENT, "spec.strategy.type", "Recreate")),
    ],
    "rolling_updates_are_slower_than_dns": [
        (DEVELOPMENT, change(CUSTOMER, "spec.minReadySeconds", 39)),
    ],
    "pods_outlive_their_drain": [
        (DEVELOPMENT, change(PAYMENT, f"{POD}.terminationGracePeriodSeconds", 42)),
        (DEVELOPMENT, change_variable(PAYMENT, "DRAIN_SECONDS", "60")),
    ],
    "pods_wait_until_their_endpoint_is_removed": [
        (
            DEVELOPMENT,
            change(
                PAYMENT,
                f"{CONTAINER}.lifecycle.preStop",
                {"exec": {"command": ["sh", "-c", "sleep 5"]}},
            ),
        ),
        (DEVELOPMENT, change(PAYMENT, f"{CONTAINER}.lifecycle", REMOVED)),
    ],
    "probes_use_existing_health_services": [
        (DEVELOPMENT, change(CUSTOMER, f"{CONTAINER}.readinessProbe.grpc.service", "ready")),
        (DEVELOPMENT, change(CUSTOMER, f"{CONTAINER}.livenessProbe.grpc.service", "readiness")),
        (DEVELOPMENT, change(CUSTOMER, f"{CONTAINER}.startupProbe", REMOVED)),
    ],
    "images_keep_their_entrypoint": [
        (
            DEVELOPMENT,
            change(MIGRATE, f"{CONTAINER}.command", ["python", "-m", "customer", "migrate"]),
        ),
    ],
    "servers_have_probes": [
        (DEVELOPMENT, change("StatefulSet sandbox", f"{CONTAINER}.readinessProbe", REMOVED)),
    ],
    "disruption_budgets_let_a_node_drain": [
        (DEVELOPMENT, change("PodDisruptionBudget customer", "spec.maxUnavailable", 0)),
        (DEVELOPMENT, change("PodDisruptionBudget payment", "spec.minAvailable", "100%")),
        (DEVELOPMENT, without("PodDisruptionBudget", "payment")),
    ],
    "deployments_have_two_pods": [
        (DEVELOPMENT, change(CUSTOMER, "spec.replicas", 1)),
        (PRODUCTION, change("HorizontalPodAutoscaler payment", "spec.minReplicas", 1)),
        (PRODUCTION, without("HorizontalPodAutoscaler", "payment")),
    ],
    "migrations_are_named_by_their_release": [
        (
            DEVELOPMENT,
            change(
                MIGRATE,
                "spec.template.metadata.labels",
                {"oncepay/component": "migrate", "app.kubernetes.io/version": "0.2.0"},
            ),
        ),
    ],
    "immutable_fields_name_no_release": [
        (
            DEVELOPMENT,
            change(
                "StatefulSet sandbox",
                "spec.volumeClaimTemplates.0.metadata.labels",
                {"app.kubernetes.io/version": VERSION},
            ),
        ),
        (
            DEVELOPMENT,
            change(CUSTOMER, "spec.selector.matchLabels", {"app.kubernetes.io/version": VERSION}),
        ),
    ],
    "jobs_use_the_image_of_their_service": [
        (DEVELOPMENT, change(MIGRATE, f"{CONTAINER}.image", "oncepay/customer:0.0.9")),
        (
            PRODUCTION,
            change(RECONCILE, f"{JOB}.template.spec.containers.0.image", "oncepay/payment:0.0.9"),
        ),
    ],
    "connections_suffice": [
        (PRODUCTION, change("HorizontalPodAutoscaler payment", "spec.maxReplicas", 20)),
        (DEVELOPMENT, change_variable(CUSTOMER, "DATABASE_POOL_SIZE", "50")),
        (PRODUCTION, change_variable(PAYMENT, "RECOVERY_POOL_SIZE", "10")),
        (PRODUCTION, change("HorizontalPodAutoscaler payment", "spec.maxReplicas", 11)),
        (
            PRODUCTION,
            change(PAYMENT, f"{CONTAINER}.env", [{"name": "DATABASE_POOL_SIZE", "value": "15"}]),
        ),
    ],
    "memory_suffices": [
        (PRODUCTION, change(CUSTOMER, f"{CONTAINER}.resources.limits.memory", "256Mi")),
        (DEVELOPMENT, change(PAYMENT, f"{CONTAINER}.resources.limits.memory", "380Mi")),
        (DEVELOPMENT, change(PAYMENT, f"{CONTAINER}.resources.limits", {})),
    ],
    "commits_are_on_two_instances": [
        (
            PRODUCTION,
            change("Cluster database", "spec.postgresql.synchronous.dataDurability", "preferred"),
        ),
        (PRODUCTION, change("Cluster database", "spec.instances", 2)),
    ],
    "databases_are_backed_up": [
        (PRODUCTION, change("Cluster database", "spec.plugins", [])),
        (PRODUCTION, without("ObjectStore", "backup")),
        (PRODUCTION, without("ScheduledBackup", "nightly")),
        (PRODUCTION, one_bucket),
    ],
    "operators_can_connect": [
        (
            PRODUCTION,
            change("Cluster database", f"{SQL}.1", REVOKE.format("customer, postgres, template1")),
        ),
        (
            PRODUCTION,
            change(
                "Cluster database", "spec.bootstrap.initdb.postInitSQL", [REVOKE.format("postgres")]
            ),
        ),
        (
            PRODUCTION,
            change(
                "Cluster database", f"{SQL}.2", "GRANT CONNECT ON DATABASE customer TO customer"
            ),
        ),
    ],
    "others_are_rejected": [
        (
            PRODUCTION,
            change("Cluster database", "spec.postgresql.pg_hba", ["hostnossl all all all reject"]),
        ),
        (
            PRODUCTION,
            change("Cluster database", "spec.postgresql.pg_hba.0", "hostssl all all all md5"),
        ),
    ],
    "databases_name_a_minor_release": [
        (PRODUCTION, change("Cluster database", "spec.imageName", f"{POSTGRESQL}:18")),
        (
            PRODUCTION,
            change("Cluster database", "spec.imageName", f"{POSTGRESQL}:18-minimal-trixie"),
        ),
        (
            PRODUCTION,
            change("Cluster database", "spec.imageName", f"{POSTGRESQL}:18.6-system-trixie"),
        ),
        (PRODUCTION, change("Cluster database", "spec.imageName", REMOVED)),
    ],
    "databases_are_restored_into_another_archive": [
        (PRODUCTION, restored()),
        (PRODUCTION, restored(plugins=[ELSEWHERE], externalClusters=[])),
        (
            PRODUCTION,
            restored(
                plugins=[ELSEWHERE], externalClusters=[{"name": "before", "plugin": MISSPELT}]
            ),
        ),
        (PRODUCTION, restored(plugins=[ELSEWHERE], bootstrap={"recovery": {"source": "before"}})),
        (PRODUCTION, restored(plugins=[ELSEWHERE], bootstrap={"recovery": RECOVERY, "initdb": {}})),
    ],
    "schedules_run_one_at_a_time_and_are_bounded": [
        (PRODUCTION, change(RECONCILE, "spec.concurrencyPolicy", "Allow")),
        (PRODUCTION, change(RECONCILE, "spec.startingDeadlineSeconds", 5)),
        (PRODUCTION, change(RECONCILE, "spec.timeZone", REMOVED)),
        (PRODUCTION, change(RECONCILE, f"{JOB}.activeDeadlineSeconds", REMOVED)),
    ],
    "failed_runs_are_kept": [
        (PRODUCTION, change(RECONCILE, "spec.failedJobsHistoryLimit", 0)),
        (PRODUCTION, change(RECONCILE, "spec.failedJobsHistoryLimit", REMOVED)),
        (PRODUCTION, change(RECONCILE, "spec.successfulJobsHistoryLimit", 365)),
    ],
    "a_difference_fails_its_job_at_once": [
        (PRODUCTION, change(RECONCILE, f"{JOB}.podFailurePolicy", {})),
        (PRODUCTION, change(RECONCILE, f"{JOB}.podFailurePolicy.rules.1.onExitCodes.values", [2])),
        (PRODUCTION, change(RECONCILE, f"{JOB}.podFailurePolicy.rules.1.action", "Count")),
    ],
    "ingresses_lead_to_services": [
        (PRODUCTION, without("Service", "webhooks")),
        (PRODUCTION, change(INGRESS, f"{BACKEND}.port", {"name": "webhooks"})),
        (PRODUCTION, change(INGRESS, f"{BACKEND}.port", {"number": 443})),
    ],
    "ingresses_use_tls": [
        (PRODUCTION, change(INGRESS, "spec.tls", REMOVED)),
        (PRODUCTION, change(INGRESS, "spec.tls.0.secretName", REMOVED)),
        (PRODUCTION, change(INGRESS, "spec.rules.0.host", "other.example")),
    ],
    "ingresses_serve_one_path": [
        (PRODUCTION, change(INGRESS, "spec.rules.0.http.paths.0.pathType", "Prefix")),
        (PRODUCTION, change(INGRESS, "spec.rules.0.http.paths.0.path", "/")),
        (PRODUCTION, change(INGRESS, "spec.ingressClassName", REMOVED)),
        (PRODUCTION, change(INGRESS, "spec.defaultBackend", {})),
    ],
    "services_are_internal": [
        (PRODUCTION, change("Service webhooks", "spec.type", "LoadBalancer")),
        (PRODUCTION, change("Service payment", "spec.externalIPs", ["203.0.113.9"])),
    ],
}


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_manifests_keep_every_rule(
    renderings: dict[str, Rendering], overlay: str, rule: Any
) -> None:
    assert list(rule(renderings[overlay])) == []


@pytest.mark.parametrize(
    ("name", "overlay", "breaking"),
    [(name, *each) for name, many in BROKEN.items() for each in many],
)
def test_a_broken_manifest_is_rejected_by_its_rule(
    renderings: dict[str, Rendering], name: str, overlay: str, breaking: Any
) -> None:
    broken = copy.deepcopy(renderings[overlay])
    broken = breaking(broken) or broken

    (rule,) = [each for each in RULES if each.__name__ == name]
    assert list(rule(broken))


def test_every_rule_is_proven_by_a_broken_manifest() -> None:
    assert {*BROKEN} == {rule.__name__ for rule in RULES}


def test_the_readme_has_the_numbers_of_rules_and_manifests() -> None:
    readme = " ".join((KUBERNETES / "README.md").read_text(encoding="utf-8").split())

    assert f" {len(RULES)} [rules of our own]" in readme
    assert f" {sum(len(many) for many in BROKEN.values())} manifests, each broken" in readme
