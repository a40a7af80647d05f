"""Mistakes with refunds."""

from verification.mutants.mutant import Edit, importing, mutant

REFUND = "domain/refund.py"
EVENTS = "domain/events.py"
CREATE = "service_layer/create_refund.py"
STEPS = "service_layer/refund_driver.py"
MEMORY = "repository/memory.py"

KEY_CONFLICT = "case IdempotencyKeyConflict():"
FITS = "if payment.state is not State.SUCCEEDED or refund.amount > left:"
RUN_ONCE = "await self.requests.run_once(request.request_id, request.fingerprint, reserve)"


def failure_on(reply: str) -> Edit:
    """This reply to the POST of a refund makes it FAILED."""
    return Edit(
        STEPS,
        KEY_CONFLICT,
        f"""
        case {reply}():
            failed = refund.fail(Failure('no_refund'))
            return StepResult(await self._save(refund, failed), now)
        {KEY_CONFLICT}
        """,
    )


REFUND_MUTANTS = (
    mutant(
        "a refund takes a new idempotency key each time",
        Edit(REFUND, "{self.id}:refund", "{uuid4()}:refund"),
        importing(REFUND, "uuid", "uuid4"),
        scenarios=["one refund, sent twice, a day passes"],
    ),
    mutant(
        "a refund is posted again without looking for it in the processor's list",
        Edit(
            STEPS,
            """
            if not_listed_at is not None:
                return await self._post(refund, now, not_listed_at)
            """,
            """
            if refund.state is RefundState.PENDING:
                return await self._post(refund, now, not_listed_at or self.elapsed())
            """,
        ),
        importing(STEPS, "payment.domain.refund", "RefundState"),
        scenarios=[
            "two refunds, enough money for one, a day passes",
            "one refund, sent twice, a day passes",
        ],
    ),
    mutant(
        "a refund that is not listed is taken for failed",
        Edit(
            STEPS,
            "return await self._post(refund, now, listing_at)",
            """
            failed = refund.fail(Failure('not_listed'))
            return StepResult(await self._save(refund, failed), now)
            """,
        ),
        scenarios=["two refunds, enough money for one"],
    ),
    mutant(
        "a refund that was answered 500 is taken for failed",
        failure_on("ServerError"),
        importing(STEPS, "payment.domain.evidence", "ServerError"),
        scenarios=["two refunds, enough money for one"],
    ),
    mutant(
        "a refund without an answer is taken for failed",
        failure_on("OutcomeUnknown"),
        scenarios=["two refunds, enough money for one"],
    ),
    mutant(
        "a refund is posted however old its list is",
        Edit(
            STEPS,
            """
            if self.elapsed() - not_listed_at > POST_WITHIN.total_seconds():
                return StepResult(refund, now)
            """,
            "",
        ),
        scenarios=["a refund, and a reply delayed by a day"],
    ),
    mutant(
        "a refund is posted as it was read before its list",
        Edit(
            STEPS,
            """
            if current.version != refund.version:
                return StepResult(current, now)
            """,
            "",
        ),
        scenarios=["a refund is rejected, and a day passes"],
    ),
    mutant(
        "a rejection of a refund is stored however late",
        Edit(STEPS, "refund, failed, by=now + FAIL_WITHIN", "refund, failed"),
        scenarios=["a refund is rejected, and a day passes"],
    ),
    mutant(
        "the sum of the refunds is not part of the insert",
        Edit(MEMORY, FITS, "if payment.state is not State.SUCCEEDED or left < 0:"),
        scenarios=["two refunds, enough money for one"],
    ),
    mutant(
        "a failed refund does not reduce the sum",
        Edit(MEMORY, "saved, -row.amount if fails else 0, event", "saved, 0, event"),
        scenarios=["a refund that the bank returns"],
    ),
    mutant(
        "a failed refund reduces the sum each time that it is stepped",
        Edit(
            MEMORY,
            "fails = saved.state is RefundState.FAILED is not row.state",
            "fails = saved.state is RefundState.FAILED",
        ),
        Edit(
            REFUND,
            """
            if self.state is RefundState.FAILED:
                return self
            """,
            "",
        ),
        Edit(
            EVENTS,
            "if after.state is RefundState.FAILED and before.state is not RefundState.FAILED:",
            "if after.state is RefundState.FAILED:",
        ),
        Edit(
            MEMORY,
            "if row.version != before.version or (by is not None and now >= by):",
            "if False:",
        ),
        scenarios=["a refund that the bank returns"],
    ),
    mutant(
        "a rejected refund request is not looked up again",
        Edit(
            CREATE,
            RUN_ONCE,
            "await self.payments.find_request(request.request_id) or await reserve() "
            f"or {RUN_ONCE}",
        ),
        scenarios=["one refund of more than half, sent twice"],
    ),
    mutant(
        "a refund is accepted before its payment is captured",
        Edit(
            CREATE,
            "amount=refundable(payment, request.amount)",
            "amount=request.amount.minor_units if request.amount else 0",
        ),
        Edit(MEMORY, FITS, "if refund.amount > payment.request.amount.minor_units:"),
        scenarios=["two refunds, enough money for one"],
    ),
)
