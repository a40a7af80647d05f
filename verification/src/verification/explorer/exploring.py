"""Breadth first through a scenario: safety in every state, liveness from every state.

Liveness is the strong kind: from any state that was reached, with every thread stopped for ever and
nothing more going wrong, recovery alone brings every payment to rest.
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
from verification.explorer.programs import Program, Step, StepRefund
from verification.explorer.scenarios import Scenario
from verification.explorer.states import State, Worlds
from verification.explorer.steps import Move, Steps
from verification.world import invariants
from verification.world.world import BEGINNING

ROUNDS = 8
"""How often recovery looks at everything before it must rest."""
A_MINUTE, A_DAY, A_WEEK = 60.0, 25 * 3600.0, 8 * 86400.0


@dataclass(frozen=True, slots=True)
class Explored:
    """What was found. `broken`: the sentences, and the shortest way to the first broken state."""

    scenario: Scenario
    states: int
    depth: int
    seconds: float
    is_whole: bool
    broken: tuple[str, ...] = ()
    way: tuple[str, ...] = ()


@dataclass(slots=True)
class Way:
    """How a state was first reached: from which one, by which move."""

    parent: int
    move: Move | None


def explore(scenario: Scenario, limit: int = 1_000_000) -> Explored:
    """Every state of a scenario, or the first `limit`, or until a rule is broken."""
    with one_after_the_other():
        return Exploration(scenario, limit).run()


class Exploration:
    """One search."""

    def __init__(self, scenario: Scenario, limit: int) -> None:
        self._scenario = scenario
        self._limit = limit
        self.worlds = Worlds(Processor(rules=scenario.rules))
        self._steps = Steps(scenario, self.worlds)
        self._ways: list[Way] = []
        self._states: list[State] = []
        self._known: dict[State, int] = {}
        self._rested: dict[tuple[int, int, float], tuple[str, ...]] = {}

    def run(self) -> Explored:
        """Breadth first, so that the first broken state is the nearest."""
        began = time.perf_counter()
        self._reach(self._steps.first(), -1, None)
        frontier_ends, depth, place = 1, 0, 0
        while place < len(self._states) and len(self._states) <= self._limit:
            if place == frontier_ends:
                frontier_ends, depth = len(self._states), depth + 1
            broken, way = self._look_from(place)
            if broken:
                return self._result(began, depth, broken, way, is_whole=False)
            place += 1
        return self._result(began, depth, (), (), is_whole=place == len(self._states))

    def _look_from(self, place: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
        state = self._states[place]
        if restless := self._restless(state):
            return restless, self._way(place, None)
        for move in self._steps.after(state):
            if move.broken:
                return move.broken, self._way(place, move)
            if move.after not in self._known:
                self._reach(move.after, place, move)
        return (), ()

    def _reach(self, state: State, parent: int, move: Move | None) -> None:
        self._known[state] = len(self._states)
        self._states.append(state)
        self._ways.append(Way(parent, move))

    def _way(self, place: int, last: Move | None) -> tuple[str, ...]:
        from verification.explorer.telling import told

        moves = [last] if last else []
        while place >= 0:
            way = self._ways[place]
            if way.move:
                moves.append(way.move)
            place = way.parent
        return tuple(told(self.worlds, move) for move in reversed(moves))

    def _result(
        self,
        began: float,
        depth: int,
        broken: tuple[str, ...],
        way: tuple[str, ...],
        *,
        is_whole: bool,
    ) -> Explored:
        seconds = time.perf_counter() - began
        count = len(self._states)
        return Explored(self._scenario, count, depth, seconds, is_whole, broken, way)

    # ------------------------------------------------------------------ liveness

    def _restless(self, state: State) -> tuple[str, ...]:
        """What does not come to rest by recovery alone, in sentences."""
        where = (state.kept, state.processor, state.now)
        if where not in self._rested:
            self._rested[where] = tuple(self._recover(state))
        return self._rested[where]

    def _recover(self, state: State) -> Iterator[str]:
        """Recovery alone: at first; a day later, for a refund whose key keeps a 500; a week later,
        when whatever waited for people is over.
        """
        alone = state._replace(threads=(), network=(), faults=0, moves=(), jumps=(), waiting=())
        left: tuple[str, ...] = ()
        broken: tuple[str, ...] = ()
        for wait in (0.0, A_DAY, A_WEEK):
            if (wait == A_DAY and not left) or (wait == A_WEEK and not self._waits(alone)):
                continue
            alone = self._steps.later(alone, wait) if wait else alone
            alone, left, broken = self._rounds(alone)
            if broken or any("refunds" not in one for one in left):
                break
        yield from (*broken, *(f"recovery alone does not help: {one}" for one in left))

    def _rounds(self, state: State) -> tuple[State, tuple[str, ...], tuple[str, ...]]:
        """Some looks at everything, a minute apart; what is not at rest then, and what broke."""
        for _ in range(ROUNDS):
            now = BEGINNING + timedelta(seconds=state.now)
            left = tuple(invariants.at_rest(self.worlds.books(state), now))
            if not left:
                break
            for program in self._due(state):
                state, broken = self._alone(state, program)
                if broken:
                    return state, left, broken
            state = self._steps.later(state, A_MINUTE)
        return state, left, ()

    def _waits(self, state: State) -> bool:
        rows = self.worlds.kept.values[state.kept]
        return any(row.state in invariants.WAITS_UNTIL for row in rows.payments)

    def _due(self, state: State) -> Iterator[Program]:
        rows = self.worlds.kept.values[state.kept]
        yield from (Step(row.id) for row in rows.payments if not row.is_settled)
        yield from (
            StepRefund(row.payment_id, row.id)
            for row in rows.refunds
            if row.state is RefundState.PENDING
        )

    def _alone(self, state: State, program: Program) -> tuple[State, tuple[str, ...]]:
        """Run a program to its end, with nobody else there."""
        move = next(self._steps.started(state, program))
        while move.after.threads and not move.broken:
            (node,) = move.after.threads
            move = next(self._steps.done(move.after, node, self.worlds.call_of(node)))
        return move.after, move.broken


@contextmanager
def one_after_the_other() -> Iterator[None]:
    """Two look-ups that a use case makes at once are made in turn: there is no event loop here, and
    the second of them, Customer's, is answered by nobody that anything else can reach.
    """
    at_once = create_payment.side_by_side

    async def in_turn(one: Any, other: Any) -> tuple[Any, Any]:
        try:
            return await one, await other
        finally:
            other.close()  # where the first one was the thread's end

    create_payment.side_by_side = in_turn
    try:
        yield
    finally:
        create_payment.side_by_side = at_once
