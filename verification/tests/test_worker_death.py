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


def test_a_run_whose_worker_dies_ends_at_once_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "test_0.py").write_text(DIES)
    for number in range(1, FILES):
        (tmp_path / f"test_{number}.py").write_text(LIVES)
    arguments = ["-n", "2", "--dist", "loadfile", "-p", "conftest", "-p", "no:cacheprovider"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments, f"--rootdir={tmp_path}", str(tmp_path)],
        cwd=tmp_path,
        env={name: text for name, text in os.environ.items() if not name.startswith("PYTEST_")}
        | {"PYTHONPATH": str(ROOT)},
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 1, run.stdout
    assert "the worker gw" in run.stdout
    assert "so this run ends. Its last test was test_0.py::test_dies." in run.stdout
    assert "replacing crashed worker" not in run.stdout
