"""Each rule of our own, proven by manifests that it refuses: the real ones, broken in one place."""

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
WAY_IN = "Ingress webhooks"
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


def put(what: str, path: str, value: object) -> Breaking:
    """Puts a value at a path of the first object of a kind and name, or removes what is there."""

    def breaking(rendering: Rendering) -> None:
        place: Any = found(rendering, what)
        *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
        for step in way:
            place = place[step]
        if value is REMOVED:
            del place[last]
        else:
            place[last] = value

    return breaking


def put_variable(what: str, name: str, value: str) -> Breaking:
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
NOWHERE = PLUGIN | {"parameters": {"barmanObjectName": "bakcup"}}
APART = PLUGIN | {
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
    """The first Cluster, restored into where it was."""

    def breaking(rendering: Rendering) -> None:
        spec = found(rendering, "Cluster database")["spec"]
        spec["bootstrap"] = {"recovery": RECOVERY}
        spec["externalClusters"] = [{"name": "before", "plugin": PLUGIN}]
        spec.update(copy.deepcopy(changed))

    return breaking


def without(kind: str, name: str) -> Callable[[Rendering], Rendering]:
    """The rendering without every object of that kind and name."""

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
HIGH, LOW, BARE = "production", "development", "no-dns"

# By rule: the overlay, and what is broken there.
BROKEN: dict[str, list[tuple[str, Callable[[Rendering], Rendering | None]]]] = {
    "names_are_written_small": [
        (LOW, put(CUSTOMER, "metadata.name", "Customer")),
    ],
    "ports_are_ports": [
        (LOW, put(CUSTOMER, f"{CONTAINER}.ports.0.containerPort", 70000)),
        (LOW, put("Service customer", "spec.ports.0.port", 0)),
    ],
    "a_range_of_ports_goes_up": [
        (LOW, put("NetworkPolicy customer", "spec.ingress.0.ports.0.endPort", 50050)),
    ],
    "words_are_known": [
        (LOW, put("Service customer", "spec.ports.0.protocol", "TPC")),
        (LOW, put(CUSTOMER, f"{CONTAINER}.imagePullPolicy", "Sometimes")),
        (LOW, put("NetworkPolicy deny-all", "spec.policyTypes", ["Ingres", "Egress"])),
        (LOW, put(RECONCILE, "spec.concurrencyPolicy", "Never")),
    ],
    "requests_fit_into_limits": [
        (LOW, put(CUSTOMER, f"{CONTAINER}.resources.requests.memory", "1Gi")),
        (LOW, put(CUSTOMER, f"{CONTAINER}.resources.limits.memory", "256MB")),
        (HIGH, put("Cluster database", "spec.resources.limits.memory", "1Gi")),
    ],
    "variables_are_set_once": [
        (LOW, set_twice),
    ],
    "a_job_ends": [
        (LOW, put(MIGRATE, f"{POD}.restartPolicy", "Always")),
        (LOW, put(RECONCILE, f"{JOB}.template.spec.restartPolicy", "OnFailure")),
    ],
    "probes_ask_in_one_way": [
        (LOW, put(CUSTOMER, f"{CONTAINER}.livenessProbe.tcpSocket", PORT)),
        (LOW, put(CUSTOMER, f"{CONTAINER}.livenessProbe.grpc", REMOVED)),
    ],
    "selectors_take_their_own_pods": [
        (LOW, put(CUSTOMER, "spec.selector.matchLabels", {"oncepay/component": "custmer"})),
    ],
    "services_lead_to_pods": [
        (LOW, put("Service customer", "spec.selector", {"oncepay/component": "x"})),
        (LOW, put("Service customer", "spec.ports.0.targetPort", "http")),
        (LOW, put("Service customer", "spec.ports.0.targetPort", 50052)),
    ],
    "budgets_cover_pods": [
        (
            LOW,
            put("PodDisruptionBudget customer", "spec.selector.matchLabels", {"app": "customer"}),
        ),
    ],
    "autoscalers_have_a_target": [
        (HIGH, put("HorizontalPodAutoscaler customer", "spec.scaleTargetRef.name", "custmer")),
        (HIGH, put(CUSTOMER, "spec.replicas", 3)),
        (HIGH, put(PAYMENT, f"{CONTAINER}.resources.requests.cpu", REMOVED)),
    ],
    "volumes_are_there": [
        (LOW, put(CUSTOMER, f"{CONTAINER}.volumeMounts.0.name", "databse")),
        (LOW, put(CUSTOMER, f"{POD}.volumes.0.secret.secretName", "databse")),
        (HIGH, put(CUSTOMER, f"{POD}.volumes.0.secret.secretName", "databse")),
        (LOW, without("ConfigMap", "database-roles")),
    ],
    "accounts_are_there": [
        (LOW, put(CUSTOMER, f"{POD}.serviceAccountName", "custmer")),
    ],
    "namespaces_are_there": [
        (LOW, put(CUSTOMER, "metadata.namespace", "oncepay-custmer")),
    ],
    "addresses_are_services": [
        (LOW, without("Service", "database-rw")),
        (HIGH, without("Cluster", "database")),
        (LOW, put_variable(PAYMENT, "CUSTOMER_TARGET", "dns:///customer:50051")),
        (
            LOW,
            put_variable(
                PAYMENT,
                "STRIPE_BASE_ADDRESS",
                "http://sandbox.oncepay-sandbox.svc.cluster.local:12112",
            ),
        ),
    ],
    "grpc_is_balanced_over_all_pods": [
        (LOW, put("Service payment", "spec.clusterIP", REMOVED)),
        (LOW, put("Service payment", "spec.clusterIP", "10.96.0.9")),
    ],
    "services_have_an_address_where_there_are_no_names": [
        (BARE, put("Service customer", "spec.clusterIP", "None")),
        (BARE, put("Service customer", "spec.clusterIP", "10.96.0.52")),
    ],
    "hosts_files_know_what_is_dialled": [
        (BARE, put(CUSTOMER, f"{POD}.hostAliases", [])),
        (BARE, put(MIGRATE, f"{POD}.hostAliases.0.ip", "10.96.0.9")),
        (BARE, put(PAYMENT, f"{POD}.hostAliases.1.hostnames", ["customer"])),
        (
            LOW,
            put(
                CUSTOMER, f"{POD}.hostAliases", [{"ip": "10.96.0.9", "hostnames": ["database-rw"]}]
            ),
        ),
    ],
    "namespaces_enforce_the_restricted_standard": [
        (
            LOW,
            put(
                "Namespace oncepay-payment",
                "metadata.labels",
                {"pod-security.kubernetes.io/enforce": "baseline"},
            ),
        ),
    ],
    "pods_keep_the_restricted_standard": [
        (LOW, put(CUSTOMER, f"{POD}.securityContext", {})),
        (LOW, put(DATABASE, f"{POD}.securityContext.runAsNonRoot", False)),
        (LOW, put(CUSTOMER, f"{POD}.securityContext.seccompProfile.type", "Unconfined")),
        (LOW, put(CUSTOMER, f"{POD}.hostNetwork", True)),
        (LOW, put(MIGRATE, f"{POD}.volumes.1", {"name": "nowhere", "hostPath": {"path": "/"}})),
    ],
    "containers_keep_the_restricted_standard": [
        (LOW, put(CUSTOMER, f"{CONTAINER}.securityContext.allowPrivilegeEscalation", True)),
        (LOW, put(CUSTOMER, f"{CONTAINER}.securityContext.privileged", True)),
        (LOW, put(MIGRATE, f"{CONTAINER}.securityContext.capabilities.drop", [])),
        (LOW, put(DATABASE, f"{CONTAINER}.securityContext.capabilities.add", ["NET_RAW"])),
        (LOW, put(PAYMENT, f"{CONTAINER}.securityContext.readOnlyRootFilesystem", REMOVED)),
        (LOW, put(PAYMENT, f"{CONTAINER}.securityContext.runAsUser", 0)),
    ],
    "no_pod_has_a_token": [
        (LOW, put(PAYMENT, f"{POD}.automountServiceAccountToken", REMOVED)),
    ],
    "nothing_secret_is_a_variable": [
        (LOW, put_variable(CUSTOMER, "DATABASE_PASSWORD", "in the open")),
        (
            LOW,
            put_variable(
                MIGRATE, "DATABASE_URL", "postgresql://customer:pw@database-rw:5432/customer"
            ),
        ),
        (LOW, put_variable(PAYMENT, "STRIPE_API_KEY", "sk_test_x")),
        (
            LOW,
            put(DATABASE, f"{CONTAINER}.env.0.valueFrom", {"secretKeyRef": {"name": "database"}}),
        ),
    ],
    "variables_are_settings": [
        (LOW, put_variable(CUSTOMER, "DATABSE_POOL_SIZE", "10")),
        (LOW, put_variable(CUSTOMER, "CUSTOMER_TARGET", "x")),
        (LOW, put_variable(MIGRATE, "DRAIN_SECONDS", "1")),
        (LOW, put(RECONCILE, f"{JOB}.template.spec.containers.0.env.0.name", "DATABSE_URL")),
    ],
    "images_cannot_be_moved": [
        (HIGH, put(CUSTOMER, f"{CONTAINER}.image", "r/customer:0.1.0")),
        (LOW, put(CUSTOMER, f"{CONTAINER}.image", "r/customer")),
        (LOW, put(DATABASE, f"{CONTAINER}.image", "postgres:latest")),
    ],
    "rolls_never_take_a_ready_pod_away_first": [
        (LOW, put(CUSTOMER, "spec.strategy.rollingUpdate.maxUnavailable", 1)),
        (LOW, put(CUSTOMER, "spec.strategy.rollingUpdate.maxSurge", 0)),
        (LOW, put(PAYMENT, "spec.strategy.type", "Recreate")),
    ],
    "pods_go_no_faster_than_clients_learn": [
        (LOW, put(CUSTOMER, "spec.minReadySeconds", 39)),
    ],
    "pods_outlive_their_drain": [
        (LOW, put(PAYMENT, f"{POD}.terminationGracePeriodSeconds", 42)),
        (LOW, put_variable(PAYMENT, "DRAIN_SECONDS", "60")),
    ],
    "pods_wait_for_their_address_to_go": [
        (
            LOW,
            put(
                PAYMENT,
                f"{CONTAINER}.lifecycle.preStop",
                {"exec": {"command": ["sh", "-c", "sleep 5"]}},
            ),
        ),
        (LOW, put(PAYMENT, f"{CONTAINER}.lifecycle", REMOVED)),
    ],
    "probes_ask_for_health_that_exists": [
        (LOW, put(CUSTOMER, f"{CONTAINER}.readinessProbe.grpc.service", "ready")),
        (LOW, put(CUSTOMER, f"{CONTAINER}.livenessProbe.grpc.service", "readiness")),
        (LOW, put(CUSTOMER, f"{CONTAINER}.startupProbe", REMOVED)),
    ],
    "images_start_as_they_were_made": [
        (LOW, put(MIGRATE, f"{CONTAINER}.command", ["python", "-m", "customer", "migrate"])),
    ],
    "every_server_is_asked_whether_it_is_ready": [
        (LOW, put("StatefulSet sandbox", f"{CONTAINER}.readinessProbe", REMOVED)),
    ],
    "budgets_let_a_node_drain": [
        (LOW, put("PodDisruptionBudget customer", "spec.maxUnavailable", 0)),
        (LOW, put("PodDisruptionBudget payment", "spec.minAvailable", "100%")),
        (LOW, without("PodDisruptionBudget", "payment")),
    ],
    "two_pods_are_the_least": [
        (LOW, put(CUSTOMER, "spec.replicas", 1)),
        (HIGH, put("HorizontalPodAutoscaler payment", "spec.minReplicas", 1)),
        (HIGH, without("HorizontalPodAutoscaler", "payment")),
    ],
    "migrations_are_named_by_their_release": [
        (
            LOW,
            put(
                MIGRATE,
                "spec.template.metadata.labels",
                {"oncepay/component": "migrate", "app.kubernetes.io/version": "0.2.0"},
            ),
        ),
    ],
    "what_cannot_change_names_no_release": [
        (
            LOW,
            put(
                "StatefulSet sandbox",
                "spec.volumeClaimTemplates.0.metadata.labels",
                {"app.kubernetes.io/version": VERSION},
            ),
        ),
        (LOW, put(CUSTOMER, "spec.selector.matchLabels", {"app.kubernetes.io/version": VERSION})),
    ],
    "jobs_use_the_image_of_their_service": [
        (LOW, put(MIGRATE, f"{CONTAINER}.image", "oncepay/customer:0.0.9")),
        (HIGH, put(RECONCILE, f"{JOB}.template.spec.containers.0.image", "oncepay/payment:0.0.9")),
    ],
    "connections_suffice": [
        (HIGH, put("HorizontalPodAutoscaler payment", "spec.maxReplicas", 20)),
        (LOW, put_variable(CUSTOMER, "DATABASE_POOL_SIZE", "50")),
        (HIGH, put_variable(PAYMENT, "RECOVERY_POOL_SIZE", "10")),
        (HIGH, put("HorizontalPodAutoscaler payment", "spec.maxReplicas", 11)),
        (HIGH, put(PAYMENT, f"{CONTAINER}.env", [{"name": "DATABASE_POOL_SIZE", "value": "15"}])),
    ],
    "memory_suffices": [
        (HIGH, put(CUSTOMER, f"{CONTAINER}.resources.limits.memory", "256Mi")),
        (LOW, put(PAYMENT, f"{CONTAINER}.resources.limits.memory", "380Mi")),
        (LOW, put(PAYMENT, f"{CONTAINER}.resources.limits", {})),
    ],
    "commits_are_on_two_instances": [
        (HIGH, put("Cluster database", "spec.postgresql.synchronous.dataDurability", "preferred")),
        (HIGH, put("Cluster database", "spec.instances", 2)),
    ],
    "databases_are_backed_up": [
        (HIGH, put("Cluster database", "spec.plugins", [])),
        (HIGH, without("ObjectStore", "backup")),
        (HIGH, without("ScheduledBackup", "nightly")),
        (HIGH, one_bucket),
    ],
    "operators_reach_their_databases": [
        (HIGH, put("Cluster database", f"{SQL}.1", REVOKE.format("customer, postgres, template1"))),
        (
            HIGH,
            put(
                "Cluster database", "spec.bootstrap.initdb.postInitSQL", [REVOKE.format("postgres")]
            ),
        ),
        (
            HIGH,
            put("Cluster database", f"{SQL}.2", "GRANT CONNECT ON DATABASE customer TO customer"),
        ),
    ],
    "others_reach_no_other_database": [
        (HIGH, put("Cluster database", "spec.postgresql.pg_hba", ["hostnossl all all all reject"])),
        (HIGH, put("Cluster database", "spec.postgresql.pg_hba.0", "hostssl all all all md5")),
    ],
    "databases_are_of_a_minor_release": [
        (HIGH, put("Cluster database", "spec.imageName", f"{POSTGRESQL}:18")),
        (HIGH, put("Cluster database", "spec.imageName", f"{POSTGRESQL}:18-minimal-trixie")),
        (HIGH, put("Cluster database", "spec.imageName", f"{POSTGRESQL}:18.6-system-trixie")),
        (HIGH, put("Cluster database", "spec.imageName", REMOVED)),
    ],
    "databases_are_restored_apart": [
        (HIGH, restored()),
        (HIGH, restored(plugins=[APART], externalClusters=[])),
        (HIGH, restored(plugins=[APART], externalClusters=[{"name": "before", "plugin": NOWHERE}])),
        (HIGH, restored(plugins=[APART], bootstrap={"recovery": {"source": "before"}})),
        (HIGH, restored(plugins=[APART], bootstrap={"recovery": RECOVERY, "initdb": {}})),
    ],
    "schedules_run_one_at_a_time_and_end": [
        (HIGH, put(RECONCILE, "spec.concurrencyPolicy", "Allow")),
        (HIGH, put(RECONCILE, "spec.startingDeadlineSeconds", 5)),
        (HIGH, put(RECONCILE, "spec.timeZone", REMOVED)),
        (HIGH, put(RECONCILE, f"{JOB}.activeDeadlineSeconds", REMOVED)),
    ],
    "failures_of_a_schedule_stay_to_be_read": [
        (HIGH, put(RECONCILE, "spec.failedJobsHistoryLimit", 0)),
        (HIGH, put(RECONCILE, "spec.failedJobsHistoryLimit", REMOVED)),
        (HIGH, put(RECONCILE, "spec.successfulJobsHistoryLimit", 365)),
    ],
    "a_difference_fails_its_job_at_once": [
        (HIGH, put(RECONCILE, f"{JOB}.podFailurePolicy", {})),
        (HIGH, put(RECONCILE, f"{JOB}.podFailurePolicy.rules.1.onExitCodes.values", [2])),
        (HIGH, put(RECONCILE, f"{JOB}.podFailurePolicy.rules.1.action", "Count")),
    ],
    "ways_in_lead_to_services": [
        (HIGH, without("Service", "webhooks")),
        (HIGH, put(WAY_IN, f"{BACKEND}.port", {"name": "webhooks"})),
        (HIGH, put(WAY_IN, f"{BACKEND}.port", {"number": 443})),
    ],
    "ways_in_are_encrypted": [
        (HIGH, put(WAY_IN, "spec.tls", REMOVED)),
        (HIGH, put(WAY_IN, "spec.tls.0.secretName", REMOVED)),
        (HIGH, put(WAY_IN, "spec.rules.0.host", "other.example")),
    ],
    "ways_in_are_as_narrow_as_can_be": [
        (HIGH, put(WAY_IN, "spec.rules.0.http.paths.0.pathType", "Prefix")),
        (HIGH, put(WAY_IN, "spec.rules.0.http.paths.0.path", "/")),
        (HIGH, put(WAY_IN, "spec.ingressClassName", REMOVED)),
        (HIGH, put(WAY_IN, "spec.defaultBackend", {})),
    ],
    "services_stay_inside": [
        (HIGH, put("Service webhooks", "spec.type", "LoadBalancer")),
        (HIGH, put("Service payment", "spec.externalIPs", ["203.0.113.9"])),
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
def test_a_broken_manifest_is_refused_by_its_rule(
    renderings: dict[str, Rendering], name: str, overlay: str, breaking: Any
) -> None:
    broken = copy.deepcopy(renderings[overlay])
    broken = breaking(broken) or broken

    (rule,) = [each for each in RULES if each.__name__ == name]
    assert list(rule(broken))


def test_every_rule_is_proven_by_a_broken_manifest() -> None:
    assert {*BROKEN} == {rule.__name__ for rule in RULES}


def test_the_document_counts_right() -> None:
    told = " ".join((KUBERNETES / "README.md").read_text(encoding="utf-8").split())

    assert f" {len(RULES)} [rules of our own]" in told
    assert f" {sum(len(many) for many in BROKEN.values())} manifests, each broken" in told
