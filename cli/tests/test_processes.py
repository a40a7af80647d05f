"""Child processes and the lock: start, stop, leftovers of a killed command, error messages."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from oncepay_cli.errors import CommandError
from oncepay_cli.local import lock, os_processes, processes
from oncepay_cli.local.os_processes import OsProcess
from oncepay_cli.local.paths import Paths
from oncepay_cli.local.processes import Program


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = Paths(tmp_path)
    paths.make()
    return paths


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that was not started as a program of ours."""
    process = subprocess.Popen(["sleep", "3600"])
    yield process
    process.kill()
    process.wait()


def program(tmp_path: Path, source: str, **settings: str) -> Program:
    """A module with this source; it is ready once it has created the file `ready`."""
    (tmp_path / "example.py").write_text(source)
    ready = tmp_path / "ready"
    return Program("example", ("example",), {"PYTHONPATH": str(tmp_path), **settings}, ready.exists)


# A bound that only a hang exceeds.
MAX_WAIT_SECONDS = 300
WAIT = "import pathlib, time\npathlib.Path(__file__).with_name('ready').touch()\ntime.sleep(3600)\n"


def test_a_child_runs_from_ready_until_it_is_stopped(paths: Paths, tmp_path: Path) -> None:
    child = processes.start(program(tmp_path, WAIT), paths)
    child.wait_until_ready()
    assert processes.first_exited([child]) is None
    child.stop()
    assert processes.first_exited([child]) is child
    assert not child.record.exists()


def test_the_error_for_a_child_that_exits_contains_the_end_of_its_log(
    paths: Paths, tmp_path: Path
) -> None:
    source = "import sys\nprint('the disk is full')\nsys.exit(3)\n"
    child = processes.start(program(tmp_path, source), paths)
    with pytest.raises(CommandError, match=r"example ended \(exit code 3\).*\n  the disk is full"):
        child.wait_until_ready()


def test_a_child_that_ignores_sigterm_is_killed(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "STOP_SECONDS", 0.2)
    ignores_sigterm = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + WAIT
    child = processes.start(program(tmp_path, ignores_sigterm), paths)
    child.wait_until_ready()
    child.stop()
    assert child.process.returncode == -signal.SIGKILL


def test_a_child_gets_its_settings_and_no_settings_of_the_shell(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://somewhere/else")
    monkeypatch.setenv("http_proxy", "http://proxy")
    source = (
        "import json, os, pathlib\n"
        "pathlib.Path(__file__).with_name('environment').write_text(json.dumps(dict(os.environ)))\n"
    )
    processes.run(program(tmp_path, source, LISTEN_ADDRESS="127.0.0.1:1"), paths)
    environment = json.loads((tmp_path / "environment").read_text())
    assert environment["LISTEN_ADDRESS"] == "127.0.0.1:1"
    assert environment.keys() & {"DATABASE_URL", "http_proxy"} == set()


def test_run_raises_where_the_program_fails(paths: Paths, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"example ended \(exit code 1\)"):
        processes.run(program(tmp_path, "raise SystemExit('no')"), paths)


def test_leftovers_of_a_killed_command_are_stopped(paths: Paths, tmp_path: Path) -> None:
    leftover = processes.start(program(tmp_path, WAIT), paths)
    leftover.wait_until_ready()
    assert processes.stop_leftovers(paths) == ["example"]
    assert leftover.process.wait(MAX_WAIT_SECONDS) == -signal.SIGTERM
    assert processes.stop_leftovers(paths) == []


def test_another_process_with_a_recorded_pid_is_not_stopped(
    paths: Paths, sleeper: subprocess.Popen[bytes]
) -> None:
    process = os_processes.find(sleeper.pid)
    assert process is not None
    record = paths.running / "example.json"
    record.write_text(json.dumps({"pid": process.pid, "started": process.started - 3600}))
    assert processes.stop_leftovers(paths) == []
    assert sleeper.poll() is None
    assert not record.exists()


def test_an_incomplete_record_is_removed(paths: Paths) -> None:
    (paths.running / "example.json").write_text('{"pid": 1')
    assert processes.stop_leftovers(paths) == []
    assert not list(paths.running.glob("*.json"))


def test_hold_process_holds_the_lock_and_the_error_names_it(paths: Paths) -> None:
    holding = (
        "import sys, pathlib\n"
        "from oncepay_cli.local import lock\n"
        "from oncepay_cli.local.paths import Paths\n"
        "with lock.hold(Paths(pathlib.Path(sys.argv[1]))):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", holding, str(paths.home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    failure = pytest.raises(CommandError, match=rf"already runs .*process {holder.pid}\)")
    with failure, lock.hold(paths):
        pass
    assert lock.holder(paths) == holder.pid
    holder.kill()
    holder.communicate()
    assert lock.holder(paths) is None
    with lock.hold(paths):
        assert (paths.running / "lock").read_text() == str(os.getpid())


def test_waiting_for_the_end_of_a_process_is_bounded(sleeper: subprocess.Popen[bytes]) -> None:
    process = os_processes.find(sleeper.pid)
    assert process is not None
    assert process.wait_until_gone(0.05) is False
    sleeper.kill()
    assert process.wait_until_gone(MAX_WAIT_SECONDS) is True


def test_a_reused_pid_is_another_process() -> None:
    this = os_processes.find(os.getpid())
    assert this is not None
    assert this.is_alive()
    assert not OsProcess(this.pid, this.started - 60).is_alive()
