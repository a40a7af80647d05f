"""Many runs: in this process, or on every core by ranges of seeds."""

import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from verification.simulator.simulation import Outcome, Simulation
from verification.simulator.trace import Trace
from verification.world.trace_format import shorten_ids

CHUNK = 100
"""How many seeds a process takes at once."""
MAX_PRINTED_SEEDS = 20


@dataclass(frozen=True, slots=True)
class Violation:
    """A seed that violates a rule: the sentences, and the trace of its run."""

    seed: int
    violations: tuple[str, ...]
    trace: tuple[str, ...]

    def __str__(self) -> str:
        violations = map(shorten_ids, self.violations)
        return "\n".join((f"seed {self.seed}:", *violations, *self.trace))


@dataclass(slots=True)
class Tally:
    """The sum of many runs."""

    seeds: int = 0
    payments: int = 0
    calls: int = 0
    days: float = 0.0
    seconds: float = 0.0
    faults: "Counter[str]" = field(default_factory=Counter)
    violations: dict[int, tuple[str, ...]] = field(default_factory=dict)

    def add(self, other: "Tally") -> None:
        """Add other runs."""
        self.seeds += other.seeds
        self.payments += other.payments
        self.calls += other.calls
        self.days += other.days
        self.faults += other.faults
        self.violations |= other.violations

    def figures(self) -> dict[str, Any]:
        """The tally as JSON."""
        return {
            "seeds": self.seeds,
            "seconds": round(self.seconds, 1),
            "payments": self.payments,
            "calls": self.calls,
            "virtual_days": round(self.days),
            "gone_wrong": dict(sorted(self.faults.items())),
            "violations": {str(seed): found for seed, found in sorted(self.violations.items())},
        }

    def __str__(self) -> str:
        rate = self.seeds / self.seconds if self.seconds else 0
        lines = [
            f"{self.seeds:,} seeds, {rate:.0f} a second; {self.payments:,} payments, "
            f"{self.calls:,} calls, {self.days / 365:,.1f} virtual years",
            "faults: " + ", ".join(f"{n:,} {kind}" for kind, n in sorted(self.faults.items())),
            f"{len(self.violations)} seeds with violations",
        ]
        for seed, sentences in sorted(self.violations.items())[:MAX_PRINTED_SEEDS]:
            lines += (f"  seed {seed}: {shorten_ids(each)}" for each in sentences)
        return "\n".join(lines)


def find_violation(seeds: Iterable[int]) -> Violation | None:
    """The first of these seeds that violates a rule, in this process, with the code as it is now."""
    for seed in seeds:
        if Simulation(seed).run().violations:
            return replay(seed)
    return None


def replay(seed: int) -> Violation:
    """One run with its trace."""
    trace = Trace()
    outcome = Simulation(seed, trace).run()
    return Violation(seed, outcome.violations, tuple(trace.lines))


def simulate(seeds: range, processes: int | None = None) -> Iterator[Tally]:
    """Run every seed of a range; yields the sum so far, after each chunk."""
    tally, began = Tally(), time.perf_counter()
    chunks = [seeds[place : place + CHUNK] for place in range(0, len(seeds), CHUNK)]
    with ProcessPoolExecutor(processes or os.cpu_count()) as pool:
        for counted in pool.map(simulate_here, chunks):
            tally.add(counted)
            tally.seconds = time.perf_counter() - began
            yield tally


def simulate_here(seeds: range) -> Tally:
    """Run some seeds in this process."""
    tally = Tally()
    for seed in seeds:
        tally.add(tally_of(Simulation(seed).run()))
    return tally


def tally_of(run: Outcome) -> Tally:
    """The tally of one run."""
    violations = {run.seed: run.violations} if run.violations else {}
    return Tally(1, run.payments, run.calls, run.days, 0, run.faults, violations)
