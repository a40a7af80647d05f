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
from payment.domain.payment import Payment, PaymentRequest, State
from payment.domain.refund import Refund
from payment.service_layer.alerts import Alert
from sandbox.objects import Status
from verification.explorer.coroutine_replay import Node
from verification.explorer.programs import Cancel, Capture, Create, CreateRefund, Program
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
        """Violations by the response to a caller, against the rows right after the thread's last call."""
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
        if isinstance(outcome, Payment | Refund) and isinstance(program, Capture | CreateRefund):
            yield from self._change(program, outcome)
        if isinstance(outcome, Refund) and outcome.id not in {row.id for row in stored.refunds}:
            yield f"{program} returned a refund that does not exist"

    def _failure(self, program: Program, error: Any) -> Iterator[str]:
        is_allowed = Alert.INVARIANT_VIOLATED in self._scenario.alerts
        if isinstance(error, InvariantViolation) and is_allowed:
            return
        if isinstance(error, InvariantViolation) or not isinstance(error, EXPECTED_ERRORS):
            yield f"{program} ended with {error!r}"

    def _creation(
        self, program: Create, ended: Node, rows: Rows, last: Call | None
    ) -> Iterator[str]:
        """A request_id names its payment, and no definite error is raised beside it."""
        outcome, request = ended.outcome, program.request
        named = (row for row in rows.payments if row.request.request_id == request.request_id)
        row = next(named, None)
        if isinstance(outcome, Payment):
            if row is None or row.id != outcome.id:
                yield f"{program} returned {outcome.name}, which its request_id does not name"
            elif row.request != request:
                yield f"{program} returned {outcome.name}, which has another content"
        is_own = row is not None and row.request == request and not cancels_orphan(last)
        if isinstance(outcome, NO_PAYMENT_ERRORS) and (is_own or saw_own_payment(ended, request)):
            yield f"{program} raised {outcome!r}, and its payment exists"

    def _state(self, program: Program, returned: Payment, rows: Rows) -> Iterator[str]:
        """A final state that was returned is stored; a cancellation that worked charged nothing."""
        row = next((row for row in rows.payments if row.id == returned.id), None)
        if returned.state.is_final and (row is None or row.state is not returned.state):
            stored = row.state.value if row else "not stored"
            yield f"{program} returned {returned.state.value}, and the payment is {stored}"
        if isinstance(program, Cancel) and returned.state is State.SUCCEEDED:
            yield f"{program} succeeded, and the card is charged"

    def _change(self, program: Capture | CreateRefund, outcome: Any) -> Iterator[str]:
        """What was done is what was requested."""
        amount = outcome.amount_capturing if isinstance(outcome, Payment) else outcome.amount
        if program.amount is not None and amount != program.amount.minor_units:
            yield f"{program} of {program.amount.minor_units} returned {amount}"

    def _rejected_change(self, program: Program, error: PaymentError, rows: Rows) -> Iterator[str]:
        """The request's own work is no reason to reject it."""
        too_late = isinstance(error, WrongState) and State.SUCCEEDED.value in str(error)
        if has_done(program, rows) and not (isinstance(program, Cancel) and too_late):
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


def saw_own_payment(ended: Node, request: PaymentRequest) -> bool:
    """Whether a thread, when it last looked, saw the payment of its own request."""
    conflicts = [each.value for each in ended.results if isinstance(each.value, Conflicts)]
    found = conflicts[-1].same_request if conflicts else None
    return found is not None and found.request == request


def has_done(program: Program, rows: Rows) -> bool:
    """Whether the rows hold what a program requested, under its request_id."""
    own = getattr(program, "request_id", None)
    record = next((each for each in rows.requests if each.request_id == own), None)
    if record is None:
        return False
    amounts: Iterator[int] = iter(())
    if isinstance(program, Capture):
        amounts = (row.amount_capturing for row in rows.payments if row.id == record.payment_id)
    if isinstance(program, CreateRefund):
        amounts = (row.amount for row in rows.refunds if row.id == record.refund_id)
    requested = getattr(program, "amount", None)
    return requested is None or requested.minor_units in amounts


def cancels_orphan(last: Call | None) -> bool:
    """Whether a thread's last call canceled its orphan: another attempt may have gone on meanwhile."""
    return last is not None and last.name == "post"
