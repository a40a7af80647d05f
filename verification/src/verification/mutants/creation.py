"""Mistakes from a request to its first response."""

from verification.mutants.mutant import Edit, mutant

CREATE = "service_layer/create_payment.py"
DOMAIN = "domain/creation.py"

NO_ANSWER = """
ambiguous = True
continue
"""
DUPLICATE = """
await self._cancel_orphan(payment)
return other
"""
CONFIRM_OWN = "return await self._confirm(Snapshot(payment, attempt.now), sent_at)"
CONFIRM_ROW = """
caller.on_created(row)
return await self._confirm(Snapshot(row, row.create_time), sent_at)
"""

CREATION = (
    mutant(
        "the card is confirmed before the payment is recorded",
        Edit(
            CREATE,
            "return await self._record(payment, attempt, caller)",
            """
            await self.driver.processor.post(payment, Post(Operation.CONFIRM, idempotency_counter=0))
            return await self._record(payment, attempt, caller)
            """,
        ),
        scenarios=["automatic capture, keys live"],
    ),
    mutant(
        "an insert without an answer counts as done",
        Edit(CREATE, NO_ANSWER, "return payment"),
        scenarios=["automatic capture, keys live"],
    ),
    mutant(
        "the card is confirmed after an insert without an answer",
        Edit(CREATE, NO_ANSWER, CONFIRM_OWN),
        scenarios=["automatic capture, keys live"],
    ),
    mutant(
        "an insert without an answer is settled by a look-up",
        Edit(
            CREATE,
            NO_ANSWER,
            """
            unique = (request.request_id, request.reference, payment.id)
            if (await self.payments.find_conflicts(*unique)).same_id is None:
                await self._cancel_orphan(payment)
                raise TryAgain('it is not there') from None
            continue
            """,
        ),
        scenarios=["automatic capture, keys live"],
    ),
    mutant(
        "an insert without an answer is forgotten when the next one makes no row",
        Edit(CREATE, "ambiguous = True", "ambiguous = False"),
        scenarios=[
            "automatic capture, the insert's deadline passes",
            "one reference, a paused replica inserts late",
        ],
    ),
    mutant(
        "the orphan is canceled although its insert may still commit",
        Edit(CREATE, "if not ambiguous or conflicts.same_request is not None:", "if True:"),
        scenarios=["automatic capture, the insert's deadline passes"],
    ),
    mutant(
        "the loser of a race confirms its own intent",
        Edit(CREATE, DUPLICATE, CONFIRM_OWN),
        scenarios=["automatic capture, keys live"],
    ),
    mutant(
        "the loser of a race cancels the winner's intent",
        Edit(CREATE, DUPLICATE, DUPLICATE.replace("payment", "other")),
        scenarios=["automatic capture, keys live"],
    ),
    mutant(
        "a caller that disconnects takes its recorded payment with it",
        Edit(
            CREATE,
            CONFIRM_ROW,
            """
            caller.on_created(row)
            if caller.is_gone() or ambiguous:
                await self._cancel_orphan(payment)
                raise TryAgain('the caller left')
            return await self._confirm(Snapshot(row, row.create_time), sent_at)
            """,
        ),
        scenarios=["automatic capture, keys live"],
    ),
    mutant(
        "an attempt's own row is taken for another attempt's",
        Edit(
            DOMAIN,
            """
            if found.id == payment.id:
                return OwnRow(found)
            """,
            "",
        ),
        scenarios=["automatic capture, keys live"],
    ),
    mutant(
        "after a lost race the reference is compared before the request_id",
        Edit(
            DOMAIN,
            """
            if (found := conflicts.same_request):
                if found.id == payment.id:
            """,
            """
            if (found := conflicts.same_reference) and found.id != payment.id:
                return CreationFailed(ReferenceTaken('', str(found.name)))
            if (found := conflicts.same_request):
                if found.id == payment.id:
            """,
        ),
        scenarios=["one reference, two requests"],
    ),
    mutant(
        "before the creation the reference is compared before the request_id",
        Edit(
            CREATE,
            """
            if conflicts.same_request is not None:
                return same(conflicts.same_request, request)
            if conflicts.request_id_is_used:
            """,
            """
            if conflicts.same_reference is not None:
                raise ReferenceTaken('', str(conflicts.same_reference.name))
            if conflicts.same_request is not None:
                return same(conflicts.same_request, request)
            if conflicts.request_id_is_used:
            """,
        ),
        scenarios=["one reference, two requests"],
    ),
    mutant(
        "a rejection is raised without another look-up of the request",
        Edit(
            CREATE,
            "return await self._created_by_another(attempt.request, error)",
            "raise self._reported(error) from None",
        ),
        scenarios=["one attempt rejected"],
    ),
    mutant(
        "any intent that the processor names is bound",
        Edit(
            DOMAIN,
            "case Intent() if fits(attempt, reply, installation):",
            "case Intent() if reply.amount == attempt.request.amount:",
        ),
        scenarios=["a reply names another intent"],
    ),
    mutant(
        "the insert's deadline is an hour later",
        Edit(DOMAIN, "self.now + INSERT_WITHIN", "self.now + 60 * INSERT_WITHIN"),
        scenarios=["automatic capture, the insert's deadline passes"],
    ),
    mutant(
        "an intent is created under the request's key, not the attempt's, and so is its id",
        Edit(
            CREATE,
            "CreationAttempt(self.new_id(), request,",
            "CreationAttempt(request.request_id.uuid, request,",
        ),
        scenarios=["automatic capture"],
    ),
    mutant(
        "the content of a repeated request_id is not compared",
        Edit(CREATE, "if payment.fingerprint != request.fingerprint:", "if False:"),
        scenarios=["one request_id, two contents"],
    ),
    mutant(
        "after a lost race the content of the request_id is not compared",
        Edit(DOMAIN, "if found.fingerprint == payment.fingerprint:", "if True:"),
        scenarios=["one request_id, two contents"],
    ),
)
