"""Mistakes about what a payment makes of the processor's word, and what it asks next."""

from verification.mutants.mutant import Edit, Mutant

MACHINE = "domain/machine.py"
STEP = "service_layer/step.py"

UNKNOWN = (
    '            return hold(payment, "an idempotency key was used with other parameters", now)\n'
)


def without(state: str, status: str, move: str) -> Edit:
    """The table of moves without one of its rows."""
    return Edit(MACHINE, f"    (State.{state}, IntentStatus.{status}): {move},\n", "")


def with_move(state: str, status: str, move: str) -> Edit:
    """The table of moves with a row more."""
    first = "    (State.CONFIRMING, IntentStatus.REQUIRES_ACTION): require_action,\n"
    return Edit(MACHINE, first, f"{first}    (State.{state}, IntentStatus.{status}): {move},\n")


TRANSITIONS = (
    Mutant(
        "a time-out is taken for a failure",
        (
            Edit(
                MACHINE,
                UNKNOWN,
                f"{UNKNOWN}        case OutcomeUnknown():\n"
                "            return replace(\n"
                "                payment, state=State.FAILED, cancel_reason=CancelReason.DECLINE\n"
                "            )\n",
            ),
            Edit(MACHINE, "Rejection, Reply\n", "Rejection, Reply, OutcomeUnknown\n"),
        ),
        ("automatic, no key dies",),
    ),
    Mutant(
        "a refusal is taken for a failure",
        (
            Edit(
                MACHINE,
                "        case ServerError() | Rejection() if payment.idempotency_counter == post.idempotency_counter:\n",
                "        case Rejection() if post.operation is Operation.CONFIRM:\n"
                "            return replace(\n"
                "                payment, state=State.FAILED, cancel_reason=CancelReason.DECLINE\n"
                "            )\n"
                "        case ServerError() | Rejection() if payment.idempotency_counter == post.idempotency_counter:\n",
            ),
        ),
        ("automatic", "3D Secure", "declined, keys die"),
    ),
    Mutant(
        "a 500 is taken for a failure",
        (
            Edit(
                MACHINE,
                "        case ServerError() | Rejection() if payment.idempotency_counter == post.idempotency_counter:\n",
                "        case ServerError() if post.operation is Operation.CONFIRM:\n"
                "            return replace(\n"
                "                payment, state=State.FAILED, cancel_reason=CancelReason.DECLINE\n"
                "            )\n"
                "        case ServerError() | Rejection() if payment.idempotency_counter == post.idempotency_counter:\n",
            ),
        ),
        ("automatic, no key dies",),
    ),
    Mutant(
        "an intent that cannot be asked for is taken for canceled",
        (
            Edit(
                STEP,
                "        if not isinstance(reply, Intent):\n"
                "            unreachable = is_unreachable(reply)\n"
                "            return StepResult(seen.payment, seen.now, answered=False, unreachable=unreachable)\n",
                "        if not isinstance(reply, Intent):\n"
                "            gone = replace(\n"
                "                seen.payment, state=State.CANCELED, cancel_reason=CancelReason.USER\n"
                "            )\n"
                "            await self._save(seen.payment, gone)\n"
                "            return StepResult(gone, seen.now)\n",
            ),
            Edit(STEP, "import dataclass\n", "import dataclass, replace\n"),
            Edit(STEP, "import Payment, State\n", "import CancelReason, Payment, State\n"),
        ),
        ("automatic, no key dies",),
    ),
    Mutant(
        "a decline is final before its intent is canceled",
        (
            Edit(
                MACHINE,
                "        state=State.CANCELING,\n        cancel_reason=CancelReason.DECLINE,\n",
                "        state=State.FAILED,\n        cancel_reason=CancelReason.DECLINE,\n",
            ),
        ),
        ("declined",),
    ),
    Mutant(
        "a decline is confirmed again",
        (
            without("CONFIRMING", "REQUIRES_PAYMENT_METHOD", "decline"),
            Edit(
                MACHINE,
                "    if payment.state is State.CONFIRMING and status is "
                "IntentStatus.REQUIRES_CONFIRMATION:\n        return",
                "    if payment.state is State.CONFIRMING and status in UNFINISHED:\n        return",
            ),
        ),
        ("declined",),
    ),
    Mutant(
        "a cancellation without an answer is taken for done",
        (
            Edit(
                MACHINE,
                UNKNOWN,
                f"{UNKNOWN}        case OutcomeUnknown() if post.operation is Operation.CANCEL:\n"
                "            return end_without_money(payment, None, now)\n",
            ),
            Edit(MACHINE, "Rejection, Reply\n", "Rejection, Reply, OutcomeUnknown\n"),
        ),
        ("cancel", "manual"),
    ),
    Mutant(
        "an expired payment is confirmed after all",
        (
            Edit(
                MACHINE,
                "    if payment.state is State.CONFIRMING and status is "
                "IntentStatus.REQUIRES_CONFIRMATION:\n        return",
                "    if payment.state in {State.CONFIRMING, State.CANCELING} and (\n"
                "        status is IntentStatus.REQUIRES_CONFIRMATION\n    ):\n        return",
            ),
        ),
        ("automatic, hours pass",),
    ),
    Mutant(
        "a card may be tried for ever",
        (
            Edit(
                MACHINE,
                "        and status is IntentStatus.REQUIRES_CONFIRMATION\n"
                "        and now > payment.start_by\n",
                "        and status is IntentStatus.REQUIRES_CONFIRMATION\n        and False\n",
            ),
        ),
        ("automatic, hours pass",),
    ),
    Mutant(
        "nobody calls off what its payer does not answer",
        (Edit(MACHINE, "        and now > payment.action_by\n", "        and False\n"),),
        ("3D Secure, no answer",),
    ),
    Mutant(
        "a 500 is not used up",
        (
            Edit(
                MACHINE,
                "        case ServerError() | Rejection() if",
                "        case Rejection() if",
            ),
        ),
        ("automatic, no key dies",),
    ),
    Mutant(
        "a refusal is not used up",
        (
            Edit(
                MACHINE,
                "        case ServerError() | Rejection() if",
                "        case ServerError() if",
            ),
        ),
        ("processing, declined, no key dies", "manual", "3D Secure"),
    ),
    Mutant(
        "the key does not count what was used up",
        (
            Edit(
                MACHINE,
                '{self.operation.value}:{self.idempotency_counter}"',
                '{self.operation.value}"',
            ),
        ),
        ("automatic, no key dies",),
    ),
    Mutant(
        "n is read after the intent was asked for",
        (
            Edit(
                STEP,
                "        return await self.call(Snapshot(saved, seen.now), reply.status, "
                "seen.payment.idempotency_counter)\n",
                "        late = (await self.payments.get(payment_id)).payment.idempotency_counter\n"
                "        return await self.call(Snapshot(saved, seen.now), reply.status, late)\n",
            ),
        ),
        ("declined", "declined, two replicas recover"),
    ),
    Mutant(
        "after a 500 the card is tried once more, without a look at the intent",
        (
            Edit(
                STEP,
                "        declined = post.operation is Operation.CONFIRM and",
                "        if saved.idempotency_counter > idempotency_counter:\n"
                "            return await self.call(Snapshot(saved, seen.now), status, saved.idempotency_counter)\n"
                "        declined = post.operation is Operation.CONFIRM and",
            ),
        ),
        ("declined",),
    ),
    Mutant(
        "a payment that is being captured goes back when the processor still holds the money",
        (with_move("CAPTURING", "REQUIRES_CAPTURE", "authorize"),),
        ("manual",),
    ),
    Mutant(
        "a payment that is being called off goes back when its payer is still asked",
        (with_move("CANCELING", "REQUIRES_ACTION", "require_action"),),
        ("3D Secure",),
    ),
    Mutant(
        "a cancellation that came too late is not believed",
        (without("CANCELING", "SUCCEEDED", "succeed"),),
        ("cancel",),
    ),
    Mutant(
        "a hold that ran out is not believed",
        (without("AUTHORIZED", "CANCELED", "end_without_money"),),
        ("manual, the hold ends",),
    ),
    Mutant(
        "a hold that ran out under a capture is not believed",
        (without("CAPTURING", "CANCELED", "end_without_money"),),
        ("manual, the hold ends",),
    ),
    Mutant(
        "a payer's refusal is not believed",
        (without("REQUIRES_ACTION", "REQUIRES_PAYMENT_METHOD", "decline"),),
        ("3D Secure",),
    ),
    Mutant(
        "what was asked for is written down as captured",
        (
            Edit(
                MACHINE,
                "amount_captured=intent.amount_received, failure=None",
                "amount_captured=payment.request.amount.minor_units, failure=None",
            ),
        ),
        ("manual",),
    ),
    Mutant(
        "a part is asked for, and the whole is captured",
        (
            Edit(
                MACHINE,
                "        return Post(Operation.CAPTURE, idempotency_counter, payment.amount_capturing)\n",
                "        return Post(Operation.CAPTURE, idempotency_counter, payment.request.amount.minor_units)\n",
            ),
        ),
        ("manual",),
    ),
)
