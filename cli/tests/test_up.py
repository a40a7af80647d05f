"""`oncepay up`, as a person uses it: to the first payment, again, and after every kind of ending."""

import signal
import socket
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from cli.tests.conftest import Home


def test_from_nothing_to_a_first_payment_and_back(home: "Home") -> None:
    up = home.up()
    said = up.wait()
    assert "a new cluster" in said
    assert "pays EUR 42.00: SUCCEEDED" in said
    assert "commit 1: payment.created" in said
    assert "commit 2: payment.succeeded" in said
    assert "the card was charged once" in said
    assert "\x1b" not in said  # no terminal: no colours, nothing that moves
    running = home.processes()
    assert sorted(running) == ["customer", "payment", "postgresql", "sandbox"]

    assert up.end(signal.SIGINT) == 0
    assert "Stopped." in up.said
    assert home.processes() == {}
    assert not any(process.is_alive() for process in running.values())


def test_a_second_run_starts_from_the_same_data(lived_in: "Home") -> None:
    first = lived_in.up()
    first.wait()
    assert first.end(signal.SIGTERM) == 0

    second = lived_in.up()
    said = second.wait()
    assert "with your data" in said
    assert "known from before" in said
    listed = lived_in.json("payments", "list", "--page-size=2")["payments"]
    assert [payment["name"] for payment in listed] == [second.payment(), first.payment()]
    second.end()


def test_a_demonstration_pays_on_what_runs_already(lived_in: "Home") -> None:
    up = lived_in.up()
    up.wait()
    ports = [f"--{name}-port={lived_in.ports[name]}" for name in ("customer", "payment", "sandbox")]
    done = lived_in.run("demo", *ports)
    assert "pays EUR 42.00: SUCCEEDED" in done.stdout
    assert "the card was charged once" in done.stdout
    assert len(lived_in.json("payments", "list")["payments"]) >= 2
    up.end()
    assert "Nobody answers there" in lived_in.run("demo", *ports).stderr


def test_what_a_kill_of_the_command_left_is_ended_or_adopted(lived_in: "Home") -> None:
    killed = lived_in.up()
    killed.wait()
    left = lived_in.processes()
    killed.end(signal.SIGKILL)
    assert all(process.is_alive() for process in left.values())

    up = lived_in.up()
    said = up.wait()
    assert "Ended what an earlier run had left: customer, payment, sandbox." in said
    assert "found running" in said
    assert lived_in.json("payments", "get", killed.payment())["state"] == "SUCCEEDED"
    up.end()
    assert not any(process.is_alive() for process in left.values())


def test_a_kill_of_everything_is_mended(lived_in: "Home") -> None:
    killed = lived_in.up()
    killed.wait()
    for process in lived_in.processes().values():
        process.send(signal.SIGKILL)
    killed.end(signal.SIGKILL)

    up = lived_in.up()
    said = up.wait()
    assert "known from before" in said
    assert lived_in.json("payments", "get", killed.payment())["state"] == "SUCCEEDED"
    up.end()


def test_down_ends_what_a_killed_command_left(lived_in: "Home") -> None:
    killed = lived_in.up()
    killed.wait()
    left = lived_in.processes()
    killed.end(signal.SIGKILL)
    done = lived_in.run("down")
    assert done.stdout == "Stopped: customer, payment, sandbox, postgresql.\n"
    assert not any(process.is_alive() for process in left.values())
    assert lived_in.run("down").stdout == "Nothing runs from here.\n"


@pytest.mark.parametrize("dead", ["customer", "payment", "sandbox", "postgresql"])
def test_where_a_part_dies_the_rest_is_stopped_and_it_is_named(lived_in: "Home", dead: str) -> None:
    up = lived_in.up()
    up.wait()
    running = lived_in.processes()
    running[dead].send(signal.SIGKILL)
    assert up.wait_for_end() == 1
    assert f"{dead} ended" in up.said.lower()
    assert str(lived_in.folder / "logs" / f"{dead}.log") in up.said
    assert "Traceback" not in up.said
    assert not any(process.is_alive() for process in running.values())


def test_a_second_command_says_that_one_runs(lived_in: "Home") -> None:
    up = lived_in.up()
    up.wait()
    refused = lived_in.run("up")
    assert refused.code == 1
    assert f"already runs from {lived_in.folder} (process {up.process.pid})" in refused.stderr
    up.end()


def test_every_taken_port_is_named_before_anything_is_started(home: "Home") -> None:
    with socket.socket() as one, socket.socket() as other:
        for taken, name in ((one, "payment"), (other, "postgresql")):
            taken.bind(("127.0.0.1", home.ports[name]))
            taken.listen()
        up = home.up()
        assert up.wait_for_end() == 1
    for name in ("payment", "postgresql"):
        assert f"{home.ports[name]} ({name})" in up.said
        assert f"--{name}-port" in up.said
    assert not (home.folder / "data" / "postgresql").exists()


def test_a_home_that_cannot_be_written_is_named(home: "Home") -> None:
    (home.folder / "data").write_text("in the way")  # root, too, can make no folder in a file
    done = home.run("up")
    (home.folder / "data").unlink()
    assert done.code == 1
    assert "cannot be used" in done.stderr
    assert "ONCEPAY_HOME" in done.stderr
    assert "Traceback" not in done.stderr


def test_it_is_stopped_while_it_starts(home: "Home") -> None:
    up = home.up()
    assert "PostgreSQL" in up.line()
    assert up.end(signal.SIGINT) == 130
    assert "Stopped before it was up." in up.said
    assert home.processes() == {}


def test_on_a_terminal_it_shows_a_receipt(lived_in: "Home") -> None:
    up = lived_in.up(terminal=True)
    said = up.wait()
    assert "╭" in said
    assert "First payment" in said
    assert "SUCCEEDED" in said
    assert "\x1b[" in said
    assert up.end() == 0
