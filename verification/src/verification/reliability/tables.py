"""The tables of the report, as Markdown. In a page each is between two comments, the first with its name."""

import re
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from verification.reliability.figures import CONFIDENCE, ChaosRuns, Figures, quantile

DESIGNS = {
    "oncepay": "Oncepay",
    "charge_first": "charge first, save after",
    "save_first": "save, charge without a key, a time-out is a failure",
}
UNITS = {"explorer": "steps", "simulator": "seeds"}


def tables(figures: Figures) -> dict[str, str]:
    """By their names; a table without figures is left as it is in the page."""
    found = {"summary": summary(figures)}
    if figures.explored:
        found["explorer"] = explored(figures.explored)
    if figures.explored_wide:
        found["explorer, wide"] = explored(figures.explored_wide)
    if figures.mutants:
        found["mutants"] = mutants(figures.mutants)
    if figures.simulated:
        found["simulator"] = simulated(figures.simulated)
    if figures.chaos:
        found["chaos"] = chaos(figures.chaos)
    if "oncepay" in figures.chaos:
        found["faults"] = faults(figures.chaos["oncepay"])
        found["recovery"] = recovery(figures.chaos["oncepay"])
    return found


def fill(pages: Sequence[str], made: dict[str, str]) -> list[str]:
    """The pages, with each table in its place, which is in exactly one of them."""
    filled = list(pages)
    for name, table in made.items():
        place = re.compile(rf"(?<=<!-- {re.escape(name)} -->\n).*?(?=<!-- / -->)", re.S)
        paths = [
            (index, found) for index, page in enumerate(filled) if (found := place.search(page))
        ]
        if len(paths) != 1:
            raise ValueError(f"{len(paths)} pages have a place for the table {name!r}, not 1")
        ((index, found),) = paths
        filled[index] = filled[index][: found.start()] + f"{table}\n" + filled[index][found.end() :]
    return filled


def rows(
    heads: Sequence[str], lines: Iterable[Sequence[object]], *, to_the_left: bool = False
) -> str:
    """A table; all columns but the first are numbers, to the right, unless they are words."""
    aligned = ["---", *["---" if to_the_left else "---:"] * (len(heads) - 1)]
    cells = [heads, aligned, *lines]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in cells)


def summary(figures: Figures) -> str:
    """One line for each tool: how much ran, and what it found."""
    lines: list[tuple[object, ...]] = []
    for name, runs in (
        ("explorer", figures.explored),
        ("explorer, wider", figures.explored_wide),
    ):
        stopped = sum(not run["whole"] for run in runs)
        ran = f"{len(runs)} scenarios, {sum(run['states'] for run in runs):,} states"
        broken = sum(len(run["broken"]) for run in runs)
        lines.append((name, f"{ran}, {stopped} not whole", f"**{broken}** violations"))
    if run := figures.simulated:
        ran = f"{run['seeds']:,} seeds, {run['payments']:,} payments, {run['virtual_days']:,} days"
        lines.append(("simulator", ran, f"**{len(run['violations'])}** violations"))
    caught = sum(bool(one["tool"]) for one in figures.mutants)
    lines.append(("mutants", f"{len(figures.mutants)} planted", f"**{caught}** caught"))
    if ours := figures.chaos.get("oncepay"):
        kills = f"{ours.service_kills + ours.database_kills:,} kills"
        ran = f"{ours.runs} runs, {kills}, {ours.calls:,} calls, {ours.payments:,} payments"
        found = f"**{ours.doubles}** double charges, **{ours.lost}** lost payments"
        lines.append(("chaos runs", ran, found))
    return rows(("tool", "what ran", "what it found"), lines, to_the_left=True)


def explored(runs: Sequence[dict[str, Any]]) -> str:
    """One line for each scenario."""
    lines: list[tuple[object, ...]] = [
        (
            run["scenario"],
            run["faults"],
            run["threads"],
            f"{run['states']:,}" + ("" if run["whole"] else " (not whole)"),
            run["depth"],
            len(run["broken"]),
            f"{run['seconds']:.0f} s",
        )
        for run in runs
    ]
    states = sum(run["states"] for run in runs)
    seconds = sum(run["seconds"] for run in runs)
    broken = sum(bool(run["broken"]) for run in runs)
    lines.append(("**all**", "", "", f"**{states:,}**", "", f"**{broken}**", f"{seconds:.0f} s"))
    heads = ("scenario", "faults", "threads", "states", "depth", "violations", "CPython, one core")
    return rows(heads, lines)


def mutants(caught: Sequence[dict[str, Any]]) -> str:
    """How many, by which tool, at which cost; and each by name."""
    lines = [
        (
            one["mutant"],
            one["tool"] or "**got away**",
            f"{one['cost']} {UNITS.get(one['tool'], '')}",
        )
        for one in caught
    ]
    counted = [f"{sum(bool(one['tool']) for one in caught)} of {len(caught)} caught"]
    for tool, unit in UNITS.items():
        costs = [one["cost"] for one in caught if one["tool"] == tool]
        if costs:
            middle = statistics.median(costs)
            counted.append(f"{len(costs)} by the {tool} (median {middle:g} {unit})")
    return "; ".join(counted) + ".\n\n" + rows(("mistake", "caught by", "after"), lines)


def simulated(run: dict[str, Any]) -> str:
    """The run, and what went wrong in it."""
    rate = run["seeds"] / run["seconds"] if run["seconds"] else 0
    first = rows(
        ("seeds", "payments", "calls", "virtual days", "seeds per second", "violations"),
        [
            (
                f"{run['seeds']:,}",
                f"{run['payments']:,}",
                f"{run['calls']:,}",
                f"{run['virtual_days']:,}",
                f"{rate:.0f}",
                len(run["violations"]),
            )
        ],
    )
    wrong = rows(
        ("what went wrong", "times"),
        [(name, f"{count:,}") for name, count in run["gone_wrong"].items()],
    )
    return f"{first}\n\n{wrong}"


def chaos(designs: dict[str, ChaosRuns]) -> str:
    """Oncepay and the baselines, a line each."""
    lines = []
    for design, name in DESIGNS.items():
        if design not in designs:
            continue
        runs = designs[design]
        is_clean = runs.payments and not runs.findings
        bound = f"1 in {runs.payments // CONFIDENCE:,}" if is_clean else "none"
        lines.append(
            (
                name,
                runs.runs,
                f"{runs.service_kills:,}",
                f"{runs.database_kills:,}",
                f"{runs.calls:,}",
                f"{runs.payments:,}",
                f"**{runs.doubles:,}**",
                f"**{runs.lost:,}**",
                bound,
            )
        )
    heads = (
        *("design", "runs", "service kills", "PostgreSQL kills", "calls", "payments"),
        *("double charges", "lost", "95 % bound"),
    )
    return rows(heads, lines)


def faults(runs: ChaosRuns) -> str:
    """Kills by their point, and everything else that went wrong."""
    counted = [*runs.points.most_common(), *runs.faults.most_common()]
    return rows(("fault", "times"), [(name, f"{count:,}") for name, count in counted])


def recovery(runs: ChaosRuns) -> str:
    """How long an unknown outcome stays unknown."""
    lines = []
    for name, values in (
        ("while faults went on", runs.decided_during_faults),
        ("from the end of the faults", runs.decided_after_faults),
    ):
        if values:
            spread = (f"{quantile(values, share):.1f} s" for share in (0.5, 0.99, 1))
            lines.append((name, f"{len(values):,}", *spread))
    return rows(("unknown outcomes, decided", "count", "p50", "p99", "max"), lines)
