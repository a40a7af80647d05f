"""The evaluator of NetworkPolicies, and the arrows that it holds to the architecture."""

import copy
import tomllib
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("kubernetes_validate", reason="`make kubernetes-check` brings what this needs")

from verification.kubernetes.network import disagreements, drawn_arrows, possible_arrows
from verification.kubernetes.rendering import KUBERNETES, OVERLAYS, Object, Rendering, read, render


@pytest.fixture(scope="module")
def renderings() -> dict[str, Rendering]:
    return {overlay: read(overlay, render(overlay)) for overlay in OVERLAYS}


def policy(rendering: Rendering, room: str, name: str) -> Any:
    found = rendering.named("NetworkPolicy", f"oncepay-{room}", name)
    assert found is not None
    return found["spec"]


def without(rendering: Rendering, room: str, name: str) -> Rendering:
    gone = rendering.named("NetworkPolicy", f"oncepay-{room}", name)
    assert gone is not None
    return Rendering(rendering.overlay, tuple(each for each in rendering.objects if each != gone))


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_policies_are_the_architecture(renderings: dict[str, Rendering], overlay: str) -> None:
    assert list(disagreements(renderings[overlay])) == []


def open_all_ways_out(rendering: Rendering) -> None:
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


def resolve_names_over_tcp_alone(rendering: Rendering) -> None:
    del policy(rendering, "payment", "dns")["egress"][0]["ports"][0]


def let_every_namespace_call(rendering: Rendering) -> None:
    policy(rendering, "payment", "payment")["ingress"][0]["from"][0] = {"namespaceSelector": {}}


def reach_private_addresses(rendering: Rendering) -> None:
    for peer in policy(rendering, "payment", "payment-to-stripe")["egress"][0]["to"]:
        del peer["ipBlock"]["except"]


def reach_the_metadata(rendering: Rendering) -> None:
    peers = policy(rendering, "payment", "payment-to-stripe")["egress"][0]["to"]
    peers[0]["ipBlock"]["except"].remove("169.254.0.0/16")


def let_everybody_send_webhooks(rendering: Rendering) -> None:
    del policy(rendering, "payment", "payment-from-ingress")["ingress"][0]["from"]


def let_the_way_in_pay(rendering: Rendering) -> None:
    policy(rendering, "payment", "payment-from-ingress")["ingress"][0]["ports"] = [{"port": 50052}]


def name_the_api_by_addresses(rendering: Rendering) -> None:
    (rule,) = [
        each
        for each in policy(rendering, "payment", "database-instances")["egress"]
        if {"port": 6443} in each["ports"]
    ]
    rule["to"] = [{"ipBlock": {"cidr": "0.0.0.0/0"}}, {"ipBlock": {"cidr": "::/0"}}]


def let_everybody_read_metrics(rendering: Rendering) -> None:
    del policy(rendering, "customer", "database-instances")["ingress"][1]["from"]


def forget_the_metrics(rendering: Rendering) -> None:
    del policy(rendering, "customer", "database-instances")["ingress"][1]


def forget_reconciliation(rendering: Rendering) -> None:
    (rule,) = policy(rendering, "sandbox", "sandbox")["ingress"]
    rule["from"][0]["podSelector"] = {"matchLabels": {"oncepay/component": "payment"}}


CHANGES: list[tuple[str, Callable[[Rendering], None], str]] = [
    ("development", open_all_ways_out, "customer/customer -> internet:9 is let through"),
    ("development", misspell_the_peer, "payment/payment -> customer/customer:50051 is in arch"),
    ("development", forget_the_namespace, "payment/payment -> customer/customer:50051 is in arch"),
    ("development", forget_the_ports, "callers-of-payment -> payment/payment:9 is let through"),
    ("development", mistake_the_port, "payment/migrate -> payment/database:5432 is in arch"),
    ("development", resolve_names_over_tcp_alone, "payment/payment -> dns:53/UDP is in arch"),
    ("development", let_every_namespace_call, "other-pod -> payment/payment:50052 is let through"),
    ("production", reach_private_addresses, "payment/payment -> private-network:443 is let"),
    ("production", let_everybody_send_webhooks, "other-pod -> payment/payment:50062 is let"),
    ("production", let_the_way_in_pay, "ingress -> payment/payment:50052 is let through"),
    ("production", name_the_api_by_addresses, "payment/database -> other-pod:6443 is in arch"),
    (
        "production",
        let_everybody_read_metrics,
        "other-pod -> customer/database:9187 is let through",
    ),
    ("production", forget_the_metrics, "monitoring -> customer/database:9187 is in arch"),
    ("development", forget_reconciliation, "payment/reconcile -> sandbox/sandbox:12111 is in arch"),
    ("production", reach_the_metadata, "payment/payment -> cloud-metadata:443 is let through"),
]


@pytest.mark.parametrize(("overlay", "change", "told"), CHANGES)
def test_a_changed_policy_is_told_by_its_arrow(
    renderings: dict[str, Rendering],
    overlay: str,
    change: Callable[[Rendering], None],
    told: str,
) -> None:
    rendering = copy.deepcopy(renderings[overlay])
    change(rendering)

    assert any(line.startswith(told) for line in disagreements(rendering))


@pytest.mark.parametrize(
    ("room", "name", "told"),
    [
        ("customer", "deny-all", "customer/database -> internet:9 is let through"),
        ("payment", "dns", "payment/migrate -> dns:53 is in architecture.toml"),
    ],
)
def test_a_missing_policy_is_told_by_its_arrow(
    renderings: dict[str, Rendering], room: str, name: str, told: str
) -> None:
    rendering = without(renderings["development"], room, name)

    assert any(line.startswith(told) for line in disagreements(rendering))


# The picture's boxes, by what they stand for; it leaves out names, migrations and the databases' insides.
BOXES = {
    "callers": {"callers-of-customer", "callers-of-payment"},
    "customer": {"customer/customer"},
    "payment": {"payment/payment", "payment/reconcile"},
    "customers": {"customer/database"},
    "payments": {"payment/database"},
    "processor": {"sandbox/sandbox", "internet", "ingress"},
}


def test_the_picture_of_the_system_has_the_same_arrows() -> None:
    picture = KUBERNETES.parent / "docs" / "pictures" / "system.toml"
    pictured = {
        (arrow["from"].split()[0], arrow["to"].split()[0])
        for arrow in tomllib.loads(picture.read_text())["arrows"]
    }

    box = {part: name for name, parts in BOXES.items() for part in parts}
    for overlay in OVERLAYS:
        drawn = {
            (box[arrow.source], box[arrow.target])
            for arrow in drawn_arrows(overlay)
            if arrow.source in box and arrow.target in box
        }
        insides = {("customers", "customers"), ("payments", "payments")}
        # At two ports to whoever lets them in: the Kubernetes API and the backups have no name.
        nameless = {(room, to) for room, _ in insides for to in ("processor", "callers")}
        assert drawn - insides - nameless == pictured


def small(*policies: Object) -> Rendering:
    """Two pods in one namespace, a and b, under these policies."""
    rooms: list[Object] = [{"kind": "Namespace", "metadata": {"name": "oncepay-x"}}]
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
    return Rendering("development", (*rooms, *pods, *policies))


def a_policy(name: str, selector: Object, **spec: object) -> Object:
    metadata = {"name": name, "namespace": "oncepay-x"}
    return {"kind": "NetworkPolicy", "metadata": metadata, "spec": {"podSelector": selector} | spec}


def test_a_pod_without_a_policy_is_open() -> None:
    arrows = {str(arrow) for arrow in possible_arrows(small())}

    assert {"x/a -> x/b:80", "x/a -> internet:80", "other-pod -> x/a:9/UDP"} <= arrows


def test_a_policy_of_one_way_leaves_the_other_open() -> None:
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


def test_what_the_evaluator_does_not_know_is_an_error() -> None:
    named = a_policy("n", {}, policyTypes=["Ingress"], ingress=[{"ports": [{"port": "grpc"}]}])

    with pytest.raises(ValueError, match="by number"):
        set(possible_arrows(small(named)))
