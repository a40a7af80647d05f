"""`python -m proof.chaos.summary FOLDER`: the reports of a folder, added up by design, as a table.

Runs add up because each begins with nothing and is judged by itself. What ended without a report
is in no sum.
"""

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proof.chaos.oracle import DOUBLE, LOST
from proof.chaos.peace import Spread
from proof.chaos.report import CONFIDENCE

NAMED = 12
"""How many of the named points, and of the other faults, are listed."""


@dataclass
class Total:
    """Everything of one design. Durations in seconds."""

    runs: int = 0
    services: int = 0
    databases: int = 0
    orders: int = 0
    payments: Counter[str] = field(default_factory=Counter)
    refunds: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    alarms: Counter[str] = field(default_factory=Counter)
    under_fire: list[float] = field(default_factory=list)
    after: list[float] = field(default_factory=list)
    put_forward: int = 0
    left: int = 0

    def add(self, report: dict[str, Any]) -> None:
        """One run more."""
        self.runs += 1
        self.services += report["service_kills"]
        self.databases += report["database_kills"]
        self.orders += report["orders"]
        for name in ("payments", "refunds", "found", "points", "faults", "alarms"):
            getattr(self, name).update(report[name])
        self.under_fire += report["under_fire"]
        self.after += report["after"]
        self.put_forward += report["rest"]["put_forward"]
        self.left += len(report["rest"]["left"])

    def lines(self) -> Iterable[tuple[str, str]]:
        """What is said of it, and the figure."""
        made = sum(self.payments.values())
        yield "runs", str(self.runs)
        yield "services killed", f"{self.services:,}"
        yield "PostgreSQL's tree killed", f"{self.databases:,}"
        yield (
            "orders / payments / refunds",
            (f"{self.orders:,} / {made:,} / {sum(self.refunds.values()):,}"),
        )
        yield "double charges", str(self.found[DOUBLE])
        yield "lost payments", str(self.found[LOST])
        yield "all findings", str(sum(self.found.values()))
        if made and not sum(self.found.values()):
            yield "so, with 95 % confidence, fewer than", f"1 in {made / CONFIDENCE:,.0f}"
        yield "unknown outcomes decided, faults going on", _spread(self.under_fire)
        yield "unknown outcomes decided, from the faults' end", _spread(self.after)
        yield "put forward / never at rest", f"{self.put_forward} / {self.left}"
        yield "alarms", _most(self.alarms)
        yield "killed where", _most(self.points)
        yield "other faults", _most(self.faults)


def total(reports: Iterable[dict[str, Any]]) -> dict[str, Total]:
    """The sums, by design."""
    totals: dict[str, Total] = defaultdict(Total)
    for report in reports:
        totals[report["plan"]["design"]].add(report)
    return dict(totals)


def _spread(seconds: list[float]) -> str:
    spread = Spread.of(seconds)
    return (
        f"{spread.count:,}: p50 {spread.p50:.1f} s, p99 {spread.p99:.1f} s, max {spread.most:.1f} s"
    )


def _most(counted: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counted.most_common(NAMED)) or "none"


def main() -> None:
    folder = Path(sys.argv[1])
    totals = total(json.loads(path.read_text()) for path in sorted(folder.glob("*.json")))
    for design, added in sorted(totals.items()):
        sys.stdout.write(f"| {design} | |\n|---|---|\n")
        sys.stdout.writelines(f"| {name} | {figure} |\n" for name, figure in added.lines())
        sys.stdout.write("\n")


if __name__ == "__main__":
    main()
