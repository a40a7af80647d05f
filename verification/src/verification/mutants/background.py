"""Mistakes of what works by itself: the schedule, claims, notifications, the stream of events.

The explorer has no schedule: in its worlds anybody may take anything up at any time. So these are
for the simulator to notice, where a payment that nobody takes up stays where it is.
"""

from verification.mutants.mutant import Edit, Mutant

SCHEDULE = "domain/schedule.py"
MEMORY = "repository/memory.py"
RECOVERY = "service_layer/recovery.py"
EVENTS = "service_layer/events.py"
LONG = Edit(SCHEDULE, "JITTER = 0.2\n", "JITTER = 0.2\nYEARS = timedelta(days=9999)\n")

BACKGROUND = (
    Mutant(
        "a payment is build_payment without a time to look at it",
        (Edit(MEMORY, "        self._store.schedule(build_payment.id, CLAIM_LASTS)\n", ""),),
    ),
    Mutant(
        "a claim does not set the next look",
        (
            Edit(
                MEMORY,
                "            self.due[each] = now + CLAIM_LASTS\n        return claimed",
                "            self.due.pop(each)\n        return claimed",
            ),
        ),
    ),
    Mutant(
        "a saved payment is not looked at again",
        (
            Edit(
                MEMORY,
                "        self._store.schedule(row.id, None if saved.is_settled else CLAIM_LASTS)\n",
                "        self._store.schedule(row.id, None)\n",
            ),
        ),
    ),
    Mutant(
        "a payment is given up after three looks",
        (
            Edit(
                SCHEDULE,
                "    return wait(attempt, jitter, unreachable=unreachable)\n\n\n"
                "def until_next_look_at_refund(",
                "    return wait(attempt, jitter, unreachable=unreachable) if attempt < 3 else YEARS"
                "\n\n\ndef until_next_look_at_refund(",
            ),
            LONG,
        ),
    ),
    Mutant(
        "a payer is waited for by webhooks alone",
        (
            Edit(
                SCHEDULE,
                "        return min(later, ends) if ends > timedelta(0) else later\n",
                "        return YEARS\n",
            ),
            LONG,
        ),
    ),
    Mutant(
        "a hold is waited for by webhooks alone",
        (
            Edit(
                SCHEDULE,
                "        return min(DAILY, ends) if ends > timedelta(0) else wait(attempt, jitter)\n",
                "        return YEARS\n",
            ),
            LONG,
        ),
    ),
    Mutant(
        "a refund is given up after three looks",
        (
            Edit(
                SCHEDULE,
                "    return wait(attempt, jitter, unreachable=unreachable)\n\n\ndef wait(",
                "    return wait(attempt, jitter, unreachable=unreachable) if attempt < 3 else YEARS"
                "\n\n\ndef wait(",
            ),
            LONG,
        ),
    ),
    Mutant(
        "nobody takes up refunds",
        (
            Edit(
                RECOVERY,
                "        due = await self._claimed(self.refunds.refund_repository.claim_due, places)\n",
                "        due: Sequence[DueRefund] = []\n",
            ),
        ),
    ),
    Mutant(
        "the first error ends recovery",
        (
            Edit(
                RECOVERY,
                "        except Exception as error:  # noqa: BLE001 (the database is away: look "
                "again in a second)\n            self.on_unexpected_error(error)\n            return []\n",
                "        except ValueError as error:\n"
                "            self.on_unexpected_error(error)\n            return []\n",
            ),
        ),
    ),
    Mutant(
        "a reader of events goes on from the beginning of its page",
        (
            Edit(
                EVENTS,
                "                yield event\n                cursor = event.cursor\n",
                "                yield event\n            cursor = page[0].cursor if page else cursor\n",
            ),
        ),
    ),
    Mutant(
        "a reader of events goes on before what it has read",
        (
            Edit(
                MEMORY,
                "if cursors.read(each.cursor, ERA) > after][:limit]",
                "if cursors.read(each.cursor, ERA) >= after][:limit]",
            ),
        ),
    ),
    Mutant(
        "an event is written for what did not happen",
        (
            Edit(
                "domain/events.py",
                "    if after.request != before.request:\n"
                "        return NewEvent(EventType.UPDATED)\n    return None\n",
                "    return NewEvent(EventType.UPDATED)\n",
            ),
        ),
    ),
)
