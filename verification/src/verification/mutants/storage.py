"""Mistakes of the store, of captures, cancellations, deletions and of repeated requests."""

from verification.mutants.mutant import Edit, mutant

MEMORY = "repository/memory.py"
PAYMENT = "domain/payment.py"
CHANGE = "service_layer/change_payment.py"
REQUESTS = "service_layer/idempotent_requests.py"

CONFLICTS = "if found.same_request or found.same_id or found.same_reference or same_intent:"
LOOKS_UP_AGAIN = """
if await self.payments.find_request(request_id) is None:
    raise
continue
"""


def holds_reference_unless(*states: str) -> Edit:
    """A payment in one of these states lets another one have its reference."""
    names = ", ".join(f"State.{state}" for state in states)
    return Edit(
        MEMORY,
        "return not payment.state.ended_without_money",
        f"return payment.state not in {{{names}}}",
    )


STORAGE = (
    mutant(
        "the insert has no deadline",
        Edit(MEMORY, "if found.now >= insert_by:", "if False:"),
        scenarios=["automatic capture, the insert's deadline passes"],
    ),
    mutant(
        "the insert does not test the reference",
        Edit(MEMORY, CONFLICTS, CONFLICTS.replace("found.same_reference or ", "")),
        scenarios=["one reference, two requests"],
    ),
    mutant(
        "the insert does not test the request_id",
        Edit(MEMORY, CONFLICTS, CONFLICTS.replace("found.same_request or ", "")),
        scenarios=["automatic capture, keys live"],
    ),
    mutant(
        "the insert replaces the payment of the same request",
        Edit(
            MEMORY,
            f"""
            {CONFLICTS}
                return None
            """,
            """
            if (other := found.same_request):
                del self._store.payments[other.id]
            """,
        ),
        scenarios=["automatic capture, keys live"],
    ),
    mutant(
        "a save does not compare versions",
        Edit(MEMORY, "if fence(row) != fence(before):", "if False:"),
        scenarios=["cancel", "declined"],
    ),
    mutant(
        "a payment in CANCELING gives its reference up",
        holds_reference_unless("FAILED", "CANCELED", "CANCELING"),
        scenarios=["one reference, two requests, one canceled"],
    ),
    mutant(
        "a payment that SUCCEEDED gives its reference up",
        holds_reference_unless("FAILED", "CANCELED", "SUCCEEDED"),
        scenarios=["one reference, two requests"],
    ),
    mutant(
        "a deleted payment gives its request_id up",
        Edit(
            MEMORY,
            "same_request=self._first(lambda one: one.request.request_id == request_id)",
            "same_request=self._first(lambda one: one.request.request_id == request_id "
            "and one.delete_time is None)",
        ),
        scenarios=["deleted, and sent again"],
    ),
    mutant(
        "a payment in CANCELING is canceled again, for another reason",
        Edit(
            PAYMENT,
            "self._require('canceled', *CANCELABLE)",
            "self._require('canceled', State.CANCELING, *CANCELABLE)",
        ),
        scenarios=["declined, and canceled"],
    ),
    mutant(
        "a second capture overtakes the first",
        Edit(
            PAYMENT,
            "self._require('captured', State.AUTHORIZED)",
            "self._require('captured', State.AUTHORIZED, State.CAPTURING)",
        ),
        scenarios=["manual capture"],
    ),
    mutant(
        "a rejected capture is not looked up again",
        Edit(
            CHANGE,
            "await self.requests.run_once(request_id, content, write)",
            "await self.payments.find_request(request_id) or await write() "
            "or await self.requests.run_once(request_id, content, write)",
        ),
        scenarios=["one capture, sent twice"],
    ),
    mutant(
        "a cancellation that came too late is answered as if it had worked",
        Edit(CHANGE, "payment.check_canceled()", ""),
        scenarios=["cancel"],
    ),
    mutant(
        "run_once does not compare fingerprints",
        Edit(REQUESTS, "if found.fingerprint != fingerprint:", "if False:"),
        scenarios=["one request_id, two captures"],
    ),
    mutant(
        "run_once does not look a rejected request up again",
        Edit(REQUESTS, LOOKS_UP_AGAIN, "raise"),
        scenarios=["one capture, sent twice", "one refund of more than half, sent twice"],
    ),
)
