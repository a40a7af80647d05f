"""The lock that allows one `oncepay up` per folder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from oncepay_cli.errors import CommandError
from oncepay_cli.local.paths import Paths


def _file(paths: Paths) -> Path:
    return paths.running / "lock"


@contextmanager
def hold(paths: Paths) -> Iterator[None]:
    """Hold the lock while the block runs. The kernel releases it when the process ends in any way.

    Raises:
        CommandError: another command holds it.
    """
    with _file(paths).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise CommandError(
                f"Oncepay already runs from {paths.home} (process {file.read() or 'unknown'})."
                " Stop it first: Ctrl-C in its terminal, or `oncepay down`."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def holder(paths: Paths) -> int | None:
    """The process that holds the lock; None if no process does."""
    if not _file(paths).exists():
        return None
    with _file(paths).open("r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(file.read() or 0) or None
    return None
