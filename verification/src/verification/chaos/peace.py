"""After the storm: until everything is at rest, and how long that took."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from verification.chaos.arena import Arena
from verification.chaos.ledger import books

POLL_SECONDS = 1.0
PUT_FORWARD_SECONDS = 15.0
PUT_FORWARD_TIMES = 12
"""What was put forward is due at once, and an attempt may take its 20 s."""
UNDER_WAY = """
SELECT 'payment ' || id || ' ' || state AS what FROM payments
 WHERE held_time IS NULL AND state IN ('CONFIRMING', 'CAPTURING', 'CANCELING')
 UNION ALL SELECT 'refund ' || id || ' ' || state FROM refunds WHERE state = 'PENDING'
"""
WAITING = """
SELECT id, intent_id, state FROM payments WHERE state IN ('REQUIRES_ACTION', 'AUTHORIZED')
"""
RESTS = {"REQUIRES_ACTION": "requires_action", "AUTHORIZED": "requires_capture"}
PUT_FORWARD = """
WITH late AS (
    UPDATE payments SET due_time = now()
     WHERE due_time > now() AND held_time IS NULL AND state NOT IN ('SUCCEEDED', 'FAILED', 'CANCELED')
), back AS (
    UPDATE refunds SET due_time = now() WHERE due_time > now() AND state = 'PENDING'
) SELECT
"""
ENDED = """
SELECT payment_id, request_id, extract(epoch FROM min(event_time)) AS ended
  FROM payment_events JOIN payments ON id = payment_id
 WHERE type IN ('payment.succeeded', 'payment.failed', 'payment.canceled', 'payment.authorized',
                'payment.requires_action', 'payment.held')
 GROUP BY payment_id, request_id
"""
"""When a payment was first decided: by machines, for people, or for good."""


@dataclass
class Rest:
    """How everything came to rest.

    Attributes:
        began: when every fault was off and every part up, seconds since 1970.
        seconds: how long it took from then.
        put_forward: what waited for a later look (10 minutes, an hour) than a run can wait: a
            refund, for example, whose POST was answered 500, until its key has died.
        left: what did not come to rest even so.
        open_at_first: how many were under way when it began.
    """

    began: float
    open_at_first: int
    seconds: float = 0.0
    put_forward: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


async def come_to_rest(arena: Arena, patience: float) -> Rest:
    """Wait by the schedule; then put forward what is due later, as a clock would."""
    began = time.time()
    rest = Rest(began, len(await under_way(arena)))
    rest.left = await _wait(arena, patience)
    rest.put_forward = rest.left
    for _ in range(PUT_FORWARD_TIMES):
        if not rest.left:
            break
        await arena.rows(PUT_FORWARD)
        rest.left = await _wait(arena, PUT_FORWARD_SECONDS)
    rest.seconds = time.time() - began
    return rest


async def _wait(arena: Arena, patience: float) -> list[str]:
    """Until nothing is under way, or patience is at its end; what is still."""
    until = time.monotonic() + patience
    while True:
        left = await under_way(arena)
        if not left or time.monotonic() > until:
            return left
        await asyncio.sleep(POLL_SECONDS)


async def under_way(arena: Arena) -> list[str]:
    """The payments that machines still have to do with."""
    left = [row["what"] for row in await arena.rows(UNDER_WAY)]
    waiting = await arena.rows(WAITING)
    if not left and waiting:
        left = await asyncio.to_thread(_moved_on, arena, waiting)
    return left


def _moved_on(arena: Arena, waiting: list[dict[str, Any]]) -> list[str]:
    """Of those that wait for people: the ones for which the processor does not, any more."""
    intents = books(arena.paths.sandbox / "ledger.jsonl")
    found = []
    for row in waiting:
        intent = intents.intent(row["intent_id"])
        if intent is None or intent.status.value != RESTS[row["state"]]:
            found.append(f"payment {row['id']} {row['state']}")
    return found


@dataclass(frozen=True, slots=True)
class Spread:
    """Some durations, in seconds."""

    count: int
    p50: float
    p99: float
    most: float

    @classmethod
    def of(cls, durations: Iterable[float]) -> "Spread":
        ordered = sorted(durations)
        if not ordered:
            return cls(0, 0.0, 0.0, 0.0)
        return cls(len(ordered), at(ordered, 0.50), at(ordered, 0.99), ordered[-1])


def at(ordered: Sequence[float], share: float) -> float:
    """The nearest rank."""
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


async def resolutions(
    arena: Arena, first_unknown: dict[str, float], peace_began: float
) -> tuple[list[float], list[float]]:
    """How long outcomes stayed unknown, in seconds: from the first broken call (or PROCESSING) to
    the decision, faults going on; and, of those that outlived the storm, from its end.
    """
    under_fire, after = [], []
    for row in await arena.rows(ENDED):
        ended = float(row["ended"])
        asked = first_unknown.get(str(row["request_id"]))
        if asked is not None and asked < ended <= peace_began:
            under_fire.append(round(ended - asked, 2))
        if ended > peace_began and (asked is None or asked <= peace_began):
            after.append(round(ended - peace_began, 2))
    return under_fire, after
