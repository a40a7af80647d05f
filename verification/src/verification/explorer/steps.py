"""Every step that can follow from a state: of a thread, of the network, of people, of time."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, NamedTuple

from payment.domain.evidence import Rejection, ServerError
from payment.domain.payment import Payment
from payment.domain.refund import RefundState
from payment.service_layer.ports import CommitUnknown
from sandbox.actions import Authenticate, CancelIntent, ConfirmIntent, PassTime, Request
from sandbox.objects import Status
from sandbox.transition import transition
from verification.explorer.judging import Judge
from verification.explorer.programs import Create, Program, Step, StepRefund
from verification.explorer.scenarios import Scenario
from verification.explorer.states import AWAY, Done, OnItsWay, State, Worlds
from verification.processor import intent_of
from verification.world.calls import Call, Fate, mishaps, silence
from verification.world.world import BEGINNING, waits_for

REFUND_TIME_OUT = 20.0
"""Seconds after which a refund's POST has no effect any more (assumption Z)."""
A_DAY = 24 * 3600.0


class Move(NamedTuple):
    """A step: what it was, the state after it, and what it broke, in sentences. `answer` is the
    number of the answer; of the call, where nobody waited for one.
    """

    what: str
    node: int
    fate: Fate | None
    answer: int
    after: State
    broken: tuple[str, ...]


class Steps:
    """The steps of one scenario."""

    def __init__(self, scenario: Scenario, worlds: Worlds) -> None:
        self._scenario = scenario
        self._worlds = worlds
        self._judge = Judge(scenario, worlds)

    def first(self) -> State:
        """Nothing has happened."""
        kept, processor = self._worlds.first
        asked = self._scenario
        waiting = tuple(range(len(asked.programs)))
        return State(kept, processor, 0, (), (), asked.faults, asked.moves, asked.jumps, waiting)

    def after(self, state: State) -> Iterator[Move]:
        """All of them."""
        for node in dict.fromkeys(state.threads):
            yield from self._of_thread(state, node)
        for place in dict.fromkeys(state.network):
            yield from self._arrival(state, place)
        if len(state.threads) < self._scenario.threads:
            yield from self._starts(state)
        for move in state.moves:
            yield from self._of_people(state, move)
        yield from self._sweep(state)
        for jump in dict.fromkeys(state.jumps):
            yield self._jump(state, jump)

    # ------------------------------------------------------------------ a thread's next call

    def _of_thread(self, state: State, node: int) -> Iterator[Move]:
        if node < 0:
            yield self._answered(state, node)
            return
        number = self._worlds.call_of(node)
        call = self._worlds.calls.values[number]
        if self._has_to_wait(state, call):
            return
        yield from self.done(state, node, number)
        if not state.faults:
            return
        left = state._replace(faults=state.faults - 1)
        yield self._crash(left, node)
        for fate in mishaps(call):
            yield from self._mishap(left, node, number, fate)
        if str(call) in self._scenario.slow:
            done = self._worlds.do(state, number)
            threads = (*without(state.threads, node), self._worlds.awaiting(node, done.answer))
            after = left._replace(
                kept=done.kept, processor=done.processor, threads=tuple(sorted(threads))
            )
            yield Move("calls, and waits", node, Fate.SLOW, done.answer, after, ())
        if str(call) == CREATE:
            for odd in self._scenario.odd_replies:
                yield from self._odd_reply(left, node, odd)

    def _answered(self, state: State, place: int) -> Move:
        """What was done is answered at last."""
        slow = self._worlds.awaited(place)
        left = state._replace(threads=without(state.threads, place))
        done = Done(state.kept, state.processor, slow.answer)
        return self._resumed(left, done, slow.node, Fate.SLOW, is_new=True)

    def _has_to_wait(self, state: State, call: Call) -> bool:
        """For an insert whose commit hangs."""
        if not state.network:
            return False
        now = BEGINNING + timedelta(seconds=state.now)
        on_their_way = (self._worlds.network.values[place] for place in state.network)
        return any(
            fate is Fate.HANGS and waits_for(call, self._worlds.calls.values[hung], now)
            for hung, fate, _ in on_their_way
        )

    def done(self, state: State, node: int, number: int) -> Iterator[Move]:
        began = self._worlds.threads.nodes[node].path[0].now
        broken = self._judge.tries(state, number, began)
        done = self._worlds.do(state, number)
        leaves = self._scenario.callers_leave and str(self._worlds.calls.values[number]) == CREATE
        for gone in (False, True) if leaves else (False,):
            yield self._resumed(state, done, node, Fate.DONE, gone=gone, broken=broken)

    def _crash(self, state: State, node: int) -> Move:
        """The replica dies; nobody hears of it."""
        after = state._replace(threads=without(state.threads, node))
        return Move("crash", node, None, -1, after, ())

    def _mishap(self, state: State, node: int, number: int, fate: Fate) -> Iterator[Move]:
        call = self._worlds.calls.values[number]
        if fate is Fate.FAULTED_LATE and not self._scenario.late_500:
            return
        if call.port != "processor" and (call.name != "insert" and fate is not Fate.LATE):
            return  # it ends the thread: a crash, before or after the call
        broken: tuple[str, ...] = ()
        done = Done(state.kept, state.processor, 0)
        if fate in (Fate.LOST, *ANSWERED):
            broken = self._judge.tries(state, number)
            done = self._worlds.do(state, number, WORKED_OUT.get(fate, fate))
        if fate in ANSWERED and (
            done.processor == state.processor  # an answer that its key had before
            or not isinstance(self._worlds.values.values[done.answer], ANSWERED[fate])  # a replay
        ):
            return
        if fate is Fate.HANGS and self._worlds.do(state, number).kept == state.kept:
            return  # nothing to commit
        network = state.network
        if fate in (Fate.LATE, Fate.HANGS, Fate.FAULTED_LATE):
            place = self._worlds.network.number(OnItsWay(number, fate, state.now))
            network = tuple(sorted((*network, place)))
        if fate not in ANSWERED:
            done = done._replace(answer=self._worlds.values.number(unanswered(call)))
        yield self._resumed(state, done, node, fate, network=network, broken=broken)

    def _odd_reply(self, state: State, node: int, odd: str) -> Iterator[Move]:
        """A creation answered with a refusal that is this attempt's alone, or with the intent of
        another.
        """
        replies: list[Any] = [Rejection("resource_missing", "payment_method")]
        if odd == "another's intent":
            intents = self._worlds.processors.values[state.processor].intents
            replies = [intent_of(intent) for intent in intents]
        for reply in replies:
            done = Done(state.kept, state.processor, self._worlds.values.number(reply))
            yield self._resumed(state, done, node, Fate.NEVER)

    def _resumed(
        self,
        state: State,
        done: Done,
        node: int,
        fate: Fate,
        *,
        gone: bool = False,
        broken: tuple[str, ...] = (),
        is_new: bool = False,
        network: tuple[int, ...] | None = None,
    ) -> Move:
        """A thread goes on with its answer, up to its next call or its end."""
        answer = self._worlds.answer(done.answer, state.now, caller_gone=gone)
        child = self._worlds.threads.after(node, answer)
        reached = self._worlds.threads.nodes[child]
        threads = state.threads if is_new else without(state.threads, node)
        if reached.call is not None:
            threads = tuple(sorted((*threads, child)))
        else:
            last = self._worlds.threads.nodes[node].call
            broken += tuple(self._judge.told(done.kept, reached, last))
        broken += tuple(
            f"the alarm {alarm.name} was raised: {alarm.words}"
            for alarm in reached.alarms
            if alarm.name not in self._scenario.alarms
        )
        after = state._replace(
            kept=done.kept,
            processor=done.processor,
            threads=threads,
            network=state.network if network is None else network,
        )
        what = "calls" if fate is Fate.DONE and not gone else "calls, and its caller leaves"
        what = what if fate is Fate.DONE else "calls in vain"
        broken += self._judge.unsound(state, after)
        return Move(what, node, fate, done.answer, after, broken)

    # ------------------------------------------------------------------ everything else

    def _arrival(self, state: State, place: int) -> Iterator[Move]:
        number, fate, sent = self._worlds.network.values[place]
        left = state._replace(network=without(state.network, place))
        if fate is Fate.HANGS:
            yield Move("a hanging commit is rolled back", -1, fate, number, left, ())
        if self._has_to_wait(left, self._worlds.calls.values[number]):
            return
        broken = self._judge.tries(state, number) if fate is Fate.LATE else ()
        when = left._replace(now=sent) if fate is Fate.HANGS else left
        kept, processor, _ = self._worlds.do(when, number, late=fate is not Fate.LATE)
        after = left._replace(kept=kept, processor=processor)
        yield Move(
            "arrives late", -1, fate, number, after, broken + self._judge.unsound(state, after)
        )

    def _starts(self, state: State) -> Iterator[Move]:
        rows = self._worlds.kept.values[state.kept]
        for place in state.waiting:
            left = state._replace(waiting=without(state.waiting, place))
            asked = self._scenario.programs[place]
            if isinstance(asked, Create):
                if not self._was_sent_before(asked, left):
                    yield from self.started(left, asked)
                continue
            for payment in rows.payments:
                yield from self.started(left, on(asked, payment))
        for payment in rows.payments:
            if not payment.is_settled:
                yield from self.started(state, Step(payment.id))
        for refund in rows.refunds:
            if refund.state is not RefundState.FAILED:
                sleeps = self._scenario.claims_sleep
                yield from self.started(state, StepRefund(refund.payment_id, refund.id, sleeps))

    def _was_sent_before(self, asked: Create, state: State) -> bool:
        """Whether the same request waits with a lower number: which of the two goes first makes no
        difference but in their ids.
        """
        waiting = (self._scenario.programs[place] for place in state.waiting)
        return any(
            isinstance(one, Create) and one.request == asked.request and one.number < asked.number
            for one in waiting
        )

    def started(self, state: State, program: Program) -> Iterator[Move]:
        """A thread begins with its first call: before it, nobody can tell that it is there."""
        node = self._worlds.threads.root(program, state.now)
        number = self._worlds.call_of(node)
        if self._has_to_wait(state, self._worlds.calls.values[number]):
            return
        done = self._worlds.do(state, number)
        yield self._resumed(state, done, node, Fate.DONE, is_new=True)

    def _of_people(self, state: State, move: str) -> Iterator[Move]:
        """At the page of 3D Secure, or in the browser."""
        for intent in self._worlds.processors.values[state.processor].intents:
            action: Authenticate | ConfirmIntent
            if move == "other card" and intent.status is Status.REQUIRES_PAYMENT_METHOD:
                action = ConfirmIntent(intent.id, payment_method="pm_card_visa")
            elif move != "other card" and intent.status is Status.REQUIRES_ACTION:
                action = Authenticate(intent.id, approved=move == "approve")
            else:
                continue
            moves = list(state.moves)
            moves.remove(move)
            yield self._at_processor(
                state._replace(moves=tuple(moves)), f"the payer: {move}", action
            )

    def _sweep(self, state: State) -> Iterator[Move]:
        """Reconciliation cancels what was never confirmed, is bound to nothing, and is a day old."""
        books = self._worlds.books(state)
        now = self._worlds.world(state).unix() if state.now > A_DAY else 0
        for intent in books.intents:
            old = now and now - intent.created >= A_DAY
            if (
                old
                and intent.status is Status.REQUIRES_CONFIRMATION
                and not books.bound.get(intent.id)
            ):
                yield self._at_processor(state, "an orphan is swept", CancelIntent(intent.id))

    def _at_processor(self, state: State, what: str, action: Any) -> Move:
        """Somebody else than we asks the processor."""
        view = self._worlds.processors.values[state.processor]
        view, _ = transition(view, Request(action), self._worlds.world(state).unix())
        after = state._replace(processor=self._worlds.processors.number(view))
        return Move(what, -1, None, -1, after, self._judge.unsound(state, after))

    def _jump(self, state: State, jump: float) -> Move:
        """Time passes for all. What was refunded meanwhile had its time-out."""
        jumps = list(state.jumps)
        jumps.remove(jump)
        after = self.later(state, jump)._replace(jumps=tuple(jumps))
        what = f"{jump:.0f} s pass"
        return Move(what, -1, None, -1, after, self._judge.unsound(state, after))

    def later(self, state: State, jump: float) -> State:
        """The state once time has passed, and what was due by then is done."""
        moved = state._replace(now=state.now + jump)
        if jump > REFUND_TIME_OUT:
            moved = moved._replace(
                network=tuple(one for one in state.network if self._outlasts(one, jump)),
                threads=self._those_that_go_on(moved),
            )
        return self._at_processor(moved, "", PassTime()).after

    def _outlasts(self, place: int, jump: float) -> bool:
        """Whether a call may still arrive after so long: no refund (assumption Z), and no commit
        that has hung for most of a day (assumption Y).
        """
        number, fate, _ = self._worlds.network.values[place]
        if fate is Fate.HANGS:
            return jump < A_DAY
        return str(self._worlds.calls.values[number]) != REFUND

    def _those_that_go_on(self, state: State) -> tuple[int, ...]:
        """The threads, those that were posting a refund with their time-out."""
        threads = self._worlds.threads
        nodes: list[int] = []
        for node in state.threads:
            if node < 0:
                nodes.append(node)
                continue
            call = self._worlds.calls.values[self._worlds.call_of(node)]
            is_refund = str(call) == REFUND
            later = node
            if is_refund:
                silent = self._worlds.values.number(silence(call))
                later = threads.after(node, self._worlds.answer(silent, state.now))
            if threads.nodes[later].call is not None:
                nodes.append(later)
        return tuple(sorted(nodes))


CREATE, REFUND = "processor.create", "processor.refund"
FAULTS = (Fate.FAULTED, Fate.FAULTED_AFTER, Fate.FAULTED_LATE)
ANSWERED = dict.fromkeys(FAULTS, ServerError) | {Fate.REFUSED: Rejection}
WORKED_OUT = {Fate.LOST: Fate.DONE}


def unanswered(call: Call) -> Any:
    """What the thread gets where no answer came: a value, or an error as one."""
    try:
        return silence(call)
    except CommitUnknown:
        return NO_OUTCOME
    except ConnectionError:
        return AWAY


NO_OUTCOME = CommitUnknown()


def without(sorted_numbers: tuple[int, ...], one: int) -> tuple[int, ...]:
    """The rest of them."""
    place = sorted_numbers.index(one)
    return sorted_numbers[:place] + sorted_numbers[place + 1 :]


def on(program: Any, payment: Payment) -> Any:
    """A program, on this payment."""
    return replace(program, payment_id=payment.id)
