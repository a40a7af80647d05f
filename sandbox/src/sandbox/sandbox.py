"""The living sandbox: world in memory, a ledger on disk, and a clock, behind `perform`.

Everything that changes it goes through `perform`, whoever asks: the API, the page of 3D Secure, the
timer. An answer is given only when what it rests on is on the disk.
"""

import asyncio
import secrets
import string
import time
from collections.abc import Callable, Container
from pathlib import Path

from sandbox.actions import PassTime, Request
from sandbox.codec import decode_request, encode_movement, encode_request, encode_rules
from sandbox.ledger import Entry, Ledger, LedgerRefused
from sandbox.mutable_world import MutableWorld
from sandbox.objects import Event
from sandbox.transition import transition
from sandbox.world import Response, Rules

FORMAT = 1
TICK = 1.0  # seconds between looks at what is due; every request looks too
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

    def __init__(
        self,
        directory: Path,
        rules: Rules,
        *,
        clock: Clock | None = None,
        webhooks: bool = False,
        subscribed: Container[str] | None = None,
    ) -> None:
        """Open the directory and do again what its ledger tells. Raises LedgerRefused.

        With `webhooks`, events are owed to a receiver from the first such start on: those of the
        types in `subscribed`, or all.
        """
        self.clock = clock or Clock()
        self.owed: dict[str, None] = {}  # ids of events, in their order
        self.owing = asyncio.Event()  # set when one joins them
        self.ledger = Ledger(directory / "ledger.jsonl")
        self._webhooks = False
        self._subscribed = subscribed
        self._rules: Rules | None = None  # those that the ledger has last
        entries = self.ledger.entries()
        self.world = MutableWorld(self._account(next(entries, None)), rules)
        for number, entry in enumerate(entries, 2):
            self._again(number, entry)
        if self._rules != rules:
            self.world.rules = rules
            self.ledger.append({"rules": encode_rules(rules)})
        if webhooks and not self._webhooks:
            self._webhooks = True
            self.ledger.append({"webhooks": True})

    async def perform(self, request: Request) -> Response:
        """Do what is asked, now; the answer, when it may be given."""
        response, entry = self._do(request, self.clock.now())
        if entry:
            self.ledger.append(entry)
        await self.ledger.durable()
        return response

    async def advance(self, seconds: int) -> None:
        """Put the clock forward, and do what is due by then."""
        self.clock.advance(seconds)
        now = self.clock.now()
        _, entry = self._do(Request(PassTime()), now)
        # Written even where nothing was due, so that a restart does not put the clock back.
        self.ledger.append(entry or {**encode_request(Request(PassTime()), now), "movements": []})
        await self.ledger.durable()

    async def keep_time(self) -> None:
        """Do what becomes due, when it does, for ever. Ends with the ledger's OSError, if it has one."""
        while True:
            if self.world.next_due(self.clock.now()):
                await self.perform(Request(PassTime()))
            await self.ledger.durable()
            await asyncio.sleep(TICK)

    def delivered(self, event: str) -> None:
        """Note that a webhook was accepted. CreationFailed with a crash, it is sent again: at least once."""
        self.owed.pop(event, None)
        self.ledger.append({"delivered": event})

    async def close(self) -> None:
        """Let the ledger go, with everything in it on the disk."""
        await self.ledger.close()

    def _do(self, request: Request, now: int) -> tuple[Response, Entry | None]:
        """The answer, and the line for the ledger where anything changed."""
        world = self.world
        changes, moved, told = world.changes, len(world.movements), world.count("event")
        _, response = transition(world, request, now)
        if world.changes == changes:
            return response, None
        if self._webhooks:
            self.owed.update(dict.fromkeys(filter(self._is_wanted, world.events_after(told))))
            self.owing.set()
        movements = [encode_movement(one) for one in world.movements[moved:]]
        return response, {**encode_request(request, now), "movements": movements}

    def _is_wanted(self, name: str) -> bool:
        event = self.world.find("event", name)
        is_all = self._subscribed is None
        return is_all or (isinstance(event, Event) and event.type in (self._subscribed or ()))

    def _account(self, opening: Entry | None) -> str:
        """What this sandbox's ids carry: from the ledger's first line, which is written if need be."""
        if opening is None:
            account = "".join(map(secrets.choice, [_LETTERS] * 8))
            self.ledger.append({"ledger": FORMAT, "account": account})
            return account
        if opening.get("ledger") != FORMAT:
            raise LedgerRefused("The ledger has a format that is not known here. Move it away.")
        return str(opening["account"])

    def _again(self, number: int, entry: Entry) -> None:
        """Do again what a line tells; the money must come out as it did."""
        if "delivered" in entry:
            self.owed.pop(entry["delivered"], None)
        elif "webhooks" in entry:
            self._webhooks = True
        elif "rules" in entry:
            self._rules = self.world.rules = Rules(**entry["rules"])
        else:
            request, at = decode_request(entry)
            self.clock.not_before(at)
            _, again = self._do(request, at)
            if (again or {}).get("movements", []) != entry["movements"]:
                raise LedgerRefused(
                    f"Line {number} of the ledger was written by a sandbox that decided otherwise "
                    "than this one does. Move the file away to start anew."
                )
