"""Where the sandbox's objects are kept: what a decision may read, and a keeper that never changes.

`View` is what `transition` needs. `World` fulfils it as one frozen, hashable value, for an explorer
or a simulator; `mutable_world.MutableWorld` fulfils it in place, for the server. What is decided is the same.
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
    """What may differ between sandboxes. Seconds.

    `key_life`: Stripe keeps a key at least 24 h (https://docs.stripe.com/api/idempotent_requests).
    `hold_life`: an online card's hold lasts 7 days. `delay`: how long what happens "later" takes.
    `history`: whether events and movements are made; without them, two ways to the same objects end
    in one state, which is what an explorer wants.
    """

    key_life: int = 24 * 3600
    hold_life: int = 7 * 24 * 3600
    delay: int = 3
    history: bool = True


Listed = Intent | Refund | Event


@dataclass(frozen=True, slots=True)
class Page:
    """A list's answer: some objects, and whether there are more."""

    url: str
    items: tuple[Listed, ...]
    has_more: bool


@dataclass(frozen=True, slots=True)
class Response:
    """What is answered: an object or an error as it is at this moment, and whether it is a replay."""

    status: int
    body: Intent | Refund | Event | Card | Page | Error | None
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """An idempotency key: what it was first used for, and what was answered then."""

    id: str
    created: int
    action: Action
    expand: tuple[str, ...]
    response: Response


Change = Intent | Refund | Key | Event | Movement


def identifier(prefix: str, account: str, number: int) -> str:
    """An id, in the look of Stripe's. The account keeps two sandboxes' ids apart; padded, so that
    ids of a kind sort as they were made.
    """
    return f"{prefix}_3{account}{number:010d}"


def number_of(identifier: str) -> int:
    """The number in an id made by `identifier`."""
    return int(identifier[-10:])


def method_identifier(account: str, card: Card) -> str:
    """The id of a test card as a PaymentMethod: not its token, just as with Stripe."""
    return f"pm_1{account}{card.token.removeprefix('pm_').replace('_', '')}"


class View(Protocol):
    """What a decision reads, and how it is kept. Look-ups give None for what is not there."""

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
    def after(self, changes: Iterable[Change]) -> Self: ...


def card_named(view: View, name: str) -> Card | None:
    """The test card with this token, or with this PaymentMethod's id."""
    found = CARDS.get(name)
    if found is None and name.startswith(f"pm_1{view.account}"):
        return next((c for c in CARDS.values() if method_identifier(view.account, c) == name), None)
    return found


@dataclass(frozen=True, slots=True)
class World:
    """Everything, as one value. Small worlds only: a look-up walks, a change copies a tuple."""

    account: str = "Sandbox"
    rules: Rules = Rules()
    intents: tuple[Intent, ...] = ()
    refunds: tuple[Refund, ...] = ()
    keys: tuple[Key, ...] = ()  # by id, so that the order of their making makes no other state
    events: tuple[Event, ...] = ()
    movements: tuple[Movement, ...] = ()

    def intent(self, identifier: str) -> Intent | None:
        return next((intent for intent in self.intents if intent.id == identifier), None)

    def find(self, kind: str, identifier: str) -> Listed | None:
        return next((one for one in self._all(kind) if one.id == identifier), None)

    def key(self, name: str) -> Key | None:
        return next((key for key in self.keys if key.id == name), None)

    def refunds_of(self, intent: str) -> tuple[Refund, ...]:
        return tuple(refund for refund in self.refunds if refund.intent == intent)

    def newest(self, kind: str, before: str | None) -> Iterator[Listed]:
        return (one for one in reversed(self._all(kind)) if before is None or one.id < before)

    def count(self, kind: str) -> int:
        return len(self._all(kind))

    def _all(self, kind: str) -> tuple[Listed, ...]:
        if kind == "payment_intent":
            return self.intents
        return self.refunds if kind == "refund" else self.events

    def next_due(self, now: int) -> Intent | Refund | None:
        first: Intent | Refund | None = None
        for one in chain[Intent | Refund](self.intents, self.refunds):
            if (
                one.due is not None
                and one.due <= now
                and (first is None or _due(one) < _due(first))
            ):
                first = one
        return first

    def after(self, changes: Iterable[Change]) -> "World":
        """This world with the changes. A known id replaces, a new one joins at the end."""
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


_Kept = TypeVar("_Kept", bound=Intent | Refund | Key)


def _with(kept: tuple[_Kept, ...], change: _Kept) -> tuple[_Kept, ...]:
    for place, one in enumerate(kept):
        if one.id == change.id:
            return (*kept[:place], change, *kept[place + 1 :])
    return (*kept, change)


def _due(one: Intent | Refund) -> tuple[int, str]:
    return (one.due or 0, one.id)
