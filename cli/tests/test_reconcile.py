"""`oncepay rebind` and `oncepay reconcile`, on everything as it is."""

import json
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cli.tests.conftest import Home


def test_the_books_are_compared_beside_what_runs_and_without_it(home: "Home") -> None:
    ports = [f"--{name}-port={home.ports[name]}" for name in ("sandbox", "postgresql")]
    up = home.up()
    up.wait()
    time.sleep(1)  # what is compared ends with the last whole second
    beside = home.run("reconcile", *ports, "--since", "1h", "--json")
    assert beside.code == 0, beside.stderr
    report = json.loads(beside.stdout)
    assert report["agree"]
    assert report["totals"][0]["ours"]["payments"] == 1, "the first payment"

    assert home.run("rebind", ports[1], "--the-old-one-is-stopped").code == 1, "it runs"
    up.end()

    assert home.run("rebind", ports[1]).code == 1, "nobody said that the old one is stopped"
    adopted = home.run("rebind", ports[1], "--the-old-one-is-stopped")
    assert adopted.code == 0, adopted.stderr
    assert "closed until it is compared" in adopted.stdout

    alone = home.run("reconcile", *ports, "--since", "7d")
    assert alone.code == 0, alone.stderr
    assert "It is open now." in alone.stdout
    assert home.processes() == {}
