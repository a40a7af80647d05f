"""The living sandbox: books in memory, a ledger on disk, and a clock, behind `perform`.

Everything that changes it goes through `perform`, whoever asks: the API, the page of 3D Secure, the
timer. An answer is given only when what it rests on is on the disk.
"""

import secrets
import string
import time
from collections.abc import Callable
from pathlib import Path

from sandbox.actions import PassTime, Request
from sandbox.books import Books
from sandbox.codec import decode_request, encode_movement, encode_request, encode_rules
from sandbox.ledger import Entry, Ledger, LedgerRefused
from sandbox.transition import transition
from sandbox.world import Response, Rules

FORMAT = 1
_LETTERS = string.ascii_letters + string.digits


class Clock:
    """Unix seconds that never fall, and can be put forward."""

    def __init__(self, source: Callable[[], float] = time.time) -> None:
        self._source = source
        self._ahead = 0
        self._last = 0

    def now(self) -> int:
        self._last = max(self._last, int(self._source()) + self._ahead)
        return self._last

    def advance(self, seconds: int) -> None:
        """Put it forward for good."""
        self._ahead += seconds

    def not_before(self, moment: int) -> None:
        """Go on from `moment`, where an earlier run had put the clock forward."""
        self._ahead = max(0, moment - int(self._source()))


class Sandbox:
    """One sandbox on one data directory."""

    def __init__(self, directory: Path, rules: Rules, clock: Clock | None = None) -> None:
        """Open the directory and do again what its ledger tells. Raises LedgerRefused."""
        directory.mkdir(parents=True, exist_ok=True)
        self.clock = clock or Clock()
        self.delivered: set[str] = set()
        self.ledger = Ledger(directory / "ledger.jsonl")
        entries = self.ledger.entries()
        opening = next(entries, None)
        account = opening["account"] if opening else "".join(map(secrets.choice, [_LETTERS] * 8))
        self.books = Books(account, rules)
        if opening is None:
            self.ledger.append({"ledger": FORMAT, "account": account})
        elif opening.get("ledger") != FORMAT:
            raise LedgerRefused(f"The ledger in {directory} has a format that is not known here.")
        for number, entry in enumerate(entries, 2):
            self._again(number, entry)
        if opening is None or self.books.rules != rules:
            self.books.rules = rules
            self.ledger.append({"rules": encode_rules(rules)})

    async def perform(self, request: Request) -> Response:
        """Do what is asked, now; the answer, when it may be given."""
        now = self.clock.now()
        changes, moved = self.books.changes, len(self.books.movements)
        _, response = transition(self.books, request, now)
        if self.books.changes > changes:
            self.ledger.append(self._entry(request, now, moved))
        await self.ledger.durable()
        return response

    async def advance(self, seconds: int) -> None:
        """Put the clock forward, and do what is due by then."""
        self.clock.advance(seconds)
        moved = len(self.books.movements)
        now = self.clock.now()
        transition(self.books, Request(PassTime()), now)
        self.ledger.append(self._entry(Request(PassTime()), now, moved))
        await self.ledger.durable()

    def deliver(self, event: str) -> None:
        """Note that a webhook was accepted."""
        self.delivered.add(event)
        self.ledger.append({"delivered": event})

    def _entry(self, request: Request, now: int, moved: int) -> Entry:
        movements = [encode_movement(one) for one in self.books.movements[moved:]]
        return {**encode_request(request, now), "movements": movements}

    def _again(self, number: int, entry: Entry) -> None:
        if "delivered" in entry:
            self.delivered.add(entry["delivered"])
        elif "rules" in entry:
            self.books.rules = Rules(**entry["rules"])
        else:
            request, at = decode_request(entry)
            moved = len(self.books.movements)
            transition(self.books, request, at)
            self.clock.not_before(at)
            if self._entry(request, at, moved)["movements"] != entry["movements"]:
                raise LedgerRefused(
                    f"Line {number} of the ledger was written by a sandbox that decided otherwise "
                    "than this one does. Move the file away to start anew."
                )

    async def close(self) -> None:
        """Let the ledger go, with everything in it on the disk."""
        await self.ledger.close()
