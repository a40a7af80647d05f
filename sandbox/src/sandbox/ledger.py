"""The sandbox's ledger: an append-only file that is on disk before an answer is sent.

One JSON object per line, UTF-8, in the order of execution:

    {"ledger": 1, "account": "k3v9QxTa"}
        the first line: the format, and the part of every id that names this sandbox
    {"rules": {"key_life": 86400, "hold_life": 604800, "delay": 3, "history": true}}
        at a start with other rules: they apply from here on
    {"at": 1764000000, "action": "ConfirmIntent", "fields": {"intent": "pi_..."}, "key": "...",
     "movements": [{"kind": "captured", "intent": "pi_...", "charge": "ch_...", "refund": null,
                    "amount": 1099, "currency": "usd", "metadata": {"uuid": "..."}}]}
        a request that changed the state, and its movements of money (see `objects.Movement`).
        `PassTime` stands for changes by time alone.
    {"webhooks": true}
        from here on events are owed to the receiver of webhooks
    {"delivered": "evt_..."}
        an event that the receiver has accepted

An audit of the money reads `movements` only. The sandbox itself replays the requests when it starts, which
is possible because `transition` is a pure function; where a replay yields other movements, it does not
start. An incomplete last line, as after a power failure, was never answered and is removed.
"""

import asyncio
import fcntl
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

Entry = dict[str, Any]


class LedgerUnusable(Exception):
    """The file cannot be used. The message says why, and what to do."""


class Ledger:
    """The open file, locked for one process. Concurrent requests share one fsync (group commit)."""

    def __init__(self, path: Path) -> None:
        """Open or create the file and its directory.

        Raises:
            LedgerUnusable: the directory cannot be used, or another process has the file.
        """
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a+b", buffering=0)
        except OSError as error:
            raise LedgerUnusable(
                f"{path} cannot be used ({error.strerror}); give another --data directory."
            ) from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise LedgerUnusable(
                f"{path} is in use by another sandbox; stop it, or give another --data directory."
            ) from None
        self._lines: list[bytes] = []
        self._appended = 0
        self._durable = 0
        self._flush: asyncio.Future[None] | None = None
        self._failure: OSError | None = None
        self._writer = ThreadPoolExecutor(1, "ledger")

    def entries(self) -> Iterator[Entry]:
        """The entries so far; an incomplete last line is removed. Exhaust it before the first append.

        Raises:
            LedgerUnusable: a line is damaged.
        """
        self._file.seek(0)
        # What follows the last newline was never answered.
        lines = self._file.read().split(b"\n")[:-1]
        end = 0
        for number, line in enumerate(lines, 1):
            try:
                entry = json.loads(line)
            except ValueError:
                if number == len(lines):
                    break  # the disk may have its newline without the rest of it
                raise LedgerUnusable(
                    f"{self._path}, line {number}, is not JSON: the file is damaged. Move it away "
                    "to start empty."
                ) from None
            end += len(line) + 1
            yield entry
        self._file.truncate(end)

    def append(self, entry: Entry) -> None:
        """Append a line. It is on disk once `wait_until_durable` has returned."""
        self._lines.append(json.dumps(entry, separators=(",", ":")).encode() + b"\n")
        self._appended += 1

    async def wait_until_durable(self) -> None:
        """Return when everything appended so far is on disk.

        Raises:
            OSError: a write failed, now or earlier: after a failed fsync the disk's content is unknown.
        """
        appended = self._appended
        while self._durable < appended:
            if self._failure:
                raise self._failure
            if self._flush is None:
                self._flush = asyncio.ensure_future(self._write_all())
            await asyncio.shield(self._flush)

    async def _write_all(self) -> None:
        lines, self._lines = self._lines, []
        try:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._writer, self._write, b"".join(lines))
            self._durable += len(lines)
        except OSError as failure:
            self._failure = failure
            raise
        finally:
            self._flush = None

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]
        os.fdatasync(self._file)

    async def close(self) -> None:
        """Write what is left, and close the file."""
        await self.wait_until_durable()
        self._writer.shutdown()
        self._file.close()
