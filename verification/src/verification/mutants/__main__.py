"""`python -m verification.mutants [WORD ...] [--json FILE]`: run every mutant, or those whose mistake
contains a word. Exit code 1 where one survives.
"""

import argparse
import statistics
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from verification.mutants.catalogue import MUTANTS
from verification.mutants.runner import Result, run_mutant
from verification.output import write_figures, write_line
from verification.world.trace_format import shorten_ids

MAX_CONCURRENT_MUTANTS = 2
UNITS = {"explorer": "steps", "simulator": "seeds"}
"""What a result's cost counts, by its tool."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the mutants, two at a time, and print what killed each."""
    parser = argparse.ArgumentParser(prog="python -m verification.mutants", description=__doc__)
    parser.add_argument("words", nargs="*", help="only mistakes that contain one of these")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    options = parser.parse_args(arguments)
    chosen = [
        each
        for each in MUTANTS
        if not options.words or any(word in each.mistake for word in options.words)
    ]
    results = []
    with ThreadPoolExecutor(MAX_CONCURRENT_MUTANTS) as threads:
        for result in threads.map(run_mutant, chosen):
            results.append(result)
            write_line(format_result(result))
    write_figures(options.json, [figures(each) for each in results])
    write_line(summary(results))
    return 0 if all(result.tool for result in results) else 1


def format_result(result: Result) -> str:
    """Two lines on a mutant that was killed, one on a mutant that survived."""
    if not result.tool:
        return f"SURVIVED    {result.mutant.mistake}"
    return (
        f"{result.cost:4} {UNITS[result.tool]}  {result.mutant.mistake}\n"
        f"            {result.tool}, {result.where}: {shorten_ids(result.violation)}"
    )


def summary(results: Sequence[Result]) -> str:
    """How many were killed, by which tool, at which median cost."""
    parts = [f"{sum(bool(result.tool) for result in results)} of {len(results)} killed"]
    for tool, unit in UNITS.items():
        costs = [result.cost for result in results if result.tool == tool]
        if costs:
            parts.append(f"{len(costs)} by the {tool}, median {statistics.median(costs):g} {unit}")
    return "; ".join(parts)


def figures(result: Result) -> dict[str, object]:
    """A result as JSON."""
    return {
        "mutant": result.mutant.mistake,
        "tool": result.tool,
        "where": result.where,
        "cost": result.cost,
        "violation": result.violation,
    }


if __name__ == "__main__":
    sys.exit(main())
