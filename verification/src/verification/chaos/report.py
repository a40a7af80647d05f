"""What a run found: as JSON for machines, as text for people."""

import json
import subprocess
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from oncepay_cli.local.paths import REPOSITORY
from verification.chaos.oracle import DOUBLE, KINDS, LOST, Finding
from verification.chaos.peace import Rest, Spread
from verification.chaos.plan import Plan

SHOWN_FINDINGS = 20
CONFIDENCE = 3.0
"""Where nothing happened in n, the rate is under 3/n with 95 % confidence (the rule of three)."""


@dataclass(frozen=True)
class Report:
    """Attributes: charged: intents that took or hold money; rest, under_fire, after: see `peace`.

    commit: what was tried, where git knows; codes: the answers to callers, by their code.
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
    rest: Rest
    under_fire: list[float]
    after: list[float]
    alarms: dict[str, int]
    findings: list[Finding]

    @property
    def found(self) -> Counter[str]:
        return Counter(finding.kind for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """Everything."""
        made = sum(self.payments.values())
        return asdict(self) | {
            "service_kills": sum(self.kills.values()),
            "found": {kind: self.found[kind] for kind in KINDS},
            "bound": CONFIDENCE / made if made and not self.findings else None,
        }

    def as_text(self) -> str:
        """The same, for people."""
        made = sum(self.payments.values())
        lines = [
            f"{self.plan.design} at {self.commit}, seed {self.plan.seed},"
            f" keys live {self.plan.key_life} s",
            f"  killed: {sum(self.kills.values())} services, {self.database_kills} times PostgreSQL",
            *(f"    {count:5} {name}" for name, count in _most(self.points)),
            "  other faults:",
            *(f"    {count:5} {name}" for name, count in _most(self.faults)),
            f"  {self.orders} orders in {self.calls} calls; {made} payments: {_counts(self.payments)};"
            f" {self.charged} charged or held; refunds: {_counts(self.refunds)}",
            f"  answers: {_counts(self.codes)}; to refunds: {_counts(self.refund_codes)}",
            f"  webhooks taken: {self.notifications}",
            f"  events: {self.events}; the reader went on from its cursor {self.resumed} times",
            f"  unknown outcomes decided, faults going on: {_spread(Spread.of(self.under_fire))}",
            f"  unknown outcomes decided, from the faults' end: {_spread(Spread.of(self.after))}",
            f"  at rest {self.rest.seconds:.0f} s after the faults' end;"
            f" {len(self.rest.put_forward)} put forward; {len(self.rest.left)} never",
            f"  alarms: {_counts(self.alarms)}",
            f"  double charges: {self.found[DOUBLE]}, lost: {self.found[LOST]}, all findings:"
            f" {len(self.findings)} ({_counts(self.found)})",
            *(f"    {one.kind}: {one.words}" for one in self.findings[:SHOWN_FINDINGS]),
        ]
        if made and not self.findings:
            lines.append(
                f"  so, with 95 % confidence, under this storm: less than 1 in {made / CONFIDENCE:.0f}"
            )
        return "\n".join(lines)

    def write(self, folder: Path, name: str) -> Path:
        """Both, beside each other; where the JSON is."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.json"
        path.write_text(json.dumps(self.as_json(), indent=1, sort_keys=True) + "\n")
        path.with_suffix(".txt").write_text(self.as_text() + "\n")
        return path


def commit() -> str:
    """The commit of this repository, and whether the work tree differs from it."""
    describe = ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(describe, capture_output=True, text=True, check=False)
    except OSError:
        return "no commit"
    return done.stdout.strip() or "no commit"


NAMED = ("event", "error", "sqlstate", "reason")
"""What of an error's line tells one kind from another."""


def alarms(logs: Path) -> dict[str, int]:
    """The errors that the services logged, by name and class: what would have woken a person."""
    found: Counter[str] = Counter()
    for path in (*logs.glob("payment*.log"), *logs.glob("customer*.log")):
        for line in path.read_text(errors="replace").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if entry.get("level") in ("error", "critical"):
                found[" ".join(str(entry[each]) for each in NAMED if each in entry)] += 1
    return dict(found)


def _most(counted: Mapping[str, int]) -> list[tuple[str, int]]:
    return Counter(counted).most_common()


def _counts(counted: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in _most(counted)) or "none"


def _spread(spread: Spread) -> str:
    if not spread.count:
        return "none"
    return (
        f"{spread.count}; p50 {spread.p50:.1f} s, p99 {spread.p99:.1f} s, max {spread.most:.1f} s"
    )
