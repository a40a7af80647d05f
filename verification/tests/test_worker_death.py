"""A run of the tests, one of whose processes dies: it ends at once and says so."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# A worker is handed two or three at a time: some must be left when one dies.
FILES = 10
LIVES = """
import time

def test_lives(): time.sleep(0.5)
"""
DIES = """
import os, signal

def test_lives(): pass

def test_dies(): os.kill(os.getpid(), signal.SIGKILL)

def test_is_not_reached(): pass
"""
# The other worker's first test has ended, and so it is about to be sent more, when it is killed.
KILLS_THE_OTHER = """
import time

nodes = {}

def pytest_testnodeready(node):
    nodes[node.gateway.id] = node

def pytest_runtest_logfinish(nodeid):
    if nodes:
        time.sleep(2)
        process = nodes["gw1"].gateway._io.popen
        nodes.clear()
        process.kill()
        process.wait()
"""


def run(folder: Path) -> subprocess.CompletedProcess[str]:
    arguments = ["-n", "2", "--dist", "loadfile", "-p", "conftest", "-p", "no:cacheprovider"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *arguments, f"--rootdir={folder}", str(folder)],
        cwd=folder,
        env={name: text for name, text in os.environ.items() if not name.startswith("PYTEST_")}
        | {"PYTHONPATH": str(ROOT)},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=120,
        check=False,
    )


def write_tests(folder: Path) -> None:
    for number in range(1, FILES):
        (folder / f"test_{number}.py").write_text(LIVES)


def test_a_run_whose_worker_dies_in_a_test_ends_at_once_with_a_sentence(tmp_path: Path) -> None:
    write_tests(tmp_path)
    (tmp_path / "test_0.py").write_text(DIES)
    ended = run(tmp_path)
    assert ended.returncode == 1, ended.stdout
    assert "so this run ends. The last tests of all workers: test_0.py::" in ended.stdout
    assert "replacing crashed worker" not in ended.stdout


def test_a_run_whose_worker_dies_before_it_is_sent_more_ends_at_once_too(tmp_path: Path) -> None:
    write_tests(tmp_path)
    (tmp_path / "killing.py").write_text(KILLS_THE_OTHER)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -p killing\n")
    ended = run(tmp_path)
    assert ended.returncode == 1, ended.stdout
    assert "died" in ended.stdout
    assert "so this run ends. The last tests of all workers: test_" in ended.stdout
    assert "replacing crashed worker" not in ended.stdout
