"""Breadth-first search through a scenario: safety in every state, liveness from every state.

Liveness is the strong kind: from any state that was reached, with every thread stopped for ever and
no further fault, recovery alone brings every payment to its end.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from payment.domain.refund import RefundState
from payment.service_layer import create_payment
from sandbox.world import World as Processor
from verification.explorer.programs import Program, StepPayment, StepRefund
from verification.explorer.scenarios import Scenario
from verification.explorer.state_space import State, StateSpace
from verification.explorer.successors import Successors, Transition
from verification.explorer.trace_format import format_transition
from verification.world import invariants
from verification.world.world import EPOCH

MAX_RECOVERY_ROUNDS = 8
"""How often recovery may step everything before it must have settled."""
MINUTE, DAY, WEEK = 60.0, 25 * 3600.0, 8 * 86400.0
"""In seconds; a day and a week with some slack."""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What a search found: the violations, and the shortest trace to the first violated state."""

    scenario: Scenario
    states: int
    depth: int
    seconds: float
    is_complete: bool
    violations: tuple[str, ...] = ()
    trace: tuple[str, ...] = ()


@dataclass(slots=True)
class Origin:
    """How a state was first reached: from which state, by which transition."""

    parent: int
    transition: Transition | None


def explore(scenario: Scenario, limit: int = 1_000_000) -> SearchResult:
    """Search every state of a scenario, or the first `limit`, or until a violation."""
    with sequential_lookups():
        return Search(scenario, limit).run()


class Search:
    """One search."""

    def __init__(self, scenario: Scenario, limit: int) -> None:
        self._scenario = scenario
        self._limit = limit
        self._space = StateSpace(Processor(rules=scenario.rules))
        self._successors = Successors(scenario, self._space)
        self._origins: list[Origin] = []
        self._states: list[State] = []
        self._known: dict[State, int] = {}
        self._settled: dict[tuple[int, int, float], tuple[str, ...]] = {}

    def run(self) -> SearchResult:
        """Breadth first, so that the first violated state is the nearest."""
        began = time.perf_counter()
        self._reach(self._successors.first(), -1, None)
        frontier_ends, depth, place = 1, 0, 0
        violations: tuple[str, ...] = ()
        trace: tuple[str, ...] = ()
        while place < len(self._states) and len(self._states) <= self._limit:
            if place == frontier_ends:
                frontier_ends, depth = len(self._states), depth + 1
            violations, trace = self._expand(place)
            if violations:
                break
            place += 1
        return SearchResult(
            self._scenario,
            states=len(self._states),
            depth=depth,
            seconds=time.perf_counter() - began,
            is_complete=place == len(self._states),
            violations=violations,
            trace=trace,
        )

    def _expand(self, place: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Check a state and its transitions; the violations, and the trace to them."""
        state = self._states[place]
        if unsettled := self._liveness(state):
            return unsettled, self._trace(place, None)
        for transition in self._successors.of(state):
            if transition.violations:
                return transition.violations, self._trace(place, transition)
            if transition.after not in self._known:
                self._reach(transition.after, place, transition)
        return (), ()

    def _reach(self, state: State, parent: int, transition: Transition | None) -> None:
        self._known[state] = len(self._states)
        self._states.append(state)
        self._origins.append(Origin(parent, transition))

    def _trace(self, place: int, last: Transition | None) -> tuple[str, ...]:
        transitions = [last] if last else []
        while place >= 0:
            origin = self._origins[place]
            if origin.transition:
                transitions.append(origin.transition)
            place = origin.parent
        return tuple(format_transition(self._space, each) for each in reversed(transitions))

    # ------------------------------------------------------------------ liveness

    def _liveness(self, state: State) -> tuple[str, ...]:
        """What recovery alone does not bring to its end, in sentences."""
        key = (state.rows, state.processor, state.now)
        if key not in self._settled:
            self._settled[key] = tuple(self._recover(state))
        return self._settled[key]

    def _recover(self, state: State) -> Iterator[str]:
        """Let recovery work alone: at once; a day later, for a refund whose key replays a 500; a week
        later, when every deadline of a payer or merchant has passed.
        """
        alone = state._replace(
            threads=(), in_flight=(), faults=0, payer_actions=(), time_jumps=(), unstarted=()
        )
        left: tuple[str, ...] = ()
        violations: tuple[str, ...] = ()
        for wait in (0.0, DAY, WEEK):
            if (wait == DAY and not left) or (wait == WEEK and not self._has_deadline(alone)):
                continue
            alone = self._successors.later(alone, wait) if wait else alone
            alone, left, violations = self._rounds(alone)
            if violations or any("refunds" not in each for each in left):
                break
        yield from (*violations, *(f"recovery alone does not help: {each}" for each in left))

    def _rounds(self, state: State) -> tuple[State, tuple[str, ...], tuple[str, ...]]:
        """Step everything some times, a minute apart; what is not settled then, and the violations."""
        for _ in range(MAX_RECOVERY_ROUNDS):
            now = EPOCH + timedelta(seconds=state.now)
            left = tuple(invariants.quiescence(self._space.records(state), now))
            if not left:
                break
            for program in self._due(state):
                state, violations = self._run_alone(state, program)
                if violations:
                    return state, left, violations
            state = self._successors.later(state, MINUTE)
        return state, left, ()

    def _has_deadline(self, state: State) -> bool:
        rows = self._space.rows.values[state.rows]
        return any(row.state in invariants.DEADLINES for row in rows.payments)

    def _due(self, state: State) -> Iterator[Program]:
        rows = self._space.rows.values[state.rows]
        yield from (StepPayment(row.id) for row in rows.payments if not row.is_settled)
        yield from (
            StepRefund(row.payment_id, row.id)
            for row in rows.refunds
            if row.state is RefundState.PENDING
        )

    def _run_alone(self, state: State, program: Program) -> tuple[State, tuple[str, ...]]:
        """Run a program to its end, with no other thread."""
        transition = next(self._successors.start(state, program))
        while transition.after.threads and not transition.violations:
            (node,) = transition.after.threads
            number = self._space.call_of(node)
            transition = next(self._successors.call(transition.after, node, number))
        return transition.after, transition.violations


@contextmanager
def sequential_lookups() -> Iterator[None]:
    """Make the two look-ups of a creation one after the other: there is no event loop here. The second
    of them, Customer's, is answered locally, so no order of the two is lost.
    """
    concurrent = create_payment.both

    async def sequential(first: Any, second: Any) -> tuple[Any, Any]:
        try:
            return await first, await second
        finally:
            second.close()  # where the first look-up ended the thread

    create_payment.both = sequential
    try:
        yield
    finally:
        create_payment.both = concurrent
