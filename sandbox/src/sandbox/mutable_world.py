"""The server's keeper: the same as a `World`, changed in place, so that each request is cheap.

`transition` reads and changes it through `world.View`; nothing else may change it.
"""

import heapq
from collections.abc import Iterable, Iterator
from typing import Self

from sandbox.objects import Event, Intent, Movement, Refund
from sandbox.world import Change, Key, Listed, Rules, number_of


class MutableWorld:
    """Everything by its id and in the order of its making. `changes` counts what was written."""

    def __init__(self, account: str, rules: Rules) -> None:
        self.account = account
        self.rules = rules
        self.changes = 0
        self.movements: list[Movement] = []
        self._ids: dict[str, list[str]] = {"payment_intent": [], "refund": [], "event": []}
        self._things: dict[str, Listed] = {}
        self._keys: dict[str, Key] = {}
        self._refunds: dict[str, list[str]] = {}
        self._due: list[tuple[int, str]] = []

    def intent(self, identifier: str) -> Intent | None:
        found = self._things.get(identifier)
        return found if isinstance(found, Intent) else None

    def find(self, kind: str, identifier: str) -> Listed | None:
        found = self._things.get(identifier)
        return found if found is not None and _kind(found) == kind else None

    def key(self, name: str) -> Key | None:
        return self._keys.get(name)

    def refunds_of(self, intent: str) -> Iterator[Refund]:
        for identifier in self._refunds.get(intent, ()):
            refund = self._things[identifier]
            if isinstance(refund, Refund):
                yield refund

    def newest(self, kind: str, before: str | None) -> Iterator[Listed]:
        ids = self._ids[kind]
        start = len(ids) if before is None else number_of(before) - 1
        return (self._things[ids[place]] for place in range(start - 1, -1, -1))

    def count(self, kind: str) -> int:
        return len(self._ids[kind])

    def events_after(self, number: int) -> list[str]:
        """The ids of the events made after the first `number`."""
        return self._ids["event"][number:]

    def next_due(self, now: int) -> Intent | Refund | None:
        while self._due and self._due[0][0] <= now:
            due, identifier = self._due[0]
            thing = self._things[identifier]
            if not isinstance(thing, Event) and thing.due == due:
                return thing
            heapq.heappop(self._due)  # it has gone another way since
        return None

    def after(self, changes: Iterable[Change]) -> Self:
        """These books, with the changes written into them."""
        for change in changes:
            self.changes += 1
            match change:
                case Movement():
                    self.movements.append(change)
                case Key():
                    self._keys[change.id] = change
                case _:
                    self._write(change)
        return self

    def _write(self, thing: Listed) -> None:
        if thing.id not in self._things:
            self._ids[_kind(thing)].append(thing.id)
            if isinstance(thing, Refund):
                self._refunds.setdefault(thing.intent, []).append(thing.id)
        self._things[thing.id] = thing
        if not isinstance(thing, Event) and thing.due is not None:
            heapq.heappush(self._due, (thing.due, thing.id))


def _kind(thing: Listed) -> str:
    match thing:
        case Intent():
            return "payment_intent"
        case Refund():
            return "refund"
        case Event():
            return "event"
