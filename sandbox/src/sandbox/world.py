"""The sandbox's state: the protocol `View` that `transition` reads and changes, and an immutable `World`.

`World` is one frozen, hashable value, for model checking; `mutable_world.MutableWorld` implements the same
protocol in place, for the server.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Protocol, Self, TypeVar

from sandbox.actions import Action
from sandbox.cards import CARDS, Card
from sandbox.errors import Error
from sandbox.objects import Event, Intent, Movement, Refund


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings of a sandbox. Durations are in seconds.

    `key_life`: Stripe keeps a key for at least 24 h (https://docs.stripe.com/api/idempotent_requests).
    `hold_life`: an online card's authorization lasts 7 days. `delay`: until delayed outcomes.
    `history`: whether events and movements are recorded; without them, two paths to the same objects end
    in the same state, which model checking needs.
    """

    key_life: int = 24 * 3600
    hold_life: int = 7 * 24 * 3600
    delay: int = 3
    history: bool = True


Listed = Intent | Refund | Event


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list, and whether there are more."""

    url: str
    items: tuple[Listed, ...]
    has_more: bool


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to a request: an object or an error, and whether it is a replay."""

    status: int
    body: Intent | Refund | Event | Card | Page | Error | None
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """An idempotency key, with the first request and its answer."""

    id: str
    created: int
    action: Action
    expand: tuple[str, ...]
    response: Response


Change = Intent | Refund | Key | Event | Movement


def identifier(prefix: str, account: str, number: int) -> str:
    """An id like Stripe's. The account makes the ids of two sandboxes differ; the padded number makes ids
    of one kind sort in order of creation.
    """
    return f"{prefix}_3{account}{number:010d}"


def number_of(identifier: str) -> int:
    """The number in an id of `identifier`."""
    return int(identifier[-10:])


def method_identifier(account: str, card: Card) -> str:
    """The id of a test card's PaymentMethod, which differs from its token, as at Stripe."""
    return f"pm_1{account}{card.token.removeprefix('pm_').replace('_', '')}"


class View(Protocol):
    """The state that a decision reads; `apply` changes it. Look-ups return None for unknown ids."""

    @property
    def account(self) -> str: ...
    @property
    def rules(self) -> Rules: ...
    def intent(self, identifier: str) -> Intent | None: ...
    def find(self, kind: str, identifier: str) -> Listed | None: ...
    def key(self, name: str) -> Key | None: ...
    def refunds_of(self, intent: str) -> Iterable[Refund]: ...
    def newest(self, kind: str, before: str | None) -> Iterator[Listed]: ...
    def count(self, kind: str) -> int: ...
    def next_due(self, now: int) -> Intent | Refund | None: ...
    def apply(self, changes: Iterable[Change]) -> Self: ...


def card_named(view: View, name: str) -> Card | None:
    """The test card with this token or PaymentMethod id."""
    found = CARDS.get(name)
    if found is None and name.startswith(f"pm_1{view.account}"):
        return next((c for c in CARDS.values() if method_identifier(view.account, c) == name), None)
    return found


@dataclass(frozen=True, slots=True)
class World:
    """The whole state as one value. For small states: look-ups are linear, changes copy."""

    account: str = "Sandbox"
    rules: Rules = Rules()
    intents: tuple[Intent, ...] = ()
    refunds: tuple[Refund, ...] = ()
    keys: tuple[Key, ...] = ()  # sorted by id, so that the state does not depend on their order
    events: tuple[Event, ...] = ()
    movements: tuple[Movement, ...] = ()

    def intent(self, identifier: str) -> Intent | None:
        return next((intent for intent in self.intents if intent.id == identifier), None)

    def find(self, kind: str, identifier: str) -> Listed | None:
        return next((found for found in self._all(kind) if found.id == identifier), None)

    def key(self, name: str) -> Key | None:
        return next((key for key in self.keys if key.id == name), None)

    def refunds_of(self, intent: str) -> tuple[Refund, ...]:
        return tuple(refund for refund in self.refunds if refund.intent == intent)

    def newest(self, kind: str, before: str | None) -> Iterator[Listed]:
        newest = reversed(self._all(kind))
        return (item for item in newest if before is None or item.id < before)

    def count(self, kind: str) -> int:
        return len(self._all(kind))

    def _all(self, kind: str) -> tuple[Listed, ...]:
        if kind == "payment_intent":
            return self.intents
        return self.refunds if kind == "refund" else self.events

    def next_due(self, now: int) -> Intent | Refund | None:
        candidates = chain[Intent | Refund](self.intents, self.refunds)
        due = (item for item in candidates if item.due is not None and item.due <= now)
        return min(due, key=lambda item: (item.due or 0, item.id), default=None)

    def apply(self, changes: Iterable[Change]) -> "World":
        """This state with the changes: a known id is replaced, a new one appended."""
        intents, refunds, keys = self.intents, self.refunds, self.keys
        events, movements = self.events, self.movements
        for change in changes:
            if isinstance(change, Intent):
                intents = _with(intents, change)
            elif isinstance(change, Refund):
                refunds = _with(refunds, change)
            elif isinstance(change, Key):
                keys = tuple(sorted(_with(keys, change), key=lambda key: key.id))
            elif isinstance(change, Event):
                events = (*events, change)
            else:
                movements = (*movements, change)
        return World(self.account, self.rules, intents, refunds, keys, events, movements)


_Item = TypeVar("_Item", bound=Intent | Refund | Key)


def _with(items: tuple[_Item, ...], change: _Item) -> tuple[_Item, ...]:
    for index, item in enumerate(items):
        if item.id == change.id:
            return (*items[:index], change, *items[index + 1 :])
    return (*items, change)
