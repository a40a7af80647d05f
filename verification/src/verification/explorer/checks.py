"""What must hold of every transition: of the records of both sides, of responses, of the card."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from payment.domain.creation import Conflicts
from payment.domain.errors import (
    InvariantViolation,
    PaymentError,
    ReferenceTaken,
    RefusedByProcessor,
    RequestIdReused,
    WrongState,
)
from payment.domain.machine import Operation
from payment.domain.payment import Payment, State
from payment.domain.refund import Refund
from sandbox.objects import Status
from verification.explorer.coroutine_replay import Node
from verification.explorer.programs import Cancel, Create, Program
from verification.explorer.scenarios import Scenario
from verification.explorer.state_space import Rows, StateSpace
from verification.explorer.state_space import State as WorldState
from verification.world import invariants
from verification.world.calls import Call
from verification.world.use_cases import EXPECTED_ERRORS, UNKNOWN_OUTCOME
from verification.world.world import EPOCH, INSTALLATION

NO_PAYMENT_ERRORS = (RefusedByProcessor, ReferenceTaken, RequestIdReused)
"""Errors that are raised only where the request has no payment, at the moment of the last look at the
store: another attempt may be recorded later.
"""


class Checks:
    """Finds what a transition violates. Each violation is a sentence."""

    def __init__(self, scenario: Scenario, space: StateSpace) -> None:
        self._scenario = scenario
        self._space = space
        self._known: dict[tuple[int, int, int, int], tuple[str, ...]] = {}

    def records(self, before: WorldState, after: WorldState) -> tuple[str, ...]:
        """Violations by the records after a transition, and by the change to them."""
        key = (before.rows, before.processor, after.rows, after.processor)
        if key not in self._known:
            rows = self._space.rows.values
            changed = invariants.transition(rows[before.rows].payments, rows[after.rows].payments)
            self._known[key] = (*changed, *invariants.safety(self._space.records(after)))
        return self._known[key]

    def response(self, rows: int, ended: Node, last: Call | None) -> Iterator[str]:
        """Violations by what a caller is told, against the rows right after the thread's last call."""
        program, outcome = ended.program, ended.outcome
        stored = self._space.rows.values[rows]
        if ended.failed:
            yield from self._failure(program, outcome)
        if isinstance(program, Create):
            yield from self._creation(program, ended, stored, last)
        elif isinstance(outcome, PaymentError) and not isinstance(outcome, UNKNOWN_OUTCOME):
            yield from self._rejected_change(program, outcome, stored)
        if isinstance(outcome, Payment):
            yield from self._state(program, outcome, stored)
        if isinstance(outcome, Refund) and outcome.id not in {row.id for row in stored.refunds}:
            yield f"{program} returned a refund that does not exist"

    def _failure(self, program: Program, error: Any) -> Iterator[str]:
        is_allowed = "rule_broken" in self._scenario.alerts
        if isinstance(error, InvariantViolation) and is_allowed:
            return
        if isinstance(error, InvariantViolation) or not isinstance(error, EXPECTED_ERRORS):
            yield f"{program} ended with {error!r}"

    def _creation(
        self, program: Create, ended: Node, rows: Rows, last: Call | None
    ) -> Iterator[str]:
        """A request_id names its payment, and no definite error is raised beside it."""
        outcome = ended.outcome
        requested = program.request.request_id
        row = next((row for row in rows.payments if row.request.request_id == requested), None)
        if isinstance(outcome, Payment) and (row is None or row.id != outcome.id):
            yield f"{program} returned {outcome.name}, which its request_id does not name"
        exists = saw_own_payment(ended) or (row and not cancels_orphan(last))
        if isinstance(outcome, NO_PAYMENT_ERRORS) and exists:
            yield f"{program} raised {outcome!r}, and its payment exists"

    def _state(self, program: Program, returned: Payment, rows: Rows) -> Iterator[str]:
        """A final state that was returned is stored; a cancellation that worked charged nothing."""
        row = next((row for row in rows.payments if row.id == returned.id), None)
        if returned.state.is_final and (row is None or row.state is not returned.state):
            stored = row.state.value if row else "not stored"
            yield f"{program} returned {returned.state.value}, and the payment is {stored}"
        if isinstance(program, Cancel) and returned.state is State.SUCCEEDED:
            yield f"{program} succeeded, and the card is charged"

    def _rejected_change(self, program: Program, error: PaymentError, rows: Rows) -> Iterator[str]:
        """The request's own work is no reason to reject it."""
        own = getattr(program, "request_id", None)
        record = next((each for each in rows.requests if each.request_id == own), None)
        too_late = isinstance(error, WrongState) and State.SUCCEEDED.value in str(error)
        if record is not None and not (isinstance(program, Cancel) and too_late):
            yield f"{program} raised {error!r}, and had done what was requested"

    def confirmation(self, state: WorldState, number: int, started: float = 0.0) -> tuple[str, ...]:
        """Violations by a confirmation: of a card that was declined already, or by a thread that
        started after the payment's time to start.
        """
        call = self._space.calls.values[number]
        if str(call) != "processor.post" or call.arguments[1].operation is not Operation.CONFIRM:
            return ()
        payment, post = call.arguments
        processor = self._space.processors.values[state.processor]
        intent = processor.intent(payment.intent_id)
        if processor.key(post.key(INSTALLATION, payment.id)) is not None or intent is None:
            return ()
        declined = intent.status is Status.REQUIRES_PAYMENT_METHOD
        if declined and self._scenario.no_card_tried_again:
            return (f"the card of {payment.name} is confirmed again after its decline",)
        if EPOCH + timedelta(seconds=started) > payment.start_by:
            return (f"the card of {payment.name} is confirmed after its time to start",)
        return ()


def saw_own_payment(ended: Node) -> bool:
    """Whether a thread, when it last looked, saw the payment of its own request."""
    seen = [each.value for each in ended.results if isinstance(each.value, Conflicts)]
    return bool(seen) and seen[-1].same_request is not None


def cancels_orphan(last: Call | None) -> bool:
    """Whether a thread's last call canceled its orphan: another attempt may have gone on meanwhile."""
    return last is not None and last.name == "post"
