"""The server's state: a `View` that is changed in place, so that a request is cheap.

Only `transition` may change it.
"""

import heapq
from collections.abc import Iterable, Iterator
from typing import Self

from sandbox.objects import Event, Intent, Movement, Refund
from sandbox.world import Change, Key, Listed, Rules, number_of


class MutableWorld:
    """All objects by id and in order of creation. `changes` counts the writes."""

    def __init__(self, account: str, rules: Rules) -> None:
        self.account = account
        self.rules = rules
        self.changes = 0
        self.movements: list[Movement] = []
        self._ids: dict[str, list[str]] = {"payment_intent": [], "refund": [], "event": []}
        self._objects: dict[str, Listed] = {}
        self._keys: dict[str, Key] = {}
        self._refunds: dict[str, list[str]] = {}
        self._due: list[tuple[int, str]] = []

    def intent(self, identifier: str) -> Intent | None:
        found = self._objects.get(identifier)
        return found if isinstance(found, Intent) else None

    def find(self, kind: str, identifier: str) -> Listed | None:
        found = self._objects.get(identifier)
        return found if found is not None and _kind(found) == kind else None

    def key(self, name: str) -> Key | None:
        return self._keys.get(name)

    def refunds_of(self, intent: str) -> Iterator[Refund]:
        for identifier in self._refunds.get(intent, ()):
            refund = self._objects[identifier]
            if isinstance(refund, Refund):
                yield refund

    def newest(self, kind: str, before: str | None) -> Iterator[Listed]:
        ids = self._ids[kind]
        start = len(ids) if before is None else number_of(before) - 1
        return (self._objects[ids[index]] for index in range(start - 1, -1, -1))

    def count(self, kind: str) -> int:
        return len(self._ids[kind])

    def events_after(self, number: int) -> list[str]:
        """The ids of the events after the first `number`."""
        return self._ids["event"][number:]

    def next_due(self, now: int) -> Intent | Refund | None:
        while self._due and self._due[0][0] <= now:
            due, identifier = self._due[0]
            found = self._objects[identifier]
            if not isinstance(found, Event) and found.due == due:
                return found
            heapq.heappop(self._due)  # outdated: the object has changed since
        return None

    def apply(self, changes: Iterable[Change]) -> Self:
        """Write the changes; returns this object."""
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

    def _write(self, written: Listed) -> None:
        if written.id not in self._objects:
            self._ids[_kind(written)].append(written.id)
            if isinstance(written, Refund):
                self._refunds.setdefault(written.intent, []).append(written.id)
        self._objects[written.id] = written
        if not isinstance(written, Event) and written.due is not None:
            heapq.heappush(self._due, (written.due, written.id))


def _kind(listed: Listed) -> str:
    match listed:
        case Intent():
            return "payment_intent"
        case Refund():
            return "refund"
        case Event():
            return "event"
