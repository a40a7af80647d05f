"""The server's sandbox: state in memory, a ledger on disk, and a clock, behind `perform`.

Every change goes through `perform`: of the API, the 3D Secure page and the timers. `perform` returns once
everything that the answer depends on is on disk.
"""

import asyncio
import secrets
import string
import time
from collections.abc import Callable, Container
from dataclasses import asdict
from pathlib import Path

from sandbox.actions import PassTime, Request
from sandbox.codec import decode_request, encode_movement, encode_request
from sandbox.ledger import Entry, Ledger, LedgerUnusable
from sandbox.mutable_world import MutableWorld
from sandbox.objects import Event
from sandbox.transition import transition
from sandbox.world import Response, Rules

FORMAT = 1
TICK_SECONDS = 1.0  # between two checks of what is due; every request checks too
_LETTERS = string.ascii_letters + string.digits


class Clock:
    """Unix seconds that never decrease and can be advanced."""

    def __init__(self, source: Callable[[], float] = time.time) -> None:
        self._source = source
        self._ahead = 0
        self._last = 0

    def now(self) -> int:
        self._last = max(self._last, int(self._source()) + self._ahead)
        return self._last

    def advance(self, seconds: int) -> None:
        """Advance the clock permanently."""
        self._ahead += seconds

    def not_before(self, moment: int) -> None:
        """Continue from `moment`, where an earlier run had advanced the clock."""
        self._ahead = max(0, moment - int(self._source()))


class Sandbox:
    """One sandbox on one data directory."""

    def __init__(
        self,
        directory: Path,
        rules: Rules,
        *,
        clock: Clock | None = None,
        webhooks: bool = False,
        subscribed: Container[str] | None = None,
    ) -> None:
        """Open the directory and replay its ledger.

        With `webhooks`, events are owed to a receiver from the first such start on: those of the types in
        `subscribed`, or all.

        Raises:
            LedgerUnusable: the ledger is damaged or in use, or its replay yields other movements.
        """
        self.clock = clock or Clock()
        self.owed: dict[
            str, None
        ] = {}  # ids of events that the receiver has not accepted, in order
        self.owed_changed = asyncio.Event()  # set when one is added
        self.ledger = Ledger(directory / "ledger.jsonl")
        self._webhooks = False
        self._subscribed = subscribed
        self._rules: Rules | None = None  # the last ones in the ledger
        entries = self.ledger.entries()
        self.world = MutableWorld(self._account(next(entries, None)), rules)
        for number, entry in enumerate(entries, 2):
            self._replay(number, entry)
        if self._rules != rules:
            self.world.rules = rules
            self.ledger.append({"rules": asdict(rules)})
        if webhooks and not self._webhooks:
            self._webhooks = True
            self.ledger.append({"webhooks": True})

    async def perform(self, request: Request) -> Response:
        """Execute a request now; return the answer once it may be sent."""
        response, entry = self._execute(request, self.clock.now())
        if entry:
            self.ledger.append(entry)
        await self.ledger.wait_until_durable()
        return response

    async def advance(self, seconds: int) -> None:
        """Advance the clock, and do what is due by then."""
        self.clock.advance(seconds)
        now = self.clock.now()
        _, entry = self._execute(Request(PassTime()), now)
        # Recorded even where nothing was due, so that a restart does not set the clock back.
        self.ledger.append(entry or {**encode_request(Request(PassTime()), now), "movements": []})
        await self.ledger.wait_until_durable()

    async def run_timers(self) -> None:
        """Do what becomes due, forever.

        Raises:
            OSError: the ledger cannot be written.
        """
        while True:
            if self.world.next_due(self.clock.now()):
                await self.perform(Request(PassTime()))
            await self.ledger.wait_until_durable()
            await asyncio.sleep(TICK_SECONDS)

    def delivered(self, event: str) -> None:
        """Record that a webhook was accepted; it is sent again where a crash loses the record."""
        self.owed.pop(event, None)
        self.ledger.append({"delivered": event})

    async def close(self) -> None:
        """Close the ledger, with every entry on disk."""
        await self.ledger.close()

    def _execute(self, request: Request, now: int) -> tuple[Response, Entry | None]:
        """The answer, and the ledger's entry where the state changed."""
        world = self.world
        changes, movements, events = world.changes, len(world.movements), world.count("event")
        _, response = transition(world, request, now)
        if world.changes == changes:
            return response, None
        if self._webhooks:
            new_events = filter(self._is_subscribed, world.events_after(events))
            self.owed.update(dict.fromkeys(new_events))
            self.owed_changed.set()
        new_movements = [encode_movement(movement) for movement in world.movements[movements:]]
        return response, {**encode_request(request, now), "movements": new_movements}

    def _is_subscribed(self, event_id: str) -> bool:
        if self._subscribed is None:
            return True
        event = self.world.find("event", event_id)
        return isinstance(event, Event) and event.type in self._subscribed

    def _account(self, first_entry: Entry | None) -> str:
        """The part of every id that names this sandbox: from the ledger's first entry, or a new one."""
        if first_entry is None:
            account = "".join(map(secrets.choice, [_LETTERS] * 8))
            self.ledger.append({"ledger": FORMAT, "account": account})
            return account
        if first_entry.get("ledger") != FORMAT:
            raise LedgerUnusable("The ledger has an unknown format. Move it away to start empty.")
        return str(first_entry["account"])

    def _replay(self, number: int, entry: Entry) -> None:
        """Apply an entry of the ledger; a request must yield the recorded movements."""
        if "delivered" in entry:
            self.owed.pop(entry["delivered"], None)
        elif "webhooks" in entry:
            self._webhooks = True
        elif "rules" in entry:
            self._rules = self.world.rules = Rules(**entry["rules"])
        else:
            request, at = decode_request(entry)
            self.clock.not_before(at)
            _, replayed = self._execute(request, at)
            if (replayed or {}).get("movements", []) != entry["movements"]:
                raise LedgerUnusable(
                    f"Line {number} of the ledger was written by a version that moved money differently. "
                    "Move the file away to start empty."
                )
