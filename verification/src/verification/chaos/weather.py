"""What the processor does wrong meanwhile: the sandbox's own faults, by chance, changed now and then."""

import asyncio
import random
from collections import Counter
from typing import Any

import aiohttp

CHANGE_SECONDS = 10.0
MANY = 100_000
"""Fires of one plan, more than can happen before it is taken back: the rest tells the count."""
API = "^(GET|POST) /v1/"
POSTS = "^POST /v1/payment_intents"
WEBHOOKS = "^WEBHOOK "
SLOWER_THAN_CALLS = 22.0
"""Seconds: an effect that comes after its caller's time-out of 20."""


def _plans() -> list[dict[str, Any]]:
    return [
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
    ]


class Weather:
    """`counted` gets how often each kind of fault happened."""

    def __init__(self, sandbox_port: int, chance: random.Random, counted: Counter[str]) -> None:
        self._url = f"http://127.0.0.1:{sandbox_port}/_sandbox/faults"
        self._chance = chance
        self._counted = counted

    async def change_for_ever(self) -> None:
        """Calm, bad or worse, anew every few seconds."""
        async with aiohttp.ClientSession() as session:
            while True:
                await self._count(session)
                factor = self._chance.choice([0.0, 1.0, 1.0, 3.0])
                for plan in _plans() if factor else []:
                    likely = plan["probability"] * factor
                    await session.post(
                        self._url, json={**plan, "times": MANY, "probability": likely}
                    )
                await asyncio.sleep(CHANGE_SECONDS)

    async def clear(self) -> None:
        async with aiohttp.ClientSession() as session:
            await self._count(session)

    async def _count(self, session: aiohttp.ClientSession) -> None:
        """Take what is planned back, and count what it did."""
        async with session.get(self._url) as reply:
            planned = (await reply.json())["faults"]
        async with session.delete(self._url) as reply:
            await reply.read()
        for plan in planned:
            what = plan["kind"] + (f" {plan['status']}" if plan["kind"] == "refuse" else "")
            side = "webhooks" if plan["match"] == WEBHOOKS else "the processor"
            if fired := MANY - plan["times"]:
                self._counted[f"{side}: {what}"] += fired
