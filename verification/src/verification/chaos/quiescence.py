"""Quiescence: after the faults, until no payment and no refund is in progress, and how long that took."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from verification.chaos.ledger import processor_records
from verification.chaos.testbed import Testbed

POLL_SECONDS = 1.0
BROUGHT_FORWARD_SECONDS = 15.0
BROUGHT_FORWARD_TIMES = 12
"""What was brought forward is due at once, and an attempt may take its 20 s."""
IN_PROGRESS = """
SELECT 'payment ' || id || ' ' || state AS what FROM payments
 WHERE held_time IS NULL AND state IN ('CONFIRMING', 'CAPTURING', 'CANCELING')
 UNION ALL SELECT 'refund ' || id || ' ' || state FROM refunds WHERE state = 'PENDING'
"""
WAITING = """
SELECT id, intent_id, state FROM payments WHERE state IN ('REQUIRES_ACTION', 'AUTHORIZED')
"""
STATUS_BY_STATE = {"REQUIRES_ACTION": "requires_action", "AUTHORIZED": "requires_capture"}
BRING_FORWARD = """
WITH late AS (
    UPDATE payments SET due_time = now()
     WHERE due_time > now() AND held_time IS NULL AND state NOT IN ('SUCCEEDED', 'FAILED', 'CANCELED')
), refunds_late AS (
    UPDATE refunds SET due_time = now() WHERE due_time > now() AND state = 'PENDING'
) SELECT
"""
DECIDED = """
SELECT payment_id, request_id, extract(epoch FROM min(event_time)) AS decided_at
  FROM payment_events JOIN payments ON id = payment_id
 WHERE type IN ('payment.succeeded', 'payment.failed', 'payment.canceled', 'payment.authorized',
                'payment.requires_action', 'payment.held')
 GROUP BY payment_id, request_id
"""
"""When the outcome of a payment was first known: final, or for its payer, its merchant or us to decide."""


@dataclass
class Quiescence:
    """How everything came to rest.

    Attributes:
        began: when every fault was off and every process up, seconds since 1970.
        in_progress: how many payments and refunds were in progress then.
        seconds: how long it took from then.
        brought_forward: what waited for a later look (10 minutes, an hour) than a run can wait: a
            refund, for example, whose POST was answered 500, until its key has expired.
        unfinished: what did not come to rest even so.
    """

    began: float
    in_progress: int = 0
    seconds: float = 0.0
    brought_forward: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)


async def reach_quiescence(testbed: Testbed, patience: float) -> Quiescence:
    """Wait by the schedule; then bring forward what is due later, as a clock would."""
    found = Quiescence(time.time(), len(await in_progress(testbed)))
    found.unfinished = found.brought_forward = await _wait(testbed, patience)
    for _ in range(BROUGHT_FORWARD_TIMES):
        if not found.unfinished:
            break
        await testbed.rows(BRING_FORWARD)
        found.unfinished = await _wait(testbed, BROUGHT_FORWARD_SECONDS)
    found.seconds = time.time() - found.began
    return found


async def _wait(testbed: Testbed, patience: float) -> list[str]:
    """Until nothing is in progress, or patience is at its end; what still is."""
    until = time.monotonic() + patience
    while True:
        left = await in_progress(testbed)
        if not left or time.monotonic() > until:
            return left
        await asyncio.sleep(POLL_SECONDS)


async def in_progress(testbed: Testbed) -> list[str]:
    """The payments and refunds that Payment still has to work on."""
    left = [row["what"] for row in await testbed.rows(IN_PROGRESS)]
    waiting = await testbed.rows(WAITING)
    if not left and waiting:
        left = await asyncio.to_thread(_decided_at_processor, testbed, waiting)
    return left


def _decided_at_processor(testbed: Testbed, waiting: list[Any]) -> list[str]:
    """Of those that wait for their payer or merchant: the ones that the processor has decided since."""
    records = processor_records(testbed.ledger)
    found = []
    for row in waiting:
        intent = records.intent(row["intent_id"])
        if intent is None or intent.status.value != STATUS_BY_STATE[row["state"]]:
            found.append(f"payment {row['id']} {row['state']}")
    return found


async def decision_times(
    testbed: Testbed, first_unknown: dict[str, float], quiescence_began: float
) -> tuple[list[float], list[float]]:
    """How long outcomes stayed unknown, in seconds: from the first broken call (or PROCESSING) to the
    decision, while faults went on; and, of those that were unknown at their end, from then.
    """
    during_faults, after_faults = [], []
    for row in await testbed.rows(DECIDED):
        decided_at = float(row["decided_at"])
        unknown_at = first_unknown.get(str(row["request_id"]))
        if unknown_at is not None and unknown_at < decided_at <= quiescence_began:
            during_faults.append(round(decided_at - unknown_at, 2))
        if decided_at > quiescence_began and (unknown_at is None or unknown_at <= quiescence_began):
            after_faults.append(round(decided_at - quiescence_began, 2))
    return during_faults, after_faults
