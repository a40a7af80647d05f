"""Mistakes about what a payment makes of evidence, and about the call that follows."""

from verification.mutants.mutant import Edit, importing, mutant

MACHINE = "domain/machine.py"
STEPS = "service_layer/payment_driver.py"

USES_KEY_UP = (
    "case ServerError() | Rejection() if payment.idempotency_counter == post.idempotency_counter:"
)
KEY_CONFLICT = """
case IdempotencyKeyConflict() if not payment.is_settled:
    return hold(payment, 'an idempotency key was used with other parameters', now)
"""
CONFIRMS = "if payment.state is State.CONFIRMING and status is IntentStatus.REQUIRES_CONFIRMATION:"
OUTCOME_UNKNOWN = importing(MACHINE, "payment.domain.evidence", "OutcomeUnknown")
TABLE = "TRANSITIONS: dict[tuple[State, IntentStatus], Transition] = {"


def failure_on(reply: str) -> Edit:
    """This reply to a confirmation makes the payment FAILED."""
    return Edit(
        MACHINE,
        USES_KEY_UP,
        f"""
        case {reply}() if post.operation is Operation.CONFIRM:
            return replace(payment, state=State.FAILED, cancel_reason=CancelReason.DECLINE)
        {USES_KEY_UP}
        """,
    )


def without(state: str, status: str, transition: str) -> Edit:
    """The table of transitions without one of them."""
    return Edit(MACHINE, f"(State.{state}, IntentStatus.{status}): {transition}, ", "")


def with_transition(state: str, status: str, transition: str) -> Edit:
    """The table of transitions with one more."""
    return Edit(MACHINE, TABLE, f"{TABLE}(State.{state}, IntentStatus.{status}): {transition}, ")


TRANSITIONS = (
    mutant(
        "a timeout is taken for a failure",
        failure_on("OutcomeUnknown"),
        OUTCOME_UNKNOWN,
        scenarios=["automatic capture, keys live"],
    ),
    mutant(
        "a rejection is taken for a failure",
        failure_on("Rejection"),
        scenarios=["automatic capture", "3D Secure", "declined, keys expire"],
    ),
    mutant(
        "a 500 is taken for a failure",
        failure_on("ServerError"),
        scenarios=["automatic capture, keys live"],
    ),
    mutant(
        "an intent that cannot be read is taken for canceled",
        Edit(
            STEPS,
            """
            if not isinstance(reply, Intent):
                return StepResult(payment, now, answered=False, unreachable=is_unreachable(reply))
            """,
            """
            if not isinstance(reply, Intent):
                gone = replace(payment, state=State.CANCELED, cancel_reason=CancelReason.USER)
                await self._save(payment, gone)
                return StepResult(gone, now)
            """,
        ),
        importing(STEPS, "dataclasses", "replace"),
        importing(STEPS, "payment.domain.payment", "CancelReason"),
        scenarios=["automatic capture, keys live"],
    ),
    mutant(
        "a decline is final before its intent is canceled",
        Edit(
            MACHINE,
            "state=State.CANCELING, cancel_reason=CancelReason.DECLINE",
            "state=State.FAILED, cancel_reason=CancelReason.DECLINE",
        ),
        scenarios=["declined"],
    ),
    mutant(
        "a declined card is confirmed again",
        without("CONFIRMING", "REQUIRES_PAYMENT_METHOD", "decline"),
        Edit(
            MACHINE,
            CONFIRMS,
            "if payment.state is State.CONFIRMING and status in UNFINISHED:",
        ),
        scenarios=["declined"],
    ),
    mutant(
        "a cancellation without an answer is taken for done",
        Edit(
            MACHINE,
            KEY_CONFLICT,
            KEY_CONFLICT
            + "case OutcomeUnknown() if post.operation is Operation.CANCEL:\n"
            + "    return end_without_money(payment, None, now)\n",
        ),
        OUTCOME_UNKNOWN,
        scenarios=["cancel", "manual capture"],
    ),
    mutant(
        "an expired payment is confirmed after all",
        Edit(
            MACHINE,
            CONFIRMS,
            CONFIRMS.replace("is State.CONFIRMING", "in {State.CONFIRMING, State.CANCELING}"),
        ),
        scenarios=["automatic capture, the insert's deadline passes"],
    ),
    mutant(
        "a card is confirmed however late",
        Edit(MACHINE, "(now > payment.start_by)", "False"),
        scenarios=["automatic capture, the insert's deadline passes"],
    ),
    mutant(
        "a payment whose payer never acts is not canceled",
        Edit(MACHINE, "(now > payment.action_by)", "False"),
        scenarios=["3D Secure, the payer never acts"],
    ),
    mutant(
        "a 500 does not use its idempotency key up",
        Edit(MACHINE, "case ServerError() | Rejection() if", "case Rejection() if"),
        scenarios=["automatic capture, keys live"],
    ),
    mutant(
        "a rejection does not use its idempotency key up",
        Edit(MACHINE, "case ServerError() | Rejection() if", "case ServerError() if"),
        scenarios=["processing, declined, keys live", "manual capture", "3D Secure"],
    ),
    mutant(
        "the idempotency key does not contain the counter",
        Edit(
            MACHINE,
            "{self.operation.value}:{self.idempotency_counter}",
            "{self.operation.value}",
        ),
        scenarios=["automatic capture, keys live"],
    ),
    mutant(
        "the idempotency counter is read after the intent",
        Edit(
            STEPS,
            "return await self.call(Snapshot(saved, now), reply.status, "
            "payment.idempotency_counter)",
            """
            late = (await self.repository.get(payment.id)).resource.idempotency_counter
            return await self.call(Snapshot(saved, now), reply.status, late)
            """,
        ),
        scenarios=["declined", "declined, two replicas recover"],
    ),
    mutant(
        "after a 500 the card is confirmed once more, without reading the intent",
        Edit(
            STEPS,
            "was_declined = post.operation is Operation.CONFIRM and saved.state is State.CANCELING",
            """
            if saved.idempotency_counter > idempotency_counter:
                counter = saved.idempotency_counter
                return await self.call(Snapshot(saved, now), status, counter)
            was_declined = post.operation is Operation.CONFIRM and saved.state is State.CANCELING
            """,
        ),
        scenarios=["declined"],
    ),
    mutant(
        "a payment in CAPTURING goes back while the processor holds the money",
        with_transition("CAPTURING", "REQUIRES_CAPTURE", "authorize"),
        scenarios=["manual capture"],
    ),
    mutant(
        "a payment in CANCELING goes back while its payer may act",
        with_transition("CANCELING", "REQUIRES_ACTION", "require_action"),
        scenarios=["3D Secure"],
    ),
    mutant(
        "a charge before its cancellation is ignored",
        without("CANCELING", "SUCCEEDED", "succeed"),
        scenarios=["cancel"],
    ),
    mutant(
        "an expired authorization is ignored",
        without("AUTHORIZED", "CANCELED", "end_without_money"),
        scenarios=["manual capture, the authorization expires"],
    ),
    mutant(
        "an authorization that expired before its capture is ignored",
        without("CAPTURING", "CANCELED", "end_without_money"),
        scenarios=["manual capture, the authorization expires"],
    ),
    mutant(
        "a payer's decline is ignored",
        without("REQUIRES_ACTION", "REQUIRES_PAYMENT_METHOD", "decline"),
        scenarios=["3D Secure"],
    ),
    mutant(
        "the requested amount is stored as captured",
        Edit(
            MACHINE,
            "amount_captured=intent.amount_received",
            "amount_captured=payment.request.amount.minor_units",
        ),
        scenarios=["manual capture"],
    ),
    mutant(
        "a part is requested, and everything is captured",
        Edit(
            MACHINE,
            "Post(Operation.CAPTURE, idempotency_counter, payment.amount_capturing)",
            "Post(Operation.CAPTURE, idempotency_counter, payment.request.amount.minor_units)",
        ),
        scenarios=["manual capture"],
    ),
)
