"""Short chaos runs on real processes. `make chaos` has long ones."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

PATIENCE_SECONDS = 1_800
"""A bound, not an expectation: a run takes as long as its kills and its payments do."""
CHANGES = {"create", "confirm", "insert_payment", "save_payment", "claim"}
REFUNDS = {"refund", "insert_refund", "save_refund"}


def chaos(folder: Path, *arguments: str) -> dict[str, Any]:
    """A run to its end; its report."""
    command = [sys.executable, "-m", "verification.chaos", "--folder", str(folder)]
    done = subprocess.run(
        [*command, "--name", "short", *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    file = folder / "short.json"
    assert file.exists(), done.stderr
    report: dict[str, Any] = json.loads(file.read_text())
    return report | {"exit": done.returncode, "text": done.stdout}


def test_everything_is_killed_and_every_payment_is_taken_once(tmp_path: Path) -> None:
    # A refund that was answered 500 is answered so until its key has expired: 48 s, the shortest life
    # that outlives a pause, a late request and a POST's time.
    keys = ("--key-life", "48", "--pause", "27", "--pause-interval", "8", "--late", "10")
    long_enough = ("--seconds", "30", "--kills", "3", "--payments", "50", "--seed", "11")
    often = ("--database-kill-interval", "6", "--quiescence", "10")
    report = chaos(tmp_path, *long_enough, *often, *keys)
    assert report["findings"] == [], report["text"]
    assert report["quiescence"]["unfinished"] == []
    assert report["exit"] == 0
    assert report["service_kills"] >= 3
    assert report["database_kills"] >= 1
    assert report["charged"] >= 20
    assert report["passed"].keys() >= CHANGES | REFUNDS, "an operation is no longer recognised"


@pytest.mark.parametrize("design", ["charge_first", "save_first"])
def test_an_ordinary_design_charges_twice_or_loses_payments(tmp_path: Path, design: str) -> None:
    enough = ("--seconds", "12", "--kills", "10", "--payments", "100")
    soon = ("--quiescence", "2", "--late", "8")
    report = chaos(tmp_path, "--design", design, *enough, *soon)
    assert report["found"]["double"] + report["found"]["lost"] > 0, report["text"]


def test_a_run_that_is_ended_early_leaves_no_process(tmp_path: Path) -> None:
    running = subprocess.Popen(
        [sys.executable, "-m", "verification.chaos", "--folder", str(tmp_path)],
        stderr=subprocess.PIPE,
    )
    started = psutil.Process(running.pid)
    until = time.monotonic() + PATIENCE_SECONDS
    while len(children := started.children(recursive=True)) < 5 and time.monotonic() < until:
        time.sleep(0.1)
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=PATIENCE_SECONDS)
    assert running.returncode == 130
    gone, alive = psutil.wait_procs(children, timeout=60)
    assert (len(gone) >= 5, alive) == (True, [])
    assert list(tmp_path.iterdir()) == []
