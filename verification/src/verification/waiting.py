"""Waiting with a bound: for what happens, and not for a time."""

import time
from collections.abc import Callable

PATIENCE_SECONDS = 300.0
"""Far longer than recovery takes, also on a busy machine: who waits longer may call it stuck."""
POLL_SECONDS = 0.1


def wait_until(
    is_so: Callable[[], bool],
    otherwise: str | Callable[[], str],
    seconds: float = PATIENCE_SECONDS,
) -> None:
    """Return when something is so.

    Raises:
        TimeoutError: it is not in time; says `otherwise`.
    """
    until = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > until:
            raise TimeoutError(otherwise if isinstance(otherwise, str) else otherwise())
        time.sleep(POLL_SECONDS)
