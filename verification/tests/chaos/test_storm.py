"""A slice of the storm, on real processes. `make chaos` has the whole of it."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

END_SECONDS = 240


def storm(folder: Path, *arguments: str) -> dict[str, Any]:
    """Run one to its end; its report."""
    command = [
        sys.executable,
        "-m",
        "verification.chaos",
        "--folder",
        str(folder),
        "--name",
        "slice",
    ]
    done = subprocess.run(
        [*command, *arguments], capture_output=True, text=True, timeout=END_SECONDS, check=False
    )
    file = folder / "slice.json"
    assert file.exists(), done.stderr
    report: dict[str, Any] = json.loads(file.read_text())
    return report | {"exit": done.returncode, "text": done.stdout}


def test_everything_is_killed_and_every_payment_is_taken_once(tmp_path: Path) -> None:
    # A refund that was answered 500 is answered so until its key has died: 48 s, the shortest life that
    # outlives a stop, a late request and a POST's time.
    keys = ("--key-life", "48", "--stop", "27", "--stop-every", "8", "--late", "10")
    often = ("--seconds", "30", "--database-every", "6", "--peace", "10", "--seed", "11")
    report = storm(tmp_path, *often, *keys)
    assert report["findings"] == [], report["text"]
    assert report["rest"]["left"] == []
    assert report["exit"] == 0
    assert report["service_kills"] >= 3
    assert report["database_kills"] >= 1
    assert report["charged"] >= 20


@pytest.mark.parametrize("design", ["charge_first", "save_first"])
def test_an_ordinary_design_is_found_out_in_the_same_storm(tmp_path: Path, design: str) -> None:
    report = storm(tmp_path, "--design", design, "--seconds", "12", "--peace", "2")
    assert report["found"]["double"] + report["found"]["lost"] > 0, report["text"]


def test_ended_early_it_leaves_no_process(tmp_path: Path) -> None:
    running = subprocess.Popen(
        [sys.executable, "-m", "verification.chaos", "--folder", str(tmp_path)],
        stderr=subprocess.PIPE,
    )
    started = psutil.Process(running.pid)
    until = time.monotonic() + END_SECONDS
    while len(children := started.children(recursive=True)) < 5 and time.monotonic() < until:
        time.sleep(0.1)
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=END_SECONDS)
    assert running.returncode == 130
    gone, alive = psutil.wait_procs(children, timeout=10)
    assert (len(gone) >= 5, alive) == (True, [])
    assert list(tmp_path.iterdir()) == []
