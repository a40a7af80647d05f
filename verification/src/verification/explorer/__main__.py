"""`python -m verification.explorer`: explore scenarios, and print what was found.

    --slice            those that take under a minute together
    --wide             each with one fault more, and each with one replica more: half an hour
    --limit N          leave a scenario after so many states, and say so
    --json FILE        write the figures there
    NAME ...           only the scenarios whose names contain one of these

Exit code 1 where a rule is violated: the shortest trace to it is printed.
"""

import argparse
import multiprocessing
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from verification.explorer.scenarios import SCENARIOS, Scenario, larger
from verification.explorer.search import SearchResult, explore
from verification.output import write_figures, write_line
from verification.world.trace_format import shorten_ids


def main(arguments: Sequence[str] | None = None) -> int:
    """Explore the scenarios in parallel, on all cores."""
    parser = argparse.ArgumentParser(prog="python -m verification.explorer", description=__doc__)
    parser.add_argument("names", nargs="*", help="only what contains one of these")
    parser.add_argument("--slice", action="store_true", help="under a minute")
    parser.add_argument("--wide", action="store_true", help="one fault more, one replica more")
    parser.add_argument("--limit", type=int, default=1_500_000, help="states of one scenario")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    options = parser.parse_args(arguments)
    chosen = choose(options.names, is_slice=options.slice, is_wide=options.wide)
    if not chosen:
        parser.error("no scenario has such a name")
    began = time.perf_counter()
    write_line(
        f"{'scenario':60} {'faults':>6} {'threads':>7} {'states':>9} {'depth':>5} {'time':>8}"
    )
    results = []
    with multiprocessing.Pool(min(len(chosen), multiprocessing.cpu_count())) as pool:
        jobs = [pool.apply_async(explore, (each, options.limit)) for each in chosen]
        for job in jobs:
            results.append(job.get())
            write_line(format_row(results[-1]))
    return report(results, time.perf_counter() - began, options.json)


def choose(names: Sequence[str], *, is_slice: bool, is_wide: bool) -> list[Scenario]:
    """The scenarios that the options ask for."""
    scenarios = list(larger(SCENARIOS)) if is_wide else list(SCENARIOS)
    if is_slice:
        scenarios = [each for each in scenarios if each.in_slice]
    return [each for each in scenarios if not names or any(name in each.name for name in names)]


def format_row(result: SearchResult) -> str:
    """A line of the table."""
    scenario = result.scenario
    line = f"{scenario.name:60} {scenario.faults:6} {scenario.threads:7}"
    line += f" {result.states:9,} {result.depth:5} {result.seconds:6.1f} s"
    if result.violations:
        return f"{line}  VIOLATED"
    return line if result.is_complete else f"{line}  not complete"


def report(results: Sequence[SearchResult], seconds: float, path: Path | None) -> int:
    """Print the sum and the traces to violations, and write the figures. Returns the exit code."""
    states = sum(result.states for result in results)
    violated = [result for result in results if result.violations]
    write_line(f"{states:,} states in {seconds:.0f} s: {len(violated)} scenarios violated")
    for result in violated:
        write_line(f"\n{result.scenario.name}:")
        for violation in result.violations:
            write_line(f"  VIOLATION: {shorten_ids(violation)}")
        for number, line in enumerate(result.trace, 1):
            write_line(f"  {number:3} {line}")
    write_figures(path, [figures(result) for result in results])
    return 1 if violated else 0


def figures(result: SearchResult) -> dict[str, object]:
    """A result as JSON."""
    return {
        "scenario": result.scenario.name,
        "faults": result.scenario.faults,
        "threads": result.scenario.threads,
        "states": result.states,
        "depth": result.depth,
        "seconds": round(result.seconds, 1),
        "whole": result.is_complete,
        "broken": result.violations,
        "steps": len(result.trace),
    }


if __name__ == "__main__":
    sys.exit(main())
