"""Mistakes with refunds."""

from verification.mutants.mutant import Edit, Mutant

REFUND = "domain/refund.py"
REFUNDS = "service_layer/refunds.py"
MEMORY = "repository/memory.py"

REFUND_MUTANTS = (
    Mutant(
        "a refund takes a fresh key each time",
        (
            Edit(
                REFUND,
                '        return f"{installation}:{self.id}:refund"\n',
                "        from uuid import uuid4\n\n"
                '        return f"{installation}:{uuid4()}:refund"\n',
            ),
        ),
        ("one refund, sent twice",),
    ),
    Mutant(
        "a refund is posted again without a look at the processor's list",
        (
            Edit(
                REFUNDS,
                "        if not_listed_at is not None:\n"
                "            return await self._send(refund, now, not_listed_at)\n"
                "        listing_at = self.elapsed()\n",
                "        if refund.state is RefundState.PENDING:\n"
                "            return await self._send(refund, now, not_listed_at or self.elapsed())\n"
                "        listing_at = self.elapsed()\n",
            ),
            Edit(
                REFUNDS, "RefundRequest, refundable\n", "RefundRequest, RefundState, refundable\n"
            ),
        ),
        ("refunds", "one refund, sent twice"),
    ),
    Mutant(
        "what is not listed has failed",
        (
            Edit(
                REFUNDS,
                "        return await self._send(refund, now, listing_at)\n",
                '        failed = refund.fail(Failure("not_listed"))\n'
                "        return RefundStepResult(await self._save(refund, failed))\n",
            ),
        ),
        ("two refunds, of which one fits",),
    ),
    Mutant(
        "a refund that was answered 500 has failed",
        (
            Edit(
                REFUNDS,
                "            case OutcomeUnknown(unreachable=unreachable):\n",
                "            case ServerError():\n"
                '                failed = refund.fail(Failure("api_error"))\n'
                "                return RefundStepResult(await self._save(refund, failed))\n"
                "            case OutcomeUnknown(unreachable=unreachable):\n",
            ),
            Edit(
                REFUNDS,
                "import IdempotencyKeyConflict, Proc",
                "import ServerError, IdempotencyKeyConflict, Proc",
            ),
        ),
        ("two refunds, of which one fits",),
    ),
    Mutant(
        "a refund without an answer has failed",
        (
            Edit(
                REFUNDS,
                "            case OutcomeUnknown(unreachable=unreachable):\n"
                "                return RefundStepResult(refund, unreachable=unreachable)\n",
                "            case OutcomeUnknown():\n"
                '                failed = refund.fail(Failure("time_out"))\n'
                "                return RefundStepResult(await self._save(refund, failed))\n",
            ),
        ),
        ("two refunds, of which one fits",),
    ),
    Mutant(
        "a refund is posted however old its list is",
        (
            Edit(
                REFUNDS,
                "        if self.elapsed() - not_listed_at > POST_WITHIN.total_seconds():\n"
                "            return RefundStepResult(refund)\n",
                "",
            ),
        ),
        ("a refund, and an answer that takes a day",),
    ),
    Mutant(
        "a refund is sent as it was read before its list",
        (
            Edit(
                REFUNDS,
                "        if as_it_is.version != refund.version:\n"
                "            return RefundStepResult(as_it_is)\n",
                "",
            ),
        ),
        ("a refund is refused, and a day passes",),
    ),
    Mutant(
        "a refusal is written down however late",
        (
            Edit(
                REFUNDS,
                "        return await self._save(refund, failed, by=now + REFUSED_WITHIN)\n",
                "        return await self._save(refund, failed)\n",
            ),
        ),
        ("a refund is refused, and a day passes",),
    ),
    Mutant(
        "the sum of the refunds is not part of the insert",
        (
            Edit(
                MEMORY,
                "        if payment.state is not State.SUCCEEDED or refund.amount > left:\n",
                "        if payment.state is not State.SUCCEEDED or left < 0:\n",
            ),
        ),
        ("two refunds, of which one fits",),
    ),
    Mutant(
        "a refund that failed gives nothing back to the sum",
        (
            Edit(
                MEMORY,
                "        return self._write(saved, -row.amount if fails else 0, event_for)\n",
                "        return self._write(saved, 0, event_for)\n",
            ),
        ),
        ("a refund that comes back",),
    ),
    Mutant(
        "a refund that failed gives its part back each time it is looked at",
        (
            Edit(
                MEMORY,
                "        fails = saved.state is RefundState.FAILED is not row.state\n",
                "        fails = saved.state is RefundState.FAILED\n",
            ),
            Edit(
                REFUND,
                "        if self.state is RefundState.FAILED:\n            return self\n",
                "",
            ),
            Edit(
                "domain/events.py",
                "    if after.state is RefundState.FAILED and before.state is not "
                "RefundState.FAILED:\n",
                "    if after.state is RefundState.FAILED:\n",
            ),
            Edit(
                MEMORY,
                "        if row.version != before.version or (by is not None and now >= by):\n",
                "        if False:\n",
            ),
        ),
        ("a refund that comes back",),
    ),
    Mutant(
        "what stands in the way of a refund is not looked at twice",
        (
            Edit(
                REFUNDS,
                "                if await self.payments.find_request(request.request_id) is None:\n"
                "                    raise\n                continue\n",
                "                raise\n",
            ),
        ),
        ("one refund, of more than half, sent twice",),
    ),
    Mutant(
        "a refund is accepted for what was not captured yet",
        (
            Edit(
                REFUNDS,
                "            amount=refundable(payment, request.amount),\n",
                "            amount=request.amount.minor_units if request.amount else 0,\n",
            ),
            Edit(
                MEMORY,
                "        if payment.state is not State.SUCCEEDED or refund.amount > left:\n",
                "        if refund.amount > payment.request.amount.minor_units:\n",
            ),
        ),
        ("two refunds, of which one fits",),
    ),
)
