"""Many runs: in this process, or on every core by ranges of seeds."""

import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from verification.simulator.simulation import Outcome, Simulation
from verification.simulator.trace import Trace

CHUNK = 100
"""How many seeds a process takes at once."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A seed that broke a rule: the sentences, and the run's last lines."""

    seed: int
    broken: tuple[str, ...]
    trace: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """What was broken first."""
        return self.broken[0]

    def __str__(self) -> str:
        return "\n".join((f"seed {self.seed}:", *self.broken, *self.trace))


@dataclass(slots=True)
class Tally:
    """What many runs came to."""

    seeds: int = 0
    payments: int = 0
    calls: int = 0
    days: float = 0.0
    seconds: float = 0.0
    met: "Counter[str]" = field(default_factory=Counter)
    broken: dict[int, tuple[str, ...]] = field(default_factory=dict)

    def add(self, outcome: Outcome) -> None:
        """One run more."""
        self.seeds += 1
        self.payments += outcome.payments
        self.calls += outcome.calls
        self.days += outcome.days
        self.met += outcome.met
        if outcome.broken:
            self.broken[outcome.seed] = outcome.broken

    def figures(self) -> dict[str, Any]:
        """For a file."""
        return {
            "seeds": self.seeds,
            "seconds": round(self.seconds, 1),
            "payments": self.payments,
            "calls": self.calls,
            "virtual_days": round(self.days),
            "gone_wrong": dict(sorted(self.met.items())),
            "violations": {str(seed): broken for seed, broken in sorted(self.broken.items())},
        }

    def join(self, other: "Tally") -> None:
        """What another process counted."""
        self.seeds += other.seeds
        self.payments += other.payments
        self.calls += other.calls
        self.days += other.days
        self.met += other.met
        self.broken |= other.broken


def find_violation(seeds: Iterable[int]) -> Violation | None:
    """The first of these seeds that breaks a rule, in this process, with the code as it is now."""
    for seed in seeds:
        if broken := Simulation(seed).run().broken:
            return Violation(seed, broken, replay(seed).trace)
    return None


def replay(seed: int) -> Violation:
    """One run again, told to its end."""
    trace = Trace()
    outcome = Simulation(seed, trace).run()
    return Violation(seed, outcome.broken, tuple(trace.lines))


def simulate(seeds: range, processes: int | None = None) -> Iterator[Tally]:
    """Every seed of a range; after each chunk of them, what all came to so far."""
    tally, began = Tally(), time.perf_counter()
    chunks = [seeds[place : place + CHUNK] for place in range(0, len(seeds), CHUNK)]
    with ProcessPoolExecutor(processes or os.cpu_count()) as pool:
        for counted in pool.map(simulate_here, chunks):
            tally.join(counted)
            tally.seconds = time.perf_counter() - began
            yield tally


def simulate_here(seeds: range) -> Tally:
    """Some seeds, in this process."""
    tally = Tally()
    for seed in seeds:
        tally.add(Simulation(seed).run())
    return tally


def told(tally: Tally) -> str:
    """A tally in a few lines."""
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(tally.met.items()))
    rate = tally.seeds / tally.seconds if tally.seconds else 0
    return "\n".join(
        (
            f"{tally.seeds:,} seeds, {rate:.0f} a second; {tally.payments:,} payments, "
            f"{tally.calls:,} calls, {tally.days / 365:,.1f} virtual years",
            f"gone wrong: {kinds}",
            f"{len(tally.broken)} violations",
            *chain.from_iterable(
                (f"  seed {seed}: {sentence}" for sentence in broken)
                for seed, broken in sorted(tally.broken.items())[:20]
            ),
        )
    )
