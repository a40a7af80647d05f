"""What an installation has to set is told, and refused where it is to be released."""

import pytest

pytest.importorskip("kubernetes_validate", reason="`make kubernetes-check` brings what this needs")

from verification.kubernetes.placeholders import unset
from verification.kubernetes.rendering import Rendering, describe, read, render


def test_every_placeholder_of_production_is_told() -> None:
    told = "\n".join(unset(read("production", render("production"))))

    for workload in ("Deployment", "Job", "CronJob"):
        assert f"{workload} oncepay-payment/" in told
    assert "registry.example/oncepay/payment has no digest yet" in told
    assert "s3://oncepay-backup.example/payment is a placeholder" in told
    assert "webhooks.oncepay.example is a placeholder" in told
    assert "name-it.example is a placeholder" in told


def test_each_service_can_be_applied_alone() -> None:
    """Its images are its own folder's: applied alone, it is what both together make of it."""
    alone = [
        each
        for service in ("customer", "payment")
        for each in read("production", render(f"production/{service}")).objects
    ]

    both = read("production", render("production")).objects
    assert sorted(alone, key=describe) == sorted(both, key=describe)


@pytest.mark.parametrize("overlay", ["development", "no-dns"])
def test_what_runs_on_a_cluster_of_ones_own_needs_nothing_set(overlay: str) -> None:
    assert list(unset(read(overlay, render(overlay)))) == []


def test_what_was_set_is_no_placeholder() -> None:
    image = "registry.example.org/oncepay/payment@sha256:" + 64 * "a"
    metadata = {"name": "payment", "namespace": "oncepay-payment"}
    deployment = {"kind": "Deployment", "metadata": metadata, "spec": {"image": image}}

    assert list(unset(Rendering("production", (deployment,)))) == []
