"""Processes of the operating system, identified safely.

Pids are reused, so a pid alone does not identify a process. Here a process is identified by its pid and its
start time, or by its working directory; signals go to such a process only.
"""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # without types; only this module uses it

POLL_SECONDS = 0.02

# Linux derives a start time from the boot time, which shifts when the clock is set, so two readings differ
# slightly. Reusing a pid takes far longer than this.
SAME_START_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class OsProcess:
    """A process.

    Attributes:
        pid: its process id.
        started: its start time, in Unix seconds; distinguishes it from a later process with the same pid.
    """

    pid: int
    started: float

    def is_alive(self) -> bool:
        current = find(self.pid)
        return current is not None and abs(current.started - self.started) < SAME_START_SECONDS

    def working_directory(self) -> Path | None:
        """Its working directory; None if the process has ended or belongs to another user."""
        try:
            return Path(psutil.Process(self.pid).cwd())
        except psutil.Error:
            return None

    def wait_until_gone(self, timeout_seconds: float) -> bool:
        """Wait until it has ended; False after the timeout."""
        deadline = time.monotonic() + timeout_seconds
        while self.is_alive():
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if the process is still alive."""
        if self.is_alive():
            os.kill(self.pid, number)


def find(pid: int) -> OsProcess | None:
    """The live process with this pid; None for a zombie."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return OsProcess(pid, process.create_time())
    except (psutil.Error, ValueError, OverflowError):
        return None


def working_in(folder: Path) -> list[OsProcess]:
    """The live processes with this working directory."""
    resolved = folder.resolve()
    processes = (find(process.pid) for process in psutil.process_iter())
    return [found for found in processes if found and found.working_directory() == resolved]
