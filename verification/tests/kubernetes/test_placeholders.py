"""Placeholders, which an installation has to set, are found."""

import pytest

pytest.importorskip("kubernetes_validate", reason="`make kubernetes-check` brings what this needs")

from verification.kubernetes.placeholders import unset
from verification.kubernetes.rendering import Rendering, describe, read, render


def test_every_placeholder_of_production_is_found() -> None:
    found = "\n".join(unset(read("production", render("production"))))

    for workload in ("Deployment", "Job", "CronJob"):
        assert f"{workload} oncepay-payment/" in found
    assert "registry.example/oncepay/payment has no digest yet" in found
    assert "s3://oncepay-backup.example/payment is a placeholder" in found
    assert "webhooks.oncepay.example is a placeholder" in found
    assert "name-it.example is a placeholder" in found


def test_each_service_can_be_applied_alone() -> None:
    """Applied alone, a service has the same objects as in the whole overlay."""
    alone = [
        each
        for service in ("customer", "payment")
        for each in read("production", render(f"production/{service}")).objects
    ]

    both = read("production", render("production")).objects
    assert sorted(alone, key=describe) == sorted(both, key=describe)


@pytest.mark.parametrize("overlay", ["development", "no-dns"])
def test_the_overlays_for_development_have_no_placeholder(overlay: str) -> None:
    assert list(unset(read(overlay, render(overlay)))) == []


def test_a_value_that_was_set_is_no_placeholder() -> None:
    image = "registry.example.org/oncepay/payment@sha256:" + 64 * "a"
    metadata = {"name": "payment", "namespace": "oncepay-payment"}
    deployment = {"kind": "Deployment", "metadata": metadata, "spec": {"image": image}}

    assert list(unset(Rendering("production", (deployment,)))) == []
