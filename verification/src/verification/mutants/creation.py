"""Mistakes on the way from a request to its first answer."""

from verification.mutants.mutant import Edit, Mutant

CREATE = "service_layer/create_payment.py"
BIRTH = "domain/creation.py"

CONFIRM_OWN = "await self._confirm(Snapshot(payment, attempt.now), sent_at)"

CREATION = (
    Mutant(
        "the card is tried before the payment is recorded",
        (
            Edit(
                CREATE,
                "        return await self._record(payment, attempt, caller)\n",
                "        await self.processor.post(payment, Post(Operation.CONFIRM, idempotency_counter=0))\n"
                "        return await self._record(payment, attempt, caller)\n",
            ),
        ),
        ("automatic, no key dies",),
    ),
    Mutant(
        "an answer goes out before the insert is known to have worked",
        (
            Edit(
                CREATE,
                "            except CommitUnknown:\n                ambiguous = True\n"
                "                continue\n",
                "            except CommitUnknown:\n                return payment\n",
            ),
        ),
        ("automatic, no key dies",),
    ),
    Mutant(
        "the card is tried after an insert that nobody answered",
        (
            Edit(
                CREATE,
                "            except CommitUnknown:\n                ambiguous = True\n"
                "                continue\n",
                f"            except CommitUnknown:\n                return {CONFIRM_OWN}\n",
            ),
        ),
        ("automatic, no key dies",),
    ),
    Mutant(
        "an insert without an answer is settled by a look-up",
        (
            Edit(
                CREATE,
                "            except CommitUnknown:\n                ambiguous = True\n"
                "                continue\n",
                "            except CommitUnknown:\n"
                "                if (await self.payments.holders(payment)).same_id is None:\n"
                "                    await self._cancel_orphan(payment)\n"
                "                    raise TryAgain('it is not there') from None\n"
                "                continue\n",
            ),
        ),
        ("automatic, no key dies",),
    ),
    Mutant(
        "an insert without an answer is forgotten when the next one makes no row",
        (
            Edit(
                CREATE, "                ambiguous = True\n", "                ambiguous = False\n"
            ),
        ),
        ("automatic, hours pass", "one reference, a zombie inserts late"),
    ),
    Mutant(
        "the orphan is cancelled though its insert may still commit",
        (
            Edit(
                CREATE,
                "                    if not ambiguous or holders.same_request is not None:\n"
                "                        await",
                "                    if True:\n                        await",
            ),
        ),
        ("automatic, hours pass",),
    ),
    Mutant(
        "a loser confirms its own intent",
        (
            Edit(
                CREATE,
                "                    await self._cancel_orphan(payment)\n"
                "                    return other\n",
                f"                    return {CONFIRM_OWN}\n",
            ),
        ),
        ("automatic, no key dies",),
    ),
    Mutant(
        "a loser cancels the winner's intent",
        (
            Edit(
                CREATE,
                "                    await self._cancel_orphan(payment)\n"
                "                    return other\n",
                "                    await self._cancel_orphan(other)\n"
                "                    return other\n",
            ),
        ),
        ("automatic, no key dies",),
    ),
    Mutant(
        "a caller that leaves takes its recorded payment with it",
        (
            Edit(
                CREATE,
                "                caller.build_payment(row)\n"
                "                return await self._confirm(Snapshot(row, attempt.now), sent_at)\n",
                "                caller.build_payment(row)\n"
                "                if caller.is_gone() or ambiguous:\n"
                "                    await self._cancel_orphan(payment)\n"
                "                    raise TryAgain('the caller left')\n"
                "                return await self._confirm(Snapshot(row, attempt.now), sent_at)\n",
            ),
        ),
        ("automatic, no key dies",),
    ),
    Mutant(
        "a row of one's own is taken for another attempt's",
        (
            Edit(
                BIRTH,
                "        if holder.id == payment.id:\n            return OwnRow(holder)\n",
                "",
            ),
        ),
        ("automatic, no key dies",),
    ),
    Mutant(
        "after a lost race the reference is read before the request_id",
        (
            Edit(
                BIRTH,
                "    if holder := holders.same_request:\n        if holder.id == payment.id:",
                "    if (holder := holders.same_reference) and holder.id != payment.id:\n"
                "        return CreationFailed(ReferenceTaken('', str(holder.name)))\n"
                "    if holder := holders.same_request:\n        if holder.id == payment.id:",
            ),
        ),
        ("one reference, two requests",),
    ),
    Mutant(
        "at the look-up the reference is read before the request_id",
        (
            Edit(
                CREATE,
                "        if holders.same_request is not None:\n"
                "            return same(holders.same_request, request)\n"
                "        if holders.is_used:",
                "        if holders.same_reference is not None:\n"
                "            raise ReferenceTaken('', str(holders.same_reference.name))\n"
                "        if holders.same_request is not None:\n"
                "            return same(holders.same_request, request)\n"
                "        if holders.is_used:",
            ),
        ),
        ("one reference, two requests",),
    ),
    Mutant(
        "a refusal is told without another look for the request's payment",
        (
            Edit(
                CREATE,
                "            payment = build_payment(attempt, reply, self.installation)\n"
                "        except PaymentError as error:\n"
                "            return await self._made_by_another(request, error)\n",
                "            payment = build_payment(attempt, reply, self.installation)\n"
                "        except PaymentError as error:\n"
                "            raise self._told(error) from None\n",
            ),
        ),
        ("one attempt is refused",),
    ),
    Mutant(
        "whatever intent the processor names is bound",
        (
            Edit(
                BIRTH,
                "        case Intent() if fits(attempt, reply, installation):",
                "        case Intent() if reply.amount == attempt.request.amount:",
            ),
        ),
        ("a reply names another's intent",),
    ),
    Mutant(
        "the fence counts from an hour later",
        (
            Edit(
                BIRTH,
                "        return self.now + INSERT_WITHIN",
                "        return self.now + 60 * INSERT_WITHIN",
            ),
        ),
        ("automatic, hours pass",),
    ),
    Mutant(
        "an intent is created under the request's key, not the attempt's, and so is its id",
        (
            Edit(
                CREATE,
                "        attempt = CreationAttempt(self.new_id(), request, standing.etag, holders.now)\n",
                "        attempt = CreationAttempt(\n"
                "            request.request_id.uuid, request, standing.etag, holders.now\n"
                "        )\n",
            ),
        ),
        ("automatic",),
    ),
)
