"""`oncepay reconcile` and `oncepay rebind`, against real services and databases."""

import json
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cli.tests.conftest import Home


def test_reconcile_uses_the_sandbox_and_the_database_that_up_runs(oncepay: "Home") -> None:
    time.sleep(1)  # the comparison ends with the last whole second

    result = oncepay.run("reconcile", *ports(oncepay), "--since", "1h", "--json")

    assert result.code == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["agree"]
    assert report["totals"][0]["internal"]["payments"] >= 1, "the first payment"


def test_reconcile_has_the_exit_code_of_the_services_command(oncepay: "Home") -> None:
    result = oncepay.run("reconcile", *ports(oncepay), "--since", "yesterday")

    assert result.code == 2
    assert "--since" in result.stderr


def test_rebind_is_rejected_while_up_runs(oncepay: "Home") -> None:
    result = oncepay.run("rebind", *oncepay.port_options("postgresql"), "--the-old-one-is-stopped")

    assert result.code == 1
    assert "already runs" in result.stderr


def test_rebind_and_then_reconcile_start_what_they_need_and_stop_it(used_home: "Home") -> None:
    rebound = used_home.run(
        "rebind", *used_home.port_options("postgresql"), "--the-old-one-is-stopped"
    )
    assert rebound.code == 0, rebound.stderr
    assert "closed until it is reconciled" in rebound.stdout

    reconciled = used_home.run("reconcile", *ports(used_home), "--since", "7d")
    assert reconciled.code == 0, reconciled.stderr
    assert "It is open now." in reconciled.stdout
    assert used_home.processes() == {}


def ports(home: "Home") -> list[str]:
    return home.port_options("sandbox", "postgresql")
