"""Process 1 of a container: it handles a signal before its program has been imported."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

SLOW = """
import sys, time
print(__name__, *sys.argv[1:], flush=True)
time.sleep(60)
"""


@pytest.fixture
def slow(tmp_path: Path) -> subprocess.Popen[str]:
    """A program that takes long to import, started by `chassis.pid1`."""
    (tmp_path / "slow.py").write_text(SLOW)
    return subprocess.Popen(
        [sys.executable, "-m", "chassis.pid1", "slow", "migrate"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_stop_is_handled_while_the_program_is_imported(slow: subprocess.Popen[str]) -> None:
    with slow:
        assert slow.stdout is not None
        assert slow.stdout.readline().split() == ["__main__", "migrate"]
        slow.send_signal(signal.SIGTERM)
        # By a handler: without one it is -15, and process 1 would not end at all.
        assert slow.wait(timeout=30) == 128 + signal.SIGTERM
