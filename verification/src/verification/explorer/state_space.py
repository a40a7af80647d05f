"""A state of the whole world, as small integers: the rows, the processor, the threads, the network.

Every part is interned: equal parts are one number. So a state is a short tuple, and two ways to one
state meet. What a call does to a part is computed once, by the real store or the sandbox's own
decision, and remembered.
"""

from collections.abc import Hashable
from typing import Any, Generic, NamedTuple, TypeVar

from payment.domain.payment import Payment
from payment.domain.refund import Refund
from payment.repository.memory import Store
from payment.service_layer.ports import RequestRecord
from sandbox.world import World as Processor
from verification.explorer.coroutine_replay import CallResult, ReplayTree
from verification.world.calls import Call, DatabaseUnavailable
from verification.world.faults import CallFault
from verification.world.invariants import Records
from verification.world.world import World


class State(NamedTuple):
    """One state.

    rows, processor  the numbers of what the store and the processor hold
    threads          sorted nodes; below zero: threads whose reply is delayed (`StateSpace.delayed`)
    in_flight        sorted numbers of calls without a waiting thread that may still arrive
    faults           how many may still be injected
    payer_actions    what payers may still do
    time_jumps       by how much time may still jump
    unstarted        programs that have not started
    """

    rows: int
    processor: int
    now: float
    threads: tuple[int, ...]
    in_flight: tuple[int, ...]
    faults: int
    payer_actions: tuple[str, ...]
    time_jumps: tuple[float, ...]
    unstarted: tuple[int, ...]


class Rows(NamedTuple):
    """All rows, sorted. Events and due times are left out: no decision depends on them here."""

    payments: tuple[Payment, ...] = ()
    refunds: tuple[Refund, ...] = ()
    requests: tuple[RequestRecord, ...] = ()


class InFlight(NamedTuple):
    """A call, by its number, that no thread waits for, and that may still arrive."""

    call: int
    fault: CallFault
    sent: float


class DelayedReply(NamedTuple):
    """A thread whose call is done, and whose reply is on its way."""

    node: int
    value: int


class Effect(NamedTuple):
    """What a call made: rows and processor after it, and the number of the value it returns."""

    rows: int
    processor: int
    value: int


Part = TypeVar("Part", bound=Hashable)


class Interned(Generic[Part]):
    """Values by number. Equal values have one number."""

    def __init__(self) -> None:
        self._numbers: dict[Part, int] = {}
        self.values: list[Part] = []

    def number(self, value: Part) -> int:
        """The number of a value, new or known."""
        number = self._numbers.setdefault(value, len(self.values))
        if number == len(self.values):
            self.values.append(value)
        return number


DATABASE_UNAVAILABLE = DatabaseUnavailable()
"""One instance for all: errors compare by identity."""


class StateSpace:
    """The interned parts of states, and the effects of calls on them."""

    def __init__(self, processor: Processor) -> None:
        self.threads = ReplayTree()
        self.calls: Interned[Call] = Interned()
        self.rows: Interned[Rows] = Interned()
        self.processors: Interned[Processor] = Interned()
        self.in_flight: Interned[InFlight] = Interned()
        self.values: Interned[Any] = Interned()
        self.first = (self.rows.number(Rows()), self.processors.number(processor))
        self._delayed: Interned[DelayedReply] = Interned()
        self._results: dict[tuple[int, float, bool], int] = {}
        self._call_of: dict[int, int] = {}
        self._effects: dict[tuple[int, float, int, CallFault, bool], tuple[int, int]] = {}
        self._records: dict[tuple[int, int], Records] = {}

    def delay_reply(self, node: int, value: int) -> int:
        """The place among threads of one whose reply is delayed."""
        return -1 - self._delayed.number(DelayedReply(node, value))

    def delayed(self, place: int) -> DelayedReply:
        """The delayed reply of a place below zero."""
        return self._delayed.values[-1 - place]

    def call_of(self, node: int) -> int:
        """The number of the call that a thread makes next."""
        if node not in self._call_of:
            call = self.threads.nodes[node].call
            assert call is not None  # noqa: S101 - a thread that has ended is in no state
            self._call_of[node] = self.calls.number(call)
        return self._call_of[node]

    def perform(
        self, state: State, number: int, fault: CallFault = CallFault.NONE, *, late: bool = False
    ) -> Effect:
        """The effect of a call. `late`: a commit that hung, or what a 500 has left."""
        call = self.calls.values[number]
        at_processor = call.port == "processor"
        part = state.processor if at_processor else state.rows
        key = (part, state.now, number, fault, late)
        if key not in self._effects:
            self._effects[key] = self._compute(state, call, fault, late=late)
        after, value = self._effects[key]
        if at_processor:
            return Effect(state.rows, after, value)
        return Effect(after, state.processor, value)

    def _compute(
        self, state: State, call: Call, fault: CallFault, *, late: bool
    ) -> tuple[int, int]:
        world = self.world(state)
        result = None
        if not late:
            result = world.perform(call, fault)
        elif call.port == "processor":
            world.perform_late(call, CallFault.SERVER_ERROR_BEFORE_EFFECT)
        else:
            world.commit(call)
        value = self.values.number(tuple(result) if isinstance(result, list) else result)
        if call.port == "processor":
            view = world.processor.view
            assert isinstance(view, Processor)  # noqa: S101 - it began as one
            return self.processors.number(view), value
        return self.rows.number(rows_of(world.store)), value

    def world(self, state: State) -> World:
        """A new world in this state: what is done to it changes no state."""
        rows = self.rows.values[state.rows]
        world = World(self.processors.values[state.processor], now=state.now)
        world.store.payments.update((row.id, row) for row in rows.payments)
        world.store.refunds.update((row.id, row) for row in rows.refunds)
        world.store.requests.update((row.request_id, row) for row in rows.requests)
        return world

    def records(self, state: State) -> Records:
        """The records of both sides, for the invariants."""
        key = (state.rows, state.processor)
        if key not in self._records:
            rows, processor = self.rows.values[state.rows], self.processors.values[state.processor]
            self._records[key] = Records(
                rows.payments, rows.refunds, processor.intents, processor.refunds
            )
        return self._records[key]

    def result(self, value: int, now: float, *, caller_gone: bool = False) -> int:
        """The number of the result that a thread gets: a value, at this time."""
        number = self._results.get((value, now, caller_gone))
        if number is None:
            found = self.values.values[value]
            result = CallResult(found, isinstance(found, Exception), now, caller_gone)
            number = self._results[value, now, caller_gone] = self.threads.number(result)
        return number


def rows_of(store: Store) -> Rows:
    """The rows of a store, in one order."""
    return Rows(
        tuple(sorted(store.payments.values(), key=lambda row: row.id)),
        tuple(sorted(store.refunds.values(), key=lambda row: row.id)),
        tuple(sorted(store.requests.values(), key=lambda row: row.request_id.text)),
    )
