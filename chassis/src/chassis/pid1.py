"""`python -m chassis.pid1 NAME ...`: `python -m NAME ...` as the first process of a container.

The kernel drops a signal to process 1 that has no handler for it yet (pid_namespaces(7)). A service
has one when it listens, after half a second of imports: if it were told to stop before, it would
start all the same, serve, and be killed in the middle of it. So this sets a handler before anything
else is imported. The service's own replaces it.
"""

import runpy
import signal
import sys
from types import FrameType


def end(number: int, _frame: FrameType | None) -> None:
    """Ends the process, with the exit code that a shell reports for this signal."""
    sys.exit(128 + number)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, end)
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
