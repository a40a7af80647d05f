"""Every transition that can follow from a state: of a thread, the network, people, time."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, NamedTuple

from payment.domain.evidence import Rejection, ServerError
from payment.domain.refund import RefundState
from payment.domain.values import RequestPart
from payment.service_layer.ports import CommitUnknown
from sandbox.actions import Authenticate, CancelIntent, ConfirmIntent, PassTime, Request
from sandbox.objects import Status
from sandbox.transition import transition
from verification.explorer.checks import Checks
from verification.explorer.programs import Create, Program, StepPayment, StepRefund
from verification.explorer.scenarios import Scenario
from verification.explorer.state_space import (
    DATABASE_UNAVAILABLE,
    Effect,
    InFlight,
    State,
    StateSpace,
)
from verification.processor import intent_of
from verification.world.calls import Call, without_reply
from verification.world.faults import CallFault, possible_faults
from verification.world.use_cases import OVERDUE_ALERTS
from verification.world.world import EPOCH, is_blocked_by

REFUND_TIMEOUT_SECONDS = 20.0
"""After this a refund's POST has no effect any more (assumption Z)."""
DAY_SECONDS = 24 * 3600.0
CREATE, REFUND = "processor.create", "processor.refund"
SERVER_ERRORS = (
    CallFault.SERVER_ERROR,
    CallFault.SERVER_ERROR_AFTER_EFFECT,
    CallFault.SERVER_ERROR_BEFORE_EFFECT,
)
ANSWERED_FAULTS = dict.fromkeys(SERVER_ERRORS, ServerError) | {CallFault.REJECTED: Rejection}
"""The faults with a reply, and the reply."""
LATE_FAULTS = (
    CallFault.REQUEST_DELAYED,
    CallFault.COMMIT_HANGS,
    CallFault.SERVER_ERROR_BEFORE_EFFECT,
)
"""The faults after which something may still arrive."""
COMMIT_UNKNOWN = CommitUnknown()


class Transition(NamedTuple):
    """What happened, the state after it, and the violations. `value` is the number of the value that a
    thread got; where no thread got one, the number of the call.
    """

    event: str
    node: int
    fault: CallFault | None
    value: int
    after: State
    violations: tuple[str, ...]


class Successors:
    """The transitions of one scenario."""

    def __init__(self, scenario: Scenario, space: StateSpace) -> None:
        self._scenario = scenario
        self._space = space
        self._checks = Checks(scenario, space)

    def first(self) -> State:
        """The state in which nothing has happened."""
        rows, processor = self._space.first
        return State(
            rows=rows,
            processor=processor,
            now=0,
            threads=(),
            in_flight=(),
            faults=self._scenario.faults,
            payer_actions=self._scenario.payer_actions,
            time_jumps=self._scenario.time_jumps,
            unstarted=tuple(range(len(self._scenario.programs))),
        )

    def of(self, state: State) -> Iterator[Transition]:
        """All transitions from a state."""
        for node in dict.fromkeys(state.threads):
            yield from self._of_thread(state, node)
        for place in dict.fromkeys(state.in_flight):
            yield from self._arrival(state, place)
        if len(state.threads) < self._scenario.threads:
            yield from self._starts(state)
        for action in state.payer_actions:
            yield from self._payer(state, action)
        yield from self._orphans(state)
        for jump in dict.fromkeys(state.time_jumps):
            yield self._time_jump(state, jump)

    # ------------------------------------------------------------------ a thread's next call

    def _of_thread(self, state: State, node: int) -> Iterator[Transition]:
        if node < 0:
            yield self._delayed_reply(state, node)
            return
        number = self._space.call_of(node)
        call = self._space.calls.values[number]
        if self._is_blocked(state, call):
            return
        yield from self.call(state, node, number)
        if not state.faults:
            return
        left = state._replace(faults=state.faults - 1)
        yield self._crash(left, node)
        for fault in possible_faults(call):
            yield from self._fault(left, node, number, fault)
        if str(call) in self._scenario.delayed_replies:
            effect = self._space.perform(state, number)
            place = self._space.delay_reply(node, effect.value)
            after = left._replace(
                rows=effect.rows,
                processor=effect.processor,
                threads=tuple(sorted((*without(state.threads, node), place))),
            )
            fault = CallFault.REPLY_DELAYED
            yield Transition("waits for the reply", node, fault, effect.value, after, ())
        if str(call) == CREATE:
            for kind in self._scenario.wrong_replies:
                yield from self._wrong_reply(left, node, kind)

    def _delayed_reply(self, state: State, place: int) -> Transition:
        """The reply of a call that is done arrives."""
        delayed = self._space.delayed(place)
        left = state._replace(threads=without(state.threads, place))
        effect = Effect(state.rows, state.processor, delayed.value)
        return self._resumed(left, effect, delayed.node, CallFault.REPLY_DELAYED, is_new=True)

    def _is_blocked(self, state: State, call: Call) -> bool:
        """Whether a call waits for an insert whose commit hangs."""
        if not state.in_flight:
            return False
        now = EPOCH + timedelta(seconds=state.now)
        in_flight = (self._space.in_flight.values[place] for place in state.in_flight)
        return any(
            fault is CallFault.COMMIT_HANGS
            and is_blocked_by(call, self._space.calls.values[hung], now)
            for hung, fault, _ in in_flight
        )

    def call(self, state: State, node: int, number: int) -> Iterator[Transition]:
        """A thread makes its call, without a fault."""
        started = self._space.threads.nodes[node].results[0].now
        violations = self._checks.confirmation(state, number, started)
        effect = self._space.perform(state, number)
        is_create = str(self._space.calls.values[number]) == CREATE
        disconnects = self._scenario.callers_disconnect and is_create
        for gone in (False, True) if disconnects else (False,):
            yield self._resumed(
                state, effect, node, CallFault.NONE, caller_gone=gone, violations=violations
            )

    def _crash(self, state: State, node: int) -> Transition:
        """The thread's replica crashes."""
        after = state._replace(threads=without(state.threads, node))
        return Transition("crash", node, None, -1, after, ())

    def _fault(
        self, state: State, node: int, number: int, fault: CallFault
    ) -> Iterator[Transition]:
        call = self._space.calls.values[number]
        if fault is CallFault.SERVER_ERROR_BEFORE_EFFECT and not self._scenario.late_effects_of_500:
            return
        ends_thread = call.port != "processor" and call.name != "insert"
        if ends_thread and fault is not CallFault.REQUEST_DELAYED:
            return  # like a crash, before or after the call
        violations: tuple[str, ...] = ()
        effect = Effect(state.rows, state.processor, 0)
        if fault is CallFault.REPLY_LOST or fault in ANSWERED_FAULTS:
            violations = self._checks.confirmation(state, number)
            injected = CallFault.NONE if fault is CallFault.REPLY_LOST else fault
            effect = self._space.perform(state, number, injected)
        if fault in ANSWERED_FAULTS and self._is_replay(state, effect, fault):
            return
        if (
            fault is CallFault.COMMIT_HANGS
            and self._space.perform(state, number).rows == state.rows
        ):
            return  # nothing to commit
        in_flight = state.in_flight
        if fault in LATE_FAULTS:
            place = self._space.in_flight.number(InFlight(number, fault, state.now))
            in_flight = tuple(sorted((*in_flight, place)))
        if fault not in ANSWERED_FAULTS:
            effect = effect._replace(value=self._space.values.number(unanswered(call)))
        yield self._resumed(state, effect, node, fault, in_flight=in_flight, violations=violations)

    def _is_replay(self, state: State, effect: Effect, fault: CallFault) -> bool:
        """Whether the reply is one that the idempotency key had before."""
        reply = self._space.values.values[effect.value]
        return effect.processor == state.processor or not isinstance(reply, ANSWERED_FAULTS[fault])

    def _wrong_reply(self, state: State, node: int, kind: str) -> Iterator[Transition]:
        """A creation is answered with a rejection of this attempt alone, or with another intent."""
        replies: list[Any] = [Rejection("resource_missing", RequestPart.PAYMENT_METHOD)]
        if kind == "another intent":
            intents = self._space.processors.values[state.processor].intents
            replies = [intent_of(intent) for intent in intents]
        for reply in replies:
            effect = Effect(state.rows, state.processor, self._space.values.number(reply))
            yield self._resumed(state, effect, node, CallFault.REQUEST_LOST)

    def _resumed(
        self,
        state: State,
        effect: Effect,
        node: int,
        fault: CallFault,
        *,
        caller_gone: bool = False,
        violations: tuple[str, ...] = (),
        is_new: bool = False,
        in_flight: tuple[int, ...] | None = None,
    ) -> Transition:
        """A thread goes on with its result, up to its next call or its end."""
        result = self._space.result(effect.value, state.now, caller_gone=caller_gone)
        child = self._space.threads.after(node, result)
        reached = self._space.threads.nodes[child]
        threads = state.threads if is_new else without(state.threads, node)
        if reached.call is not None:
            threads = tuple(sorted((*threads, child)))
        else:
            last = self._space.threads.nodes[node].call
            violations += tuple(self._checks.response(effect.rows, reached, last))
        violations += tuple(
            f"the alert {raised.alert.value} was raised: {raised.words}"
            for raised in reached.alerts
            if raised.alert not in self._scenario.alerts | OVERDUE_ALERTS
        )
        after = state._replace(
            rows=effect.rows,
            processor=effect.processor,
            threads=threads,
            in_flight=state.in_flight if in_flight is None else in_flight,
        )
        violations += self._checks.records(state, after)
        event = "its caller disconnects" if caller_gone else ""
        return Transition(event, node, fault, effect.value, after, violations)

    # ------------------------------------------------------------------ everything else

    def _arrival(self, state: State, place: int) -> Iterator[Transition]:
        """A call arrives that no thread waits for; a commit that hangs ends."""
        number, fault, sent = self._space.in_flight.values[place]
        left = state._replace(in_flight=without(state.in_flight, place))
        hung = fault is CallFault.COMMIT_HANGS
        if hung:
            yield Transition("the hanging commit is rolled back", -1, fault, number, left, ())
        if self._is_blocked(left, self._space.calls.values[number]):
            return
        delayed = fault is CallFault.REQUEST_DELAYED
        violations = self._checks.confirmation(state, number) if delayed else ()
        began = left._replace(now=sent) if hung else left
        rows, processor, _ = self._space.perform(began, number, late=not delayed)
        after = left._replace(rows=rows, processor=processor)
        violations += self._checks.records(state, after)
        yield Transition("arrives late", -1, fault, number, after, violations)

    def _starts(self, state: State) -> Iterator[Transition]:
        rows = self._space.rows.values[state.rows]
        for place in state.unstarted:
            left = state._replace(unstarted=without(state.unstarted, place))
            program = self._scenario.programs[place]
            if isinstance(program, Create):
                if not self._has_lower_copy(program, left):
                    yield from self.start(left, program)
                continue
            for payment in rows.payments:
                yield from self.start(left, replace(program, payment_id=payment.id))
        for payment in rows.payments:
            if not payment.is_settled:
                yield from self.start(state, StepPayment(payment.id))
        for refund in rows.refunds:
            if refund.state is not RefundState.FAILED:
                pauses = self._scenario.pauses_after_claim
                yield from self.start(state, StepRefund(refund.payment_id, refund.id, pauses))

    def _has_lower_copy(self, program: Create, state: State) -> bool:
        """Whether the same request is unstarted with a lower number: which of the two starts first
        changes nothing but their ids.
        """
        unstarted = (self._scenario.programs[place] for place in state.unstarted)
        return any(
            isinstance(other, Create)
            and other.request == program.request
            and other.number < program.number
            for other in unstarted
        )

    def start(self, state: State, program: Program) -> Iterator[Transition]:
        """A thread begins with its first call: before it, no other thread can see it."""
        node = self._space.threads.root(program, state.now)
        number = self._space.call_of(node)
        if self._is_blocked(state, self._space.calls.values[number]):
            return
        effect = self._space.perform(state, number)
        yield self._resumed(state, effect, node, CallFault.NONE, is_new=True)

    def _payer(self, state: State, name: str) -> Iterator[Transition]:
        """A payer acts at the page of 3D Secure, or tries another card in the browser."""
        for intent in self._space.processors.values[state.processor].intents:
            action: Authenticate | ConfirmIntent
            if name == "other card" and intent.status is Status.REQUIRES_PAYMENT_METHOD:
                action = ConfirmIntent(intent.id, payment_method="pm_card_visa")
            elif name != "other card" and intent.status is Status.REQUIRES_ACTION:
                action = Authenticate(intent.id, approved=name == "approve")
            else:
                continue
            actions = list(state.payer_actions)
            actions.remove(name)
            left = state._replace(payer_actions=tuple(actions))
            yield self._at_processor(left, f"the payer: {name}", action)

    def _orphans(self, state: State) -> Iterator[Transition]:
        """Reconciliation cancels an orphan."""
        if state.now <= DAY_SECONDS:
            return
        for intent in self._space.records(state).orphans(self._space.world(state).unix()):
            yield self._at_processor(state, "an orphan is canceled", CancelIntent(intent.id))

    def _at_processor(self, state: State, event: str, action: Any) -> Transition:
        """Someone other than a replica acts at the processor."""
        view = self._space.processors.values[state.processor]
        view, _ = transition(view, Request(action), self._space.world(state).unix())
        after = state._replace(processor=self._space.processors.number(view))
        return Transition(event, -1, None, -1, after, self._checks.records(state, after))

    def _time_jump(self, state: State, seconds: float) -> Transition:
        """Time passes for everybody."""
        jumps = list(state.time_jumps)
        jumps.remove(seconds)
        after = self.later(state, seconds)._replace(time_jumps=tuple(jumps))
        violations = self._checks.records(state, after)
        return Transition(f"{seconds:.0f} s pass", -1, None, -1, after, violations)

    def later(self, state: State, seconds: float) -> State:
        """The state once time has passed, and the processor has done what was due by then."""
        moved = state._replace(now=state.now + seconds)
        if seconds > REFUND_TIMEOUT_SECONDS:
            moved = moved._replace(
                in_flight=tuple(each for each in state.in_flight if self._outlasts(each, seconds)),
                threads=self._after_refund_timeout(moved),
            )
        return self._at_processor(moved, "", PassTime()).after

    def _outlasts(self, place: int, seconds: float) -> bool:
        """Whether a call may still arrive after so long: no refund (assumption Z), and no commit that
        has hung for most of a day (assumption Y).
        """
        number, fault, _ = self._space.in_flight.values[place]
        if fault is CallFault.COMMIT_HANGS:
            return seconds < DAY_SECONDS
        return str(self._space.calls.values[number]) != REFUND

    def _after_refund_timeout(self, state: State) -> tuple[int, ...]:
        """The threads, those that were posting a refund with their time-out."""
        tree = self._space.threads
        nodes: list[int] = []
        for node in state.threads:
            if node < 0:
                nodes.append(node)
                continue
            call = self._space.calls.values[self._space.call_of(node)]
            later = node
            if str(call) == REFUND:
                no_reply = self._space.values.number(without_reply(call))
                later = tree.after(node, self._space.result(no_reply, state.now))
            if tree.nodes[later].call is not None:
                nodes.append(later)
        return tuple(sorted(nodes))


def unanswered(call: Call) -> Any:
    """What a thread gets where no reply came: a value, or an error as a value."""
    try:
        return without_reply(call)
    except CommitUnknown:
        return COMMIT_UNKNOWN
    except ConnectionError:
        return DATABASE_UNAVAILABLE


def without(numbers: tuple[int, ...], number: int) -> tuple[int, ...]:
    """Numbers without one of them."""
    place = numbers.index(number)
    return numbers[:place] + numbers[place + 1 :]
