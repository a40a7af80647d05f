"""Fault injection: planned faults for the next requests, or random ones.

Failures inside Stripe (`fail_before`, `fail_after`) are passed to `transition`; all others happen between
Stripe and its caller and do not affect the state.
"""

import json
import random
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """The kinds of faults."""

    SLOW = "slow"  # waits `seconds`, then performs the request
    SLOW_REPLY = "slow_reply"  # performs the request, then waits `seconds`
    REFUSE = "refuse"  # answers `status`; does nothing and stores nothing under the key
    DROP = "drop"  # closes the connection; does nothing
    FAIL_BEFORE = "fail_before"  # 500, stored under the key; does nothing
    FAIL_AFTER = "fail_after"  # performs the request; 500, stored under the key
    LOSE_REPLY = "lose_reply"  # performs the request, closes the connection
    BREAK_BODY = (
        "break_body"  # performs the request, closes the connection in the middle of the body
    )


@dataclass(frozen=True, slots=True)
class Fault:
    """One planned fault. It fires on requests whose "METHOD /path" matches the regular expression `match`,
    with `probability`, at most `times` times (None: without a limit).

    Raises:
        ValueError: a field is invalid.
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
        except re.error as error:
            raise ValueError(f"match is not a regular expression: {error}") from None
        if self.times is not None and self.times < 1:
            raise ValueError("times is 1 or more, or null")
        if not 0 <= self.probability <= 1 or self.seconds < 0 or not 400 <= self.status <= 599:
            raise ValueError(
                "probability is 0 to 1, seconds are not negative, status is 4xx or 5xx"
            )


def fault(text: str) -> Fault:
    """Parse a fault: {"kind": "lose_reply", "match": "POST .*/confirm", "times": 2}.

    Raises:
        ValueError, TypeError: the JSON or a field is invalid.
    """
    given = json.loads(text)
    if not isinstance(given, dict):
        raise TypeError("a fault is a JSON object")
    return Fault(**{**given, "kind": Kind(given.get("kind"))})


class Faults:
    """The planned faults, in order, and the random numbers that decide whether one fires."""

    def __init__(self, seed: int = 0, plans: Iterable[Fault] = ()) -> None:
        self._plans = [(plan, plan.times) for plan in plans]
        self._random = random.Random(seed)  # noqa: S311 - a seed repeats a run; not a secret

    def plan(self, plan: Fault) -> None:
        """Add a fault."""
        self._plans.append((plan, plan.times))

    def clear(self, seed: int | None = None) -> None:
        """Remove all faults; with a `seed`, reset the random numbers."""
        self._plans.clear()
        if seed is not None:
            self._random.seed(seed)

    def planned(self) -> list[tuple[Fault, int | None]]:
        """The planned faults, and how often each may still fire."""
        return list(self._plans)

    def next_for(self, line: str) -> Fault | None:
        """The fault that fires on this request ("POST /v1/..."), if any; counts it."""
        for index, (plan, left) in enumerate(self._plans):
            if not re.search(plan.match, line) or self._random.random() >= plan.probability:
                continue
            if left == 1:
                del self._plans[index]
            elif left is not None:
                self._plans[index] = (plan, left - 1)
            return plan
        return None

    def uniform(self, minimum: float, maximum: float) -> float:
        """A random number between the two, from the same seed."""
        return self._random.uniform(minimum, maximum)
