"""The evaluation of NetworkPolicies, and its comparison with architecture.toml."""

import copy
import tomllib
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("kubernetes_validate", reason="`make kubernetes-check` brings what this needs")

from verification.kubernetes.network import differences, possible_arrows, specified_arrows
from verification.kubernetes.rendering import KUBERNETES, OVERLAYS, Object, Rendering, read, render


@pytest.fixture(scope="module")
def renderings() -> dict[str, Rendering]:
    return {overlay: read(overlay, render(overlay)) for overlay in OVERLAYS}


def policy(rendering: Rendering, service: str, name: str) -> Any:
    found = rendering.named("NetworkPolicy", f"oncepay-{service}", name)
    assert found is not None
    return found["spec"]


def without(rendering: Rendering, service: str, name: str) -> Rendering:
    removed = rendering.named("NetworkPolicy", f"oncepay-{service}", name)
    assert removed is not None
    return Rendering(
        rendering.overlay, tuple(each for each in rendering.objects if each != removed)
    )


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_policies_allow_what_the_architecture_specifies(
    renderings: dict[str, Rendering], overlay: str
) -> None:
    assert list(differences(renderings[overlay])) == []


def allow_all_egress(rendering: Rendering) -> None:
    policy(rendering, "customer", "customer")["egress"] = [{}]


def misspell_the_peer(rendering: Rendering) -> None:
    pods = policy(rendering, "customer", "customer")["ingress"][0]["from"][1]["podSelector"]
    pods["matchLabels"] = {"oncepay/component": "paymnt"}


def forget_the_namespace(rendering: Rendering) -> None:
    del policy(rendering, "customer", "customer")["ingress"][0]["from"][1]["namespaceSelector"]


def forget_the_ports(rendering: Rendering) -> None:
    del policy(rendering, "payment", "payment")["ingress"][0]["ports"]


def mistake_the_port(rendering: Rendering) -> None:
    policy(rendering, "payment", "jobs")["egress"][0]["ports"][0]["port"] = 5433


def allow_dns_over_tcp_only(rendering: Rendering) -> None:
    del policy(rendering, "payment", "dns")["egress"][0]["ports"][0]


def allow_callers_of_every_namespace(rendering: Rendering) -> None:
    policy(rendering, "payment", "payment")["ingress"][0]["from"][0] = {"namespaceSelector": {}}


def allow_private_addresses(rendering: Rendering) -> None:
    for peer in policy(rendering, "payment", "payment-to-stripe")["egress"][0]["to"]:
        del peer["ipBlock"]["except"]


def allow_the_metadata_address(rendering: Rendering) -> None:
    peers = policy(rendering, "payment", "payment-to-stripe")["egress"][0]["to"]
    peers[0]["ipBlock"]["except"].remove("169.254.0.0/16")


def allow_webhooks_from_everybody(rendering: Rendering) -> None:
    del policy(rendering, "payment", "payment-from-ingress")["ingress"][0]["from"]


def allow_payments_from_the_ingress(rendering: Rendering) -> None:
    policy(rendering, "payment", "payment-from-ingress")["ingress"][0]["ports"] = [{"port": 50052}]


def allow_the_api_by_addresses(rendering: Rendering) -> None:
    (rule,) = [
        each
        for each in policy(rendering, "payment", "database-instances")["egress"]
        if {"port": 6443} in each["ports"]
    ]
    rule["to"] = [{"ipBlock": {"cidr": "0.0.0.0/0"}}, {"ipBlock": {"cidr": "::/0"}}]


def allow_everybody_to_read_metrics(rendering: Rendering) -> None:
    del policy(rendering, "customer", "database-instances")["ingress"][1]["from"]


def forget_the_metrics(rendering: Rendering) -> None:
    del policy(rendering, "customer", "database-instances")["ingress"][1]


def forget_reconciliation(rendering: Rendering) -> None:
    (rule,) = policy(rendering, "sandbox", "sandbox")["ingress"]
    rule["from"][0]["podSelector"] = {"matchLabels": {"oncepay/component": "payment"}}


CHANGES: list[tuple[str, Callable[[Rendering], None], str]] = [
    ("development", allow_all_egress, "customer/customer -> internet:9 is allowed"),
    ("development", misspell_the_peer, "payment/payment -> customer/customer:50051 is in arch"),
    ("development", forget_the_namespace, "payment/payment -> customer/customer:50051 is in arch"),
    ("development", forget_the_ports, "callers-of-payment -> payment/payment:9 is allowed"),
    ("development", mistake_the_port, "payment/migrate -> payment/database:5432 is in arch"),
    ("development", allow_dns_over_tcp_only, "payment/payment -> dns:53/UDP is in arch"),
    (
        "development",
        allow_callers_of_every_namespace,
        "other-pod -> payment/payment:50052 is allowed",
    ),
    ("production", allow_private_addresses, "payment/payment -> private-network:443 is allowed"),
    ("production", allow_webhooks_from_everybody, "other-pod -> payment/payment:50062 is allowed"),
    ("production", allow_payments_from_the_ingress, "ingress -> payment/payment:50052 is allowed"),
    ("production", allow_the_api_by_addresses, "payment/database -> other-pod:6443 is in arch"),
    (
        "production",
        allow_everybody_to_read_metrics,
        "other-pod -> customer/database:9187 is allowed",
    ),
    ("production", forget_the_metrics, "monitoring -> customer/database:9187 is in arch"),
    ("development", forget_reconciliation, "payment/reconcile -> sandbox/sandbox:12111 is in arch"),
    ("production", allow_the_metadata_address, "payment/payment -> cloud-metadata:443 is allowed"),
]


@pytest.mark.parametrize(("overlay", "change", "message"), CHANGES)
def test_a_changed_policy_is_reported_with_the_connection(
    renderings: dict[str, Rendering],
    overlay: str,
    change: Callable[[Rendering], None],
    message: str,
) -> None:
    rendering = copy.deepcopy(renderings[overlay])
    change(rendering)

    assert any(line.startswith(message) for line in differences(rendering))


@pytest.mark.parametrize(
    ("service", "name", "message"),
    [
        ("customer", "deny-all", "customer/database -> internet:9 is allowed"),
        ("payment", "dns", "payment/migrate -> dns:53 is in architecture.toml"),
    ],
)
def test_a_missing_policy_is_reported_with_the_connection(
    renderings: dict[str, Rendering], service: str, name: str, message: str
) -> None:
    rendering = without(renderings["development"], service, name)

    assert any(line.startswith(message) for line in differences(rendering))


# The boxes of the picture; it leaves out DNS, migrations and the databases' internal connections.
BOXES = {
    "callers": {"callers-of-customer", "callers-of-payment"},
    "customer": {"customer/customer"},
    "payment": {"payment/payment", "payment/reconcile"},
    "customers": {"customer/database"},
    "payments": {"payment/database"},
    "processor": {"sandbox/sandbox", "internet", "ingress"},
}


def test_the_picture_of_the_system_shows_the_same_connections() -> None:
    picture = KUBERNETES.parent / "docs" / "pictures" / "system.toml"
    pictured = {
        (arrow["from"].split()[0], arrow["to"].split()[0])
        for arrow in tomllib.loads(picture.read_text())["arrows"]
    }

    box = {part: name for name, parts in BOXES.items() for part in parts}
    for overlay in OVERLAYS:
        specified = {
            (box[arrow.source], box[arrow.target])
            for arrow in specified_arrows(overlay)
            if arrow.source in box and arrow.target in box
        }
        internal = {("customers", "customers"), ("payments", "payments")}
        # To the Kubernetes API and the backup store, which have no name: to any address at two ports.
        unnamed = {(box, to) for box, _ in internal for to in ("processor", "callers")}
        assert specified - internal - unnamed == pictured


def small(*policies: Object) -> Rendering:
    """Two pods in one namespace, a and b, under these policies."""
    namespaces: list[Object] = [{"kind": "Namespace", "metadata": {"name": "oncepay-x"}}]
    pods = [
        {
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": "oncepay-x"},
            "spec": {
                "template": {
                    "metadata": {"labels": {"oncepay/component": name}},
                    "spec": {"containers": [{"ports": [{"containerPort": 80}]}]},
                }
            },
        }
        for name in ("a", "b")
    ]
    return Rendering("development", (*namespaces, *pods, *policies))


def a_policy(name: str, selector: Object, **spec: object) -> Object:
    metadata = {"name": name, "namespace": "oncepay-x"}
    return {"kind": "NetworkPolicy", "metadata": metadata, "spec": {"podSelector": selector} | spec}


def test_a_pod_without_a_policy_is_open() -> None:
    arrows = {str(arrow) for arrow in possible_arrows(small())}

    assert {"x/a -> x/b:80", "x/a -> internet:80", "other-pod -> x/a:9/UDP"} <= arrows


def test_an_ingress_policy_leaves_egress_open() -> None:
    closed = a_policy("in", {"matchLabels": {"oncepay/component": "a"}}, policyTypes=["Ingress"])

    arrows = {str(arrow) for arrow in possible_arrows(small(closed))}

    assert "x/a -> x/b:80" in arrows
    assert "x/b -> x/a:80" not in arrows


def test_policies_add_up() -> None:
    both = ["Ingress", "Egress"]
    everything = a_policy("open", {}, policyTypes=both, ingress=[{}], egress=[{}])
    nothing = a_policy("deny-all", {}, policyTypes=both)

    assert set(possible_arrows(small(nothing, everything))) == set(possible_arrows(small()))
    assert not set(possible_arrows(small(nothing)))


def test_a_named_port_cannot_be_evaluated() -> None:
    named = a_policy("n", {}, policyTypes=["Ingress"], ingress=[{"ports": [{"port": "grpc"}]}])

    with pytest.raises(ValueError, match="by number"):
        set(possible_arrows(small(named)))
