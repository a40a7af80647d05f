"""Planned faults: what the sandbox does wrong on purpose, for the next requests or by chance.

What happens inside Stripe (`fail_before`, `fail_after`) is handed to `transition`; the rest happens
between Stripe and its caller and never touches what there is.
"""

import json
import random
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What goes wrong."""

    SLOW = "slow"  # waits `seconds`, then does it
    SLOW_REPLY = "slow_reply"  # does it, then waits `seconds`
    REFUSE = "refuse"  # answers `status`; nothing is done, nothing kept under the key
    DROP = "drop"  # closes the connection; nothing is done
    FAIL_BEFORE = "fail_before"  # 500, kept under the key; nothing is done
    FAIL_AFTER = "fail_after"  # does it; 500, kept under the key
    LOSE_REPLY = "lose_reply"  # does it, closes the connection
    BREAK_BODY = "break_body"  # does it, closes the connection in the middle of the body


@dataclass(frozen=True, slots=True)
class Fault:
    """One plan. It fires on requests whose "METHOD /path" `match` finds (a regular expression), with
    `probability`, at most `times` times (None: for ever). Raises ValueError where it makes no sense.
    """

    kind: Kind
    match: str = ""
    times: int | None = 1
    probability: float = 1.0
    seconds: float = 0.0
    status: int = 500

    def __post_init__(self) -> None:
        try:
            re.compile(self.match)
        except re.error as wrong:
            raise ValueError(f"match is no regular expression: {wrong}") from None
        if self.times is not None and self.times < 1:
            raise ValueError("times is 1 or more, or null for ever")
        if not 0 <= self.probability <= 1 or self.seconds < 0 or not 400 <= self.status <= 599:
            raise ValueError(
                "probability is 0 to 1, seconds are not negative, status is 4xx or 5xx"
            )


def fault(text: str) -> Fault:
    """A plan from its JSON: {"kind": "lose_reply", "match": "POST .*/confirm", "times": 2}.

    Raises ValueError or TypeError, with a sentence.
    """
    given = json.loads(text)
    if not isinstance(given, dict):
        raise TypeError("a fault is a JSON object")
    return Fault(**{**given, "kind": Kind(given.get("kind"))})


class Faults:
    """The plans, first come first served, and the chance that decides among them."""

    def __init__(self, seed: int = 0, plans: Iterable[Fault] = ()) -> None:
        self._plans = [(plan, plan.times) for plan in plans]
        self._chance = random.Random(seed)  # noqa: S311 - a seed repeats a run; no secret

    def plan(self, plan: Fault) -> None:
        """Add one."""
        self._plans.append((plan, plan.times))

    def clear(self, seed: int | None = None) -> None:
        """Forget all, and begin the chance anew with `seed`."""
        self._plans.clear()
        if seed is not None:
            self._chance.seed(seed)

    def planned(self) -> list[tuple[Fault, int | None]]:
        """What is planned, and how often it may still fire."""
        return list(self._plans)

    def next_for(self, line: str) -> Fault | None:
        """The fault that this request ("POST /v1/...") meets, if any. Uses it up by one."""
        for place, (plan, left) in enumerate(self._plans):
            if not re.search(plan.match, line) or self._chance.random() >= plan.probability:
                continue
            if left == 1:
                del self._plans[place]
            elif left is not None:
                self._plans[place] = (plan, left - 1)
            return plan
        return None

    def uniform(self, least: float, most: float) -> float:
        """A number between, by the same chance."""
        return self._chance.uniform(least, most)
