"""Starting, stopping, and starting again after every kind of end; commands while nothing runs."""

import signal
import socket
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from cli.tests.conftest import FirstRun, Home


def test_up_starts_everything_from_nothing_and_executes_a_payment_once(
    first_run: "FirstRun",
) -> None:
    assert sorted(first_run.processes) == ["customer", "payment", "postgresql", "sandbox"]
    assert "a new cluster" in first_run.output
    assert "new customer" in first_run.output
    assert "EUR 42.00" in first_run.output
    assert "SUCCEEDED" in first_run.output
    assert "commit 1: payment.created" in first_run.output
    assert "commit 2: payment.succeeded" in first_run.output
    assert "the card was charged once" in first_run.output


def test_ctrl_c_stops_every_process_and_the_exit_code_is_0(first_run: "FirstRun") -> None:
    assert first_run.exit_code == 0
    assert not any(process.is_alive() for process in first_run.processes.values())


def test_output_to_a_pipe_has_no_escape_sequences(first_run: "FirstRun") -> None:
    assert "\x1b" not in first_run.output


def test_a_second_run_has_the_data_of_the_first_and_sigterm_stops_it_too(
    first_run: "FirstRun",
) -> None:
    home = first_run.home
    up = home.up()

    assert "with existing data" in up.output
    assert "existing customer" in up.output
    assert home.json("payments", "get", first_run.payment)["state"] == "SUCCEEDED"
    assert home.json("payments", "get", up.first_payment())["state"] == "SUCCEEDED"
    assert up.end(signal.SIGTERM) == 0
    assert home.processes() == {}


def test_demo_without_services_says_how_to_start_them(home: "Home") -> None:
    demo = home.run("demo", *home.port_options("customer", "payment", "sandbox"))

    assert demo.code == 1
    assert "does not answer" in demo.stderr
    assert "oncepay up" in demo.stderr


def test_up_repairs_what_a_kill_9_left_and_no_payment_is_lost(used_home: "Home") -> None:
    # Given that only the command is killed: the services and PostgreSQL keep running.
    up = used_home.up()
    leftovers = used_home.processes()
    up.end(signal.SIGKILL)
    assert all(process.is_alive() for process in leftovers.values())
    payments = [up.first_payment()]

    # Then the next run stops the services and keeps PostgreSQL.
    up = used_home.up()
    assert "Stopped leftovers of an earlier run: customer, payment, sandbox." in up.output
    assert "already running" in up.output
    payments.append(up.first_payment())

    # Given that every process is killed.
    for process in used_home.processes().values():
        process.send(signal.SIGKILL)
    up.end(signal.SIGKILL)

    # Then the next run starts from the same data.
    up = used_home.up()
    assert "existing customer" in up.output
    for payment in payments:
        assert used_home.json("payments", "get", payment)["state"] == "SUCCEEDED"
    assert up.end() == 0
    assert not any(process.is_alive() for process in leftovers.values())


def test_down_stops_the_leftovers_of_a_killed_up(used_home: "Home") -> None:
    up = used_home.up()
    leftovers = used_home.processes()
    up.end(signal.SIGKILL)

    down = used_home.run("down")

    assert down.stdout == "Stopped: customer, payment, sandbox, postgresql.\n"
    assert not any(process.is_alive() for process in leftovers.values())
    assert used_home.run("down").stdout == "Nothing was running.\n"


@pytest.mark.parametrize("killed", ["customer", "payment", "sandbox", "postgresql"])
def test_when_a_process_dies_up_names_it_and_stops_the_others(
    used_home: "Home", killed: str
) -> None:
    up = used_home.up()
    processes = used_home.processes()

    processes[killed].send(signal.SIGKILL)

    assert up.wait_for_exit() == 1
    assert f"{killed} ended" in up.output.lower()
    assert str(used_home.folder / "logs" / f"{killed}.log") in up.output
    assert "Traceback" not in up.output
    assert not any(process.is_alive() for process in processes.values())


def test_up_names_every_port_in_use_before_it_starts_anything(home: "Home") -> None:
    with socket.socket() as one, socket.socket() as other:
        for listener, name in ((one, "payment"), (other, "postgresql")):
            listener.bind(("127.0.0.1", home.ports[name]))
            listener.listen()
        rejected = home.run("up", *home.port_options())

    assert rejected.code == 1
    for name in ("payment", "postgresql"):
        assert f"{home.ports[name]} ({name})" in rejected.stderr
        assert f"--{name}-port" in rejected.stderr
    assert not (home.folder / "data" / "postgresql").exists()


def test_up_names_a_folder_that_is_not_writable(home: "Home") -> None:
    (home.folder / "data").write_text("")  # a file: root, too, cannot create folders in it

    rejected = home.run("up")

    (home.folder / "data").unlink()
    assert rejected.code == 1
    assert "cannot be used" in rejected.stderr
    assert "ONCEPAY_HOME" in rejected.stderr
    assert "Traceback" not in rejected.stderr


def test_ctrl_c_during_the_start_stops_what_was_started(home: "Home") -> None:
    up = home.start_up()
    assert "PostgreSQL" in up.read_line()

    assert up.end(signal.SIGINT) == 130
    assert "Stopped before it was up." in up.output
    assert home.processes() == {}


def test_rebind_and_then_reconcile_start_what_they_need_and_stop_it(used_home: "Home") -> None:
    rebound = used_home.run(
        "rebind", *used_home.port_options("postgresql"), "--the-old-one-is-stopped"
    )
    assert rebound.code == 0, rebound.stderr
    assert "closed until it is reconciled" in rebound.stdout

    reconciled = used_home.run(
        "reconcile", *used_home.port_options("sandbox", "postgresql"), "--since", "7d"
    )
    assert reconciled.code == 0, reconciled.stderr
    assert "It is open now." in reconciled.stdout
    assert used_home.processes() == {}
