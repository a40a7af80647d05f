"""What the processor does wrong: the sandbox's own faults, by chance, in a profile that changes."""

import asyncio
import random
from collections import Counter
from typing import Any

from verification.client import ask_sandbox

CHANGE_SECONDS = 10.0
MAX_TIMES = 100_000
"""Of one fault, more than can happen before it is removed; what is left of it gives the count."""
API = "^(GET|POST) /v1/"
POSTS = "^POST /v1/payment_intents"
WEBHOOKS = "^WEBHOOK "
SLOWER_THAN_CALLS = 22.0
"""Seconds: an effect that comes after its caller's time-out of 20."""
FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "slow", "match": API, "probability": 0.05, "seconds": 0.7},
    {"kind": "slow", "match": POSTS, "probability": 0.004, "seconds": SLOWER_THAN_CALLS},
    {"kind": "slow_reply", "match": API, "probability": 0.03, "seconds": 1.0},
    {"kind": "slow_reply", "match": POSTS, "probability": 0.004, "seconds": SLOWER_THAN_CALLS},
    {"kind": "refuse", "match": API, "probability": 0.03, "status": 503},
    {"kind": "refuse", "match": API, "probability": 0.01, "status": 409},
    {"kind": "refuse", "match": API, "probability": 0.02, "status": 429},
    {"kind": "fail_before", "match": API, "probability": 0.03},
    {"kind": "fail_after", "match": API, "probability": 0.03},
    {"kind": "lose_reply", "match": API, "probability": 0.04},
    {"kind": "break_body", "match": API, "probability": 0.02},
    {"kind": "drop", "match": API, "probability": 0.02},
    # Webhooks overtake each other, get lost for a while, and come twice.
    {"kind": "slow", "match": WEBHOOKS, "probability": 0.2, "seconds": 2.5},
    {"kind": "drop", "match": WEBHOOKS, "probability": 0.1},
    {"kind": "lose_reply", "match": WEBHOOKS, "probability": 0.2},
)
FACTORS = (0.0, 1.0, 1.0, 3.0)
"""Of the probabilities above, one of which holds for a while."""


class FaultProfile:
    """`counted` gets how often each kind of fault happened."""

    def __init__(self, sandbox_port: int, chance: random.Random, counted: Counter[str]) -> None:
        self._port = sandbox_port
        self._random = chance
        self._counted = counted

    async def change_for_ever(self) -> None:
        """Change between no faults, the usual ones and more, every few seconds."""
        while True:
            await self.clear()
            factor = self._random.choice(FACTORS)
            for fault in FAULTS if factor else ():
                more = {"times": MAX_TIMES, "probability": fault["probability"] * factor}
                await asyncio.to_thread(ask_sandbox, self._port, "POST", "faults", fault | more)
            await asyncio.sleep(CHANGE_SECONDS)

    async def clear(self) -> None:
        """Remove every fault, and count how often each happened."""
        armed = (await asyncio.to_thread(ask_sandbox, self._port, "GET", "faults"))["faults"]
        await asyncio.to_thread(ask_sandbox, self._port, "DELETE", "faults")
        for fault in armed:
            kind = fault["kind"] + (f" {fault['status']}" if fault["kind"] == "refuse" else "")
            side = "webhooks" if fault["match"] == WEBHOOKS else "the processor"
            if times := MAX_TIMES - fault["times"]:
                self._counted[f"{side}: {kind}"] += times
