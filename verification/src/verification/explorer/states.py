"""A state of the whole world, as small integers: what is kept, what the processor has, who is where.

Every part is interned: equal parts are one number, so that a state is a short tuple and two ways to
it are one. What a call does to a part is worked out once by the real store or the sandbox's own
decision, and remembered.
"""

from collections.abc import Hashable
from typing import Any, Generic, NamedTuple, TypeVar

from payment.domain.payment import Payment
from payment.domain.refund import Refund
from payment.repository.memory import Store
from payment.service_layer.ports import RequestRecord
from sandbox.world import World as Processor
from verification.explorer.threads import Answer, Threads
from verification.world.calls import Call, DatabaseAway, Fate
from verification.world.invariants import InternalRecords
from verification.world.world import World


class State(NamedTuple):
    """kept, processor: numbers of what the store and the processor have; threads: sorted nodes, or
    below zero, by `Worlds.slow`, threads whose answer is on its way; network: sorted numbers of calls that are still to arrive; faults, moves, jumps: what may still
    go wrong, be done by people, and pass of time; waiting: programs nobody has started.
    """

    kept: int
    processor: int
    now: float
    threads: tuple[int, ...]
    network: tuple[int, ...]
    faults: int
    moves: tuple[str, ...]
    jumps: tuple[float, ...]
    waiting: tuple[int, ...]


class Kept(NamedTuple):
    """All rows, sorted. Events and due times are left out: nothing decides by them here."""

    payments: tuple[Payment, ...] = ()
    refunds: tuple[Refund, ...] = ()
    requests: tuple[RequestRecord, ...] = ()


class OnItsWay(NamedTuple):
    """A call, by its number, that nobody waits for any more, and that may still arrive."""

    call: int
    fate: Fate
    sent: float


class Slow(NamedTuple):
    """A thread whose call is done, and whose answer is on its way."""

    node: int
    answer: int


class Done(NamedTuple):
    """What a call made: kept and processor after it, and the number of the value it answers."""

    kept: int
    processor: int
    answer: int


Part = TypeVar("Part", bound=Hashable)


class Interned(Generic[Part]):
    """Equal values are one number."""

    def __init__(self) -> None:
        self._numbers: dict[Part, int] = {}
        self.values: list[Part] = []

    def number(self, value: Part) -> int:
        """The number of a value, new or known."""
        number = self._numbers.setdefault(value, len(self.values))
        if number == len(self.values):
            self.values.append(value)
        return number


AWAY = DatabaseAway()
"""One instance for all: an error is known again by its identity."""


class Worlds:
    """What calls do to the numbered parts of states."""

    def __init__(self, processor: Processor) -> None:
        self.threads = Threads()
        self.calls: Interned[Call] = Interned()
        self.kept: Interned[Kept] = Interned()
        self.processors: Interned[Processor] = Interned()
        self.network: Interned[OnItsWay] = Interned()
        self.slow: Interned[Slow] = Interned()
        self.first = (self.kept.number(Kept()), self.processors.number(processor))
        self.values: Interned[Any] = Interned()
        self._answers: dict[tuple[int, float, bool], int] = {}
        self._of_node: dict[int, int] = {}
        self._done: dict[tuple[int, float, int, Fate, bool], tuple[int, int]] = {}
        self._books: dict[tuple[int, int], InternalRecords] = {}

    def awaiting(self, node: int, answer: int) -> int:
        """The place among threads of one whose answer is on its way."""
        return -1 - self.slow.number(Slow(node, answer))

    def awaited(self, place: int) -> Slow:
        """What a place below zero stands for."""
        return self.slow.values[-1 - place]

    def call_of(self, node: int) -> int:
        """The number of the call that a thread makes next."""
        if node not in self._of_node:
            call = self.threads.nodes[node].call
            assert call is not None  # noqa: S101 - a thread that has ended is in no state
            self._of_node[node] = self.calls.number(call)
        return self._of_node[node]

    def do(self, state: State, number: int, fate: Fate = Fate.DONE, *, late: bool = False) -> Done:
        """Kept and processor after a call, and its answer. `late`: a statement that had passed its
        fence, or what a 500 had left, without a key.
        """
        call = self.calls.values[number]
        at_processor = call.port == "processor"
        part = state.processor if at_processor else state.kept
        memory = (part, state.now, number, fate, late)
        if memory not in self._done:
            self._done[memory] = self._work_out(state, call, fate, late=late)
        after, answer = self._done[memory]
        if at_processor:
            return Done(state.kept, after, answer)
        return Done(after, state.processor, answer)

    def _work_out(self, state: State, call: Call, fate: Fate, *, late: bool) -> tuple[int, int]:
        world = self.world(state)
        answer = None
        if not late:
            answer = world.do(call, fate)
        elif call.port == "processor":
            world.do_late(call, Fate.FAULTED_LATE)
        else:
            world.commit(call)
        number = self.values.number(tuple(answer) if isinstance(answer, list) else answer)
        if call.port == "processor":
            view = world.processor.view
            assert isinstance(view, Processor)  # noqa: S101 - it began as one
            return self.processors.number(view), number
        return self.kept.number(kept_in(world.store)), number

    def world(self, state: State) -> World:
        """The world of a state, made anew: what is done to it changes no state."""
        rows = self.kept.values[state.kept]
        world = World(self.processors.values[state.processor], now=state.now)
        world.store.payments.update((row.id, row) for row in rows.payments)
        world.store.refunds.update((row.id, row) for row in rows.refunds)
        world.store.requests.update((row.request_id, row) for row in rows.requests)
        return world

    def books(self, state: State) -> InternalRecords:
        """Both sides, for the invariants."""
        where = (state.kept, state.processor)
        if where not in self._books:
            rows, processor = self.kept.values[state.kept], self.processors.values[state.processor]
            self._books[where] = InternalRecords(
                rows.payments, rows.refunds, processor.intents, processor.refunds
            )
        return self._books[where]

    def answer(self, value: int, now: float, *, caller_gone: bool = False) -> int:
        """The number of an answer: a value's, given at this time."""
        number = self._answers.get((value, now, caller_gone))
        if number is None:
            given = self.values.values[value]
            answer = Answer(given, isinstance(given, Exception), now, caller_gone)
            number = self._answers[value, now, caller_gone] = self.threads.answer(answer)
        return number


def kept_in(store: Store) -> Kept:
    """The rows of a store, in an order of their own."""
    return Kept(
        tuple(sorted(store.payments.values(), key=lambda row: row.id)),
        tuple(sorted(store.refunds.values(), key=lambda row: row.id)),
        tuple(sorted(store.requests.values(), key=lambda row: row.request_id.text)),
    )
