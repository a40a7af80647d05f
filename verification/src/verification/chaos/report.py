"""What a run found: as JSON for `make report`, as text for people."""

import json
import subprocess
from collections import Counter
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from oncepay_cli.local.paths import REPOSITORY
from verification.chaos.oracle import DOUBLE, KINDS, LOST, Finding
from verification.chaos.plan import Plan
from verification.chaos.quiescence import Quiescence
from verification.reliability.figures import CONFIDENCE, quantile

IN_OTHER_LINES = ("plan", "commit", "quiescence", "findings")
MAX_FINDINGS = 20
"""How many are shown to people; the JSON has all."""
LOG_FIELDS = ("event", "error", "sqlstate", "reason")
"""The fields of a log line that distinguish one kind of error from another."""


@dataclass(frozen=True)
class Report:
    """Everything that was counted.

    Attributes:
        commit: what was tried, where git knows.
        points: kills by where they hit; faults: everything else that was done; passed: how often each
            named operation was answered.
        orders, calls, codes: what the clients asked for, and the answers by their code.
        charged: intents that took or hold money.
        resumed: how often the reader of events resumed from its cursor.
        decided_during_faults, decided_after_faults: how long outcomes stayed unknown, in seconds, see
            `quiescence.decision_times`.
        alarms: what the services logged as an error, by its kind.
    """

    plan: Plan
    commit: str
    kills: dict[str, int]
    database_kills: int
    points: dict[str, int]
    faults: dict[str, int]
    passed: dict[str, int]
    orders: int
    calls: int
    codes: dict[str, int]
    payments: dict[str, int]
    refunds: dict[str, int]
    refund_codes: dict[str, int]
    notifications: int
    charged: int
    events: int
    resumed: int
    quiescence: Quiescence
    decided_during_faults: list[float]
    decided_after_faults: list[float]
    alarms: dict[str, int]
    findings: list[Finding]

    @property
    def found(self) -> Counter[str]:
        return Counter(finding.kind for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """Everything."""
        payments = sum(self.payments.values())
        return asdict(self) | {
            "service_kills": sum(self.kills.values()),
            "found": {kind: self.found[kind] for kind in KINDS},
            "bound": CONFIDENCE / payments if payments and not self.findings else None,
        }

    def as_text(self) -> str:
        """The same, for people: a line for each attribute, the largest counts first."""
        counted = [field.name for field in fields(self) if field.name not in IN_OTHER_LINES]
        rest = self.quiescence
        lines = [
            f"{self.plan.design} at {self.commit}, seed {self.plan.seed}",
            *(f"  {name.replace('_', ' ')}: {_words(getattr(self, name))}" for name in counted),
            f"  at rest {rest.seconds:.0f} s after the faults' end;"
            f" {len(rest.brought_forward)} brought forward; {len(rest.unfinished)} never",
            f"  double charges: {self.found[DOUBLE]}; lost: {self.found[LOST]};"
            f" all findings: {len(self.findings)}",
            *(f"    {one.kind}: {one.message}" for one in self.findings[:MAX_FINDINGS]),
        ]
        if self.payments and not self.findings:
            rate = f"1 in {sum(self.payments.values()) / CONFIDENCE:.0f}"
            lines.append(f"  so, with 95 % confidence, under these faults: less than {rate}")
        return "\n".join(lines)

    def write(self, folder: Path, name: str) -> Path:
        """The JSON's path."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.json"
        path.write_text(json.dumps(self.as_json(), indent=1, sort_keys=True) + "\n")
        return path


def commit() -> str:
    """The commit of this repository, and whether the work tree differs from it."""
    describe = ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(describe, capture_output=True, text=True, check=False)
    except OSError:
        return "no commit"
    return done.stdout.strip() or "no commit"


def alarms(logs: Path) -> dict[str, int]:
    """The errors that the services logged, by name and class: what would have raised an alert."""
    found: Counter[str] = Counter()
    for path in (*logs.glob("payment*.log"), *logs.glob("customer*.log")):
        for line in path.read_text(errors="replace").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if entry.get("level") in ("error", "critical"):
                found[" ".join(str(entry[name]) for name in LOG_FIELDS if name in entry)] += 1
    return dict(found)


def _words(value: dict[str, int] | list[float] | int) -> str:
    """Counts by name, the spread of durations, or a number."""
    if isinstance(value, dict):
        counted = Counter(value).most_common()
        return ", ".join(f"{count} {name}" for name, count in counted) or "none"
    if isinstance(value, list):
        shares = {"p50": 0.5, "p99": 0.99, "max": 1}
        spread = (f"{name} {quantile(value, share):.1f} s" for name, share in shares.items())
        return ", ".join([str(len(value)), *spread]) if value else "none"
    return str(value)
