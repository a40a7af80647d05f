"""Mistakes of the store, and with captures, cancellations and deletions."""

from verification.mutants.mutant import Edit, Mutant

MEMORY = "repository/memory.py"
PAYMENT = "domain/payment.py"
CHANGE = "service_layer/change_payment.py"

STORAGE = (
    Mutant(
        "the insert has no fence",
        (Edit(MEMORY, "        if holders.now >= insert_by:\n", "        if False:\n"),),
        ("automatic, hours pass",),
    ),
    Mutant(
        "the insert minds only the request_id",
        (
            Edit(
                MEMORY,
                "        if holders.same_request or holders.same_id or holders.same_reference or bound:\n",
                "        if holders.same_request or holders.same_id or bound:\n",
            ),
        ),
        ("one reference, two requests",),
    ),
    Mutant(
        "the insert minds only the reference",
        (
            Edit(
                MEMORY,
                "        if holders.same_request or holders.same_id or holders.same_reference or bound:\n",
                "        if holders.same_id or holders.same_reference or bound:\n",
            ),
        ),
        ("automatic, no key dies",),
    ),
    Mutant(
        "the insert takes the place of what is there",
        (
            Edit(
                MEMORY,
                "        if holders.same_request or holders.same_id or holders.same_reference or bound:\n"
                "            return None\n",
                "        if other := holders.same_request:\n"
                "            del self._store.payments[other.id]\n",
            ),
        ),
        ("automatic, no key dies",),
    ),
    Mutant(
        "whoever saves last has the last word",
        (
            Edit(
                MEMORY,
                "        if (row.state, row.idempotency_counter, row.version) != "
                "(before.state, before.idempotency_counter, before.version):\n",
                "        if False:\n",
            ),
        ),
        ("cancel", "declined"),
    ),
    Mutant(
        "a payment under cancellation lets its reference go",
        (
            Edit(
                MEMORY,
                "    return not payment.state.ended_without_money\n",
                "    return payment.state not in {State.FAILED, State.CANCELED, State.CANCELING}\n",
            ),
        ),
        ("one reference, and a cancellation",),
    ),
    Mutant(
        "a payment that succeeded lets its reference go",
        (
            Edit(
                MEMORY,
                "    return not payment.state.ended_without_money\n",
                "    return payment.state not in {State.FAILED, State.CANCELED, State.SUCCEEDED}\n",
            ),
        ),
        ("one reference, two requests",),
    ),
    Mutant(
        "a deleted payment lets its request_id go",
        (
            Edit(
                MEMORY,
                "            same_request=self._first(lambda each: each.request.request_id == "
                "request_id),\n",
                "            same_request=self._first(\n"
                "                lambda each: (\n"
                "                    each.request.request_id == request_id\n"
                "                    and each.delete_time is None\n"
                "                )\n"
                "            ),\n",
            ),
        ),
        ("deleted, and sent again",),
    ),
    Mutant(
        "what is being called off is called off again, for another reason",
        (
            Edit(
                PAYMENT,
                '        self._must_be("canceled", *CANCELABLE)\n',
                '        self._must_be("canceled", State.CANCELING, *CANCELABLE)\n',
            ),
        ),
        ("declined, and a cancellation",),
    ),
    Mutant(
        "a second capture overtakes the first",
        (
            Edit(
                PAYMENT,
                '        self._must_be("captured", State.AUTHORIZED)\n',
                '        self._must_be("captured", State.AUTHORIZED, State.CAPTURING)\n',
            ),
        ),
        ("manual",),
    ),
    Mutant(
        "what stands in the way of a capture is not looked at twice",
        (
            Edit(
                CHANGE,
                "                if await self.payments.find_request(request_id) is None:\n"
                "                    raise\n                continue\n",
                "                raise\n",
            ),
        ),
        ("one capture, sent twice",),
    ),
    Mutant(
        "a cancellation that came too late is told to have worked",
        (Edit(CHANGE, "        payment.check_canceled()\n", ""),),
        ("cancel",),
    ),
)
