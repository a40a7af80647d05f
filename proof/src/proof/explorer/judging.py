"""What must hold of every step: of both sides, of what a caller was told, of the card."""

from collections.abc import Iterator
from typing import Any

from payment.domain.errors import (
    BrokenRule,
    PaymentError,
    ProcessorUnavailable,
    ReferenceTaken,
    RefusedByProcessor,
    RequestIdReused,
    TryAgain,
    WrongState,
)
from payment.domain.machine import Operation
from payment.domain.payment import Payment
from payment.domain.payment import State as PaymentState
from payment.domain.refund import Refund
from payment.service_layer.ports import OutcomeUnknown
from proof.explorer.programs import Create, Program
from proof.explorer.scenarios import Scenario
from proof.explorer.states import State, Worlds
from proof.explorer.threads import Node
from proof.world import invariants
from proof.world.calls import Call
from proof.world.world import INSTALLATION
from sandbox.objects import Status

DEFINITE = (RefusedByProcessor, ReferenceTaken, RequestIdReused)
"""What a caller is told only where this request has no payment. It is true of the moment of the last
look at the store: another attempt may be recorded later.
"""
ENDINGS = (PaymentError, OutcomeUnknown, ConnectionError)
"""How a use case may end without a result. Anything else is a mistake in it."""


class Judge:
    """Says what a step broke, in sentences."""

    def __init__(self, scenario: Scenario, worlds: Worlds) -> None:
        self._scenario = scenario
        self._worlds = worlds
        self._sound: dict[tuple[int, int, int, int], tuple[str, ...]] = {}

    def unsound(self, before: State, after: State) -> tuple[str, ...]:
        pair = (before.kept, before.processor, after.kept, after.processor)
        if pair not in self._sound:
            rows = self._worlds.kept.values
            moved = invariants.moved(rows[before.kept].payments, rows[after.kept].payments)
            self._sound[pair] = (*moved, *invariants.always(self._worlds.books(after)))
        return self._sound[pair]

    def told(self, kept: int, ended: Node, last: Call | None) -> Iterator[str]:
        """What a caller was told, against what there is at this moment, right after its last call."""
        program, result = ended.program, ended.result
        if ended.failed and (isinstance(result, BrokenRule) or not isinstance(result, ENDINGS)):
            yield f"{program} ended with {result!r}"
        rows = self._worlds.kept.values[kept]
        if isinstance(program, Create):
            asked = program.request.request_id
            row = next((row for row in rows.payments if row.request.request_id == asked), None)
            if isinstance(result, Payment) and (row is None or row.id != result.id):
                yield f"{program} was told of {result.name}, which its request_id does not name"
            has_looked = last is not None and last.port == "payments"
            if isinstance(result, DEFINITE) and row is not None and has_looked:
                yield f"{program} was told {result!r}, and its payment exists"
        elif isinstance(result, PaymentError) and not isinstance(
            result, TryAgain | ProcessorUnavailable
        ):
            yield from self._told_of_change(program, result, rows.requests)
        if isinstance(result, Payment) and result.state.is_final:
            row = next((row for row in rows.payments if row.id == result.id), None)
            if row is None or row.state is not result.state:
                yield f"{program} was told {result.state.value} of what is {row and row.state.value}"
        is_there = {refund.id for refund in rows.refunds}
        if isinstance(result, Refund) and result.id not in is_there:
            yield f"{program} was told of a refund that does not exist"

    def _told_of_change(
        self, program: Program, error: PaymentError, requests: Any
    ) -> Iterator[str]:
        """A refusal must not come from the request's own work."""
        own = getattr(program, "request_id", None)
        made = next((one for one in requests if one.request_id == own), None)
        charged = (
            isinstance(error, WrongState)
            and error.args
            and PaymentState.SUCCEEDED.value in str(error)
        )
        if made is not None and not charged:
            yield f"{program} was told {error!r}, and had done what it asked"

    def tries_again(self, state: State, number: int) -> tuple[str, ...]:
        """Whether a call tries a card once more after a decline."""
        call = self._worlds.calls.values[number]
        if not self._scenario.keys_live or str(call) != "processor.post":
            return ()
        payment, post = call.arguments
        if post.operation is not Operation.CONFIRM:
            return ()
        processor = self._worlds.processors.values[state.processor]
        intent = processor.intent(payment.intent_id)
        is_new = processor.key(post.key(INSTALLATION, payment.id)) is None
        if intent and intent.status is Status.REQUIRES_PAYMENT_METHOD and is_new:
            return (f"the card of {payment.name} is tried again after its decline",)
        return ()
