"""One `oncepay up` per folder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from oncepay_cli.local.places import Places
from oncepay_cli.refusal import StartupError


def _file(places: Places) -> Path:
    return places.running / "lock"


@contextmanager
def only_one(places: Places) -> Iterator[None]:
    """Hold the folder. The lock is the kernel's: it is gone with the process, however it ends.

    Raises:
        StartupError: another command holds it.
    """
    with _file(places).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise StartupError(
                f"Oncepay already runs from {places.home} (process {file.read() or 'unknown'})."
                " Use it as it is, or stop it first: Ctrl-C where it runs, or `oncepay down`."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def holder(places: Places) -> int | None:
    """The process that holds the folder; None if nobody does."""
    if not _file(places).exists():
        return None
    with _file(places).open("r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(file.read() or 0) or None
    return None
