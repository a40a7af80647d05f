"""`oncepay reconcile` and `oncepay rebind`, against real services and databases."""

import json
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cli.tests.conftest import Home


def test_reconcile_works_while_up_runs_and_alone_and_rebind_only_alone(home: "Home") -> None:
    ports, database_port = (
        home.port_options("sandbox", "postgresql"),
        home.port_options("postgresql"),
    )
    up = home.up()
    time.sleep(1)  # the comparison ends with the last whole second
    while_running = home.run("reconcile", *ports, "--since", "1h", "--json")
    assert while_running.code == 0, while_running.stderr
    report = json.loads(while_running.stdout)
    assert report["agree"]
    assert report["totals"][0]["internal"]["payments"] == 1, "the first payment"

    rejected = home.run("rebind", *database_port, "--the-old-one-is-stopped")
    assert rejected.code == 1, "up runs"
    assert "already runs" in rejected.stderr
    up.end()

    unconfirmed = home.run("rebind", *database_port)
    assert unconfirmed.code == 1, "--the-old-one-is-stopped is missing"
    rebound = home.run("rebind", *database_port, "--the-old-one-is-stopped")
    assert rebound.code == 0, rebound.stderr
    assert "closed until it is reconciled" in rebound.stdout

    alone = home.run("reconcile", *ports, "--since", "7d")
    assert alone.code == 0, alone.stderr
    assert "It is open now." in alone.stdout
    assert home.processes() == {}
