"""What a run found: as JSON for `make report`, as text for people."""

import json
import subprocess
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from oncepay_cli.local.paths import REPOSITORY
from verification.chaos.oracle import DOUBLE, KINDS, LOST, Finding
from verification.chaos.plan import Plan
from verification.chaos.quiescence import Quiescence
from verification.reliability.figures import CONFIDENCE, quantile

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
        """The same, for people."""
        plan, rest = self.plan, self.quiescence
        payments = sum(self.payments.values())
        lines = [
            f"{plan.design} at {self.commit}, seed {plan.seed}, keys live {plan.key_life} s",
            f"  killed: {sum(self.kills.values())} services, {self.database_kills} times PostgreSQL",
            *(f"    {count:5} {name}" for name, count in _by_count(self.points)),
            "  other faults:",
            *(f"    {count:5} {name}" for name, count in _by_count(self.faults)),
            f"  {self.orders} orders in {self.calls} calls; {payments} payments:"
            f" {_counts(self.payments)}; {self.charged} charged or held;"
            f" refunds: {_counts(self.refunds)}",
            f"  answers: {_counts(self.codes)}; to refunds: {_counts(self.refund_codes)}",
            f"  webhook notifications: {self.notifications}",
            f"  events: {self.events}; the reader resumed from its cursor {self.resumed} times",
            f"  unknown outcomes decided, faults going on: {_spread(self.decided_during_faults)}",
            f"  unknown outcomes decided, from the faults' end: {_spread(self.decided_after_faults)}",
            f"  at rest {rest.seconds:.0f} s after the faults' end;"
            f" {len(rest.brought_forward)} brought forward; {len(rest.unfinished)} never",
            f"  alarms: {_counts(self.alarms)}",
            f"  double charges: {self.found[DOUBLE]}, lost: {self.found[LOST]}, all findings:"
            f" {len(self.findings)} ({_counts(self.found)})",
            *(f"    {one.kind}: {one.message}" for one in self.findings[:MAX_FINDINGS]),
        ]
        if payments and not self.findings:
            rate = f"1 in {payments / CONFIDENCE:.0f}"
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


def _by_count(counted: Mapping[str, int]) -> list[tuple[str, int]]:
    return Counter(counted).most_common()


def _counts(counted: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in _by_count(counted)) or "none"


def _spread(seconds: list[float]) -> str:
    if not seconds:
        return "none"
    p50, p99, most = (quantile(seconds, share) for share in (0.5, 0.99, 1))
    return f"{len(seconds)}; p50 {p50:.1f} s, p99 {p99:.1f} s, max {most:.1f} s"
