"""Child processes: ended in order, found again by who they are, and told of in words."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from oncepay_cli.errors import CommandError
from oncepay_cli.local import lock, os_processes, processes
from oncepay_cli.local.paths import Paths
from oncepay_cli.local.processes import Program


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = Paths(tmp_path)
    paths.make()
    return paths


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that nobody here started as a program."""
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def program(tmp_path: Path, source: str, **settings: str) -> Program:
    """A module of the test's own; it is ready once it has made the file `ready`."""
    (tmp_path / "story.py").write_text(source)
    ready = tmp_path / "ready"
    return Program("story", ("story",), {"PYTHONPATH": str(tmp_path), **settings}, ready.exists)


WAIT = "import pathlib, time\npathlib.Path(__file__).with_name('ready').touch()\ntime.sleep(60)\n"


def test_a_child_is_ready_when_it_says_so_and_gone_when_it_is_stopped(
    paths: Paths, tmp_path: Path
) -> None:
    child = processes.start(program(tmp_path, WAIT), paths)
    child.wait_until_ready()
    assert processes.ended([child]) is None
    child.stop()
    assert processes.ended([child]) is child
    assert not child.record.exists()


def test_a_child_that_ends_by_itself_is_told_of_with_the_end_of_its_log(
    paths: Paths, tmp_path: Path
) -> None:
    source = "import sys\nprint('the disk is full')\nsys.exit(3)\n"
    child = processes.start(program(tmp_path, source), paths)
    with pytest.raises(CommandError, match=r"story ended \(exit code 3\).*\n  the disk is full"):
        child.wait_until_ready()


def test_a_child_that_does_not_drain_is_ended(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "STOP_SECONDS", 0.2)
    stubborn = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + WAIT
    child = processes.start(program(tmp_path, stubborn), paths)
    child.wait_until_ready()
    child.stop()
    assert child.process.returncode == -9


def test_a_child_sees_its_settings_and_nothing_of_the_shells(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://somewhere/else")
    monkeypatch.setenv("http_proxy", "http://proxy")
    source = (
        "import json, os, pathlib\n"
        "pathlib.Path(__file__).with_name('seen').write_text(json.dumps(dict(os.environ)))\n"
    )
    processes.run(program(tmp_path, source, LISTEN_ADDRESS="127.0.0.1:1"), paths)
    seen = json.loads((tmp_path / "seen").read_text())
    assert seen["LISTEN_ADDRESS"] == "127.0.0.1:1"
    assert seen.keys() & {"DATABASE_URL", "http_proxy"} == set()


def test_a_failed_run_is_a_refusal(paths: Paths, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"story ended \(exit code 1\)"):
        processes.run(program(tmp_path, "raise SystemExit('no')"), paths)


def test_what_a_killed_command_left_is_found_and_ended(paths: Paths, tmp_path: Path) -> None:
    left = processes.start(program(tmp_path, WAIT), paths)
    left.wait_until_ready()
    assert processes.end_leftovers(paths) == ["story"]
    assert left.process.wait(10) == -15
    assert processes.end_leftovers(paths) == []


def test_a_process_that_only_has_the_same_pid_is_left_alone(
    paths: Paths, sleeper: subprocess.Popen[bytes]
) -> None:
    live = os_processes.find(sleeper.pid)
    assert live is not None
    record = paths.running / "story.json"
    record.write_text(json.dumps({"pid": live.pid, "started": live.started - 3600}))
    assert processes.end_leftovers(paths) == []
    assert sleeper.poll() is None
    assert not record.exists()


def test_a_half_written_record_is_cleared(paths: Paths) -> None:
    (paths.running / "story.json").write_text('{"pid": 1')
    assert processes.end_leftovers(paths) == []
    assert not list(paths.running.glob("*.json"))


def test_a_second_command_is_told_who_runs(paths: Paths) -> None:
    holding = (
        "import sys, pathlib\n"
        "from oncepay_cli.local import lock\n"
        "from oncepay_cli.local.paths import Paths\n"
        "with lock.only_one(Paths(pathlib.Path(sys.argv[1]))):\n"
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
    with failure, lock.only_one(paths):
        pass
    assert lock.holder(paths) == holder.pid
    holder.kill()
    holder.communicate()
    assert lock.holder(paths) is None
    with lock.only_one(paths):
        assert (paths.running / "lock").read_text() == str(os.getpid())


def test_waiting_for_a_process_to_leave_is_bounded(sleeper: subprocess.Popen[bytes]) -> None:
    live = os_processes.find(sleeper.pid)
    assert live is not None
    assert live.wait_until_gone(0.05) is False
    sleeper.kill()
    assert live.wait_until_gone(60) is True
