"""The processes of this machine, as the operating system tells of them.

A pid alone is no proof: pids are used again. A process is known by its pid and the moment it
started, or by the folder it works in. Nothing here ends a process that was not asked for by one of
these.
"""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # ships no types; this is the one file that uses it

POLL_SECONDS = 0.02

# Linux counts a process's start from boot, and moves the boot when its clock is set: two readings
# differ by a little. Far less than it takes until a pid is given again.
SAME_MOMENT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class OsProcess:
    """A live process.

    Attributes:
        pid: what the operating system calls it.
        started: seconds since 1970, the operating system's figure; tells it from a later process
            that was given the same pid.
    """

    pid: int
    started: float

    def is_alive(self) -> bool:
        now = find(self.pid)
        return now is not None and abs(now.started - self.started) < SAME_MOMENT_SECONDS

    def folder(self) -> Path | None:
        """The folder it works in; None if it is gone or belongs to someone else."""
        try:
            return Path(psutil.Process(self.pid).cwd())
        except psutil.Error:
            return None

    def wait_until_gone(self, wait_seconds: float) -> bool:
        """Wait until it is gone: True if it is."""
        until = time.monotonic() + wait_seconds
        while self.is_alive():
            if time.monotonic() > until:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if it is still the same process."""
        if self.is_alive():
            os.kill(self.pid, number)


def find(pid: int) -> OsProcess | None:
    """The live process of this pid. A zombie runs nothing any more: None."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return OsProcess(pid, process.create_time())
    except (psutil.Error, ValueError, OverflowError):
        return None


def working_in(folder: Path) -> list[OsProcess]:
    """The live processes whose working directory is this folder."""
    wanted = folder.resolve()
    found = (find(process.pid) for process in psutil.process_iter())
    return [running for running in found if running is not None and running.folder() == wanted]
