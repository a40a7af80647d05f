"""What must hold of every step: of both sides, of what a caller was told, of the card."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from payment.domain.creation import Conflicts
from payment.domain.errors import (
    InvariantViolation,
    PaymentError,
    ProcessorUnavailable,
    ReferenceTaken,
    RefusedByProcessor,
    RequestIdReused,
    TryAgain,
    WrongState,
)
from payment.domain.machine import Operation
from payment.domain.payment import Payment, State
from payment.domain.refund import Refund
from payment.service_layer.ports import CommitUnknown
from sandbox.objects import Status
from verification.explorer.programs import Cancel, Create, Program
from verification.explorer.scenarios import Scenario
from verification.explorer.states import Kept, Worlds
from verification.explorer.states import State as WorldState
from verification.explorer.threads import Node
from verification.world import invariants
from verification.world.calls import Call
from verification.world.world import BEGINNING, INSTALLATION

DEFINITE = (RefusedByProcessor, ReferenceTaken, RequestIdReused)
"""What a caller is told only where this request has no payment. It is true of the moment of the last
look at the store: another attempt may be recorded later.
"""
UNKNOWN = (TryAgain, ProcessorUnavailable)
"""What tells nothing of the request."""
ENDINGS = (PaymentError, CommitUnknown, ConnectionError)
"""How a use case may end without a result. Anything else is a mistake in it."""


class Judge:
    """Says what a step broke, in sentences."""

    def __init__(self, scenario: Scenario, worlds: Worlds) -> None:
        self._scenario = scenario
        self._worlds = worlds
        self._sound: dict[tuple[int, int, int, int], tuple[str, ...]] = {}

    def unsound(self, before: WorldState, after: WorldState) -> tuple[str, ...]:
        pair = (before.kept, before.processor, after.kept, after.processor)
        if pair not in self._sound:
            rows = self._worlds.kept.values
            moved = invariants.moved(rows[before.kept].payments, rows[after.kept].payments)
            self._sound[pair] = (*moved, *invariants.always(self._worlds.books(after)))
        return self._sound[pair]

    def told(self, kept: int, ended: Node, last: Call | None) -> Iterator[str]:
        """What a caller was told, against what there is at this moment, right after its last call."""
        program, result = ended.program, ended.result
        rows = self._worlds.kept.values[kept]
        if ended.failed:
            yield from self._failed(program, result)
        if isinstance(program, Create):
            yield from self._told_of_creation(program, ended, rows, last)
        elif isinstance(result, PaymentError) and not isinstance(result, UNKNOWN):
            yield from self._told_of_change(program, result, rows)
        if isinstance(result, Payment):
            yield from self._told_of_state(program, result, rows)
        if isinstance(result, Refund) and result.id not in {row.id for row in rows.refunds}:
            yield f"{program} was told of a refund that does not exist"

    def _failed(self, program: Program, error: Any) -> Iterator[str]:
        if isinstance(error, InvariantViolation):
            if "rule_broken" not in self._scenario.alarms:
                yield f"{program} ended with {error!r}"
        elif not isinstance(error, ENDINGS):
            yield f"{program} ended with {error!r}"

    def _told_of_creation(
        self, program: Create, ended: Node, rows: Kept, last: Call | None
    ) -> Iterator[str]:
        """A request_id names its payment, and no definite error stands beside that."""
        result = ended.result
        asked = program.request.request_id
        row = next((row for row in rows.payments if row.request.request_id == asked), None)
        if isinstance(result, Payment) and (row is None or row.id != result.id):
            yield f"{program} was told of {result.name}, which its request_id does not name"
        if isinstance(result, DEFINITE) and (saw(ended) or (row and not is_tidying(last))):
            yield f"{program} was told {result!r}, and its payment exists"

    def _told_of_state(self, program: Program, told: Payment, rows: Kept) -> Iterator[str]:
        """What was told to be final is so; a cancellation that worked has charged nothing."""
        row = next((row for row in rows.payments if row.id == told.id), None)
        if told.state.is_final and (row is None or row.state is not told.state):
            yield f"{program} was told {told.state.value} of what is {row and row.state.value}"
        if isinstance(program, Cancel) and told.state is State.SUCCEEDED:
            yield f"{program} was told that it worked, and the card is charged"

    def _told_of_change(self, program: Program, error: PaymentError, rows: Kept) -> Iterator[str]:
        """A refusal must not come from the request's own work."""
        own = getattr(program, "request_id", None)
        made = next((one for one in rows.requests if one.request_id == own), None)
        was_too_late = isinstance(error, WrongState) and State.SUCCEEDED.value in str(error)
        if made is not None and not (isinstance(program, Cancel) and was_too_late):
            yield f"{program} was told {error!r}, and had done what it asked"

    def tries(self, state: WorldState, number: int, began: float = 0.0) -> tuple[str, ...]:
        """Whether a call tries a card that must not be tried: once more after a decline, or by
        somebody who began when its time was over.
        """
        call = self._worlds.calls.values[number]
        if str(call) != "processor.post" or call.arguments[1].operation is not Operation.CONFIRM:
            return ()
        payment, post = call.arguments
        processor = self._worlds.processors.values[state.processor]
        intent = processor.intent(payment.intent_id)
        if processor.key(post.key(INSTALLATION, payment.id)) is not None or intent is None:
            return ()
        declined = intent.status is Status.REQUIRES_PAYMENT_METHOD
        if declined and self._scenario.keys_live:
            return (f"the card of {payment.name} is tried again after its decline",)
        if BEGINNING + timedelta(seconds=began) > payment.start_by:
            return (f"the card of {payment.name} is tried when its time is over",)
        return ()


def saw(ended: Node) -> bool:
    """Whether a thread, when it last looked, saw the payment of its own request."""
    seen = [answer.value for answer in ended.path if isinstance(answer.value, Conflicts)]
    return bool(seen) and seen[-1].same_request is not None


def is_tidying(last: Call | None) -> bool:
    """Whether a thread's last call was to cancel its orphan: meanwhile much may have happened."""
    return last is not None and last.name == "post"
