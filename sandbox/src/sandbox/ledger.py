"""The sandbox's truth on disk: an append-only file, on the disk before an answer goes out.

One JSON object a line, UTF-8, in the order in which things were done:

    {"ledger": 1, "account": "k3v9QxTa"}
        the first line: the format, and what this sandbox's ids carry
    {"rules": {"key_life": 86400, "hold_life": 604800, "delay": 3}}
        at each start with other rules: they hold from here on
    {"at": 1764000000, "action": "ConfirmIntent", "fields": {"intent": "pi_..."}, "key": "...",
     "movements": [{"kind": "captured", "intent": "pi_...", "charge": "ch_...", "refund": null,
                    "amount": 1099, "currency": "usd", "metadata": {"uuid": "..."}}]}
        a request that changed something, and what money it moved (`objects.Movement` has the
        kinds). `PassTime` stands for whatever only time has done.
    {"webhooks": true}
        from here on events are owed to a receiver of webhooks
    {"delivered": "evt_..."}
        one that it has accepted

A tool that asks where the money is reads `movements` and nothing else. The sandbox itself does the
requests again when it starts, which is possible because `transition` is a pure function; where the
movements then come out otherwise, it refuses to start. A torn last line, which a power cut may
leave, was never answered, and is cut off.
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


class LedgerRefused(Exception):
    """The file cannot be used. The message says why, and what to do."""


class Ledger:
    """The open file. One process at a time; many requests share one fsync (group commit)."""

    def __init__(self, path: Path) -> None:
        """Open, or make, the file and its directory. Raises LedgerRefused where that cannot be."""
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a+b", buffering=0)
        except OSError as error:
            raise LedgerRefused(
                f"{path} cannot be used ({error.strerror}); give another --data directory."
            ) from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise LedgerRefused(
                f"{path} is in use by another sandbox; end it, or give another --data directory."
            ) from None
        self._lines: list[bytes] = []
        self._appended = 0
        self._durable = 0
        self._flush: asyncio.Future[None] | None = None
        self._failure: OSError | None = None
        self._writer = ThreadPoolExecutor(1, "ledger")

    def entries(self) -> Iterator[Entry]:
        """What was written so far; a torn end is cut off. To be exhausted before the first append."""
        self._file.seek(0)
        whole = self._file.read().split(b"\n")[:-1]  # behind the last newline nothing was answered
        end = 0
        for number, line in enumerate(whole, 1):
            try:
                entry = json.loads(line)
            except ValueError:
                if number == len(whole):
                    break  # its newline may have reached the disk before the rest of it
                raise LedgerRefused(
                    f"{self._path}, line {number}, is no JSON: the file was damaged. Move it away "
                    "to start anew."
                ) from None
            end += len(line) + 1
            yield entry
        self._file.truncate(end)

    def append(self, entry: Entry) -> None:
        """Put a line at the end. It is not on the disk before `durable` returns."""
        self._lines.append(json.dumps(entry, separators=(",", ":")).encode() + b"\n")
        self._appended += 1

    async def durable(self) -> None:
        """Return when everything appended until now is on the disk. Raises OSError where it cannot
        be, and from then on always: after a failed fsync nobody knows what the disk has.
        """
        wanted = self._appended
        while self._durable < wanted:
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
        """Write what is left, and let the file go."""
        await self.durable()
        self._writer.shutdown()
        self._file.close()
