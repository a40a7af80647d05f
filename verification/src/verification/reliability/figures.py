"""What each tool wrote, read and added up. A folder of JSON files, one for each run:

explore.json        `make explore FIGURES=FILE`
explore-wide.json   `make explore OPTIONS=--wide FIGURES=FILE`
mutants.json        `make mutants FIGURES=FILE`
simulate.json       `make simulate SEEDS=... FIGURES=FILE`
chaos-*.json        `make chaos FOLDER=...`: runs of Oncepay and of the baselines
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CONFIDENCE = 3
"""What was not seen in n has, with 95 % confidence, a rate below 3/n (the rule of three)."""


@dataclass(slots=True)
class ChaosRuns:
    """The chaos runs of one design, added up.

    Attributes:
        decided_during_faults, decided_after_faults: how long outcomes stayed unknown, in seconds: while
            faults went on, and from their end.
    """

    design: str
    runs: int = 0
    service_kills: int = 0
    database_kills: int = 0
    payments: int = 0
    charged: int = 0
    refunds: int = 0
    orders: int = 0
    calls: int = 0
    doubles: int = 0
    lost: int = 0
    findings: int = 0
    points: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    decided_during_faults: list[float] = field(default_factory=list)
    decided_after_faults: list[float] = field(default_factory=list)

    def add(self, run: dict[str, Any]) -> None:
        """Add a run."""
        self.runs += 1
        self.service_kills += run["service_kills"]
        self.database_kills += run["database_kills"]
        self.payments += sum(run["payments"].values())
        self.charged += run["charged"]
        self.refunds += sum(run["refunds"].values())
        self.orders += run["orders"]
        self.calls += run["calls"]
        self.doubles += run["found"]["double"]
        self.lost += run["found"]["lost"]
        self.findings += len(run["findings"])
        self.points += run["points"]
        self.faults += run["faults"]
        self.decided_during_faults += run["decided_during_faults"]
        self.decided_after_faults += run["decided_after_faults"]


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything that was measured; what was not is empty."""

    explored: Sequence[dict[str, Any]]
    explored_wide: Sequence[dict[str, Any]]
    mutants: Sequence[dict[str, Any]]
    simulated: dict[str, Any]
    chaos: dict[str, ChaosRuns]


def read(folder: Path) -> Figures:
    """The files of a folder."""
    chaos: dict[str, ChaosRuns] = {}
    for path in sorted(folder.glob("chaos-*.json")):
        run = json.loads(path.read_text())
        design = run["plan"]["design"]
        chaos.setdefault(design, ChaosRuns(design)).add(run)
    return Figures(
        explored=_read(folder / "explore.json", []),
        explored_wide=_read(folder / "explore-wide.json", []),
        mutants=_read(folder / "mutants.json", []),
        simulated=_read(folder / "simulate.json", {}),
        chaos=chaos,
    )


def _read(path: Path, nothing: Any) -> Any:
    return json.loads(path.read_text()) if path.exists() else nothing


def quantile(values: Sequence[float], share: float) -> float:
    """The value that this share of all do not pass, by the nearest rank."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]
