"""`python -m verification.explorer`: explore the scenarios, and say what was found.

    --slice            those that take under a minute together
    --wide             each with one fault more, and each with one replica more: half an hour
    --limit N          leave a scenario after so many states, and say so
    --json FILE        write the figures there
    NAME ...           only the scenarios whose names contain one of these

Exit code 1 where a rule is broken: the shortest way to it is printed, in words.
"""

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from verification.explorer.exploring import Explored, explore
from verification.explorer.scenarios import SCENARIOS, Scenario, larger


def main(arguments: Sequence[str] | None = None) -> int:
    """Explore side by side, on all cores; the largest first."""
    parser = argparse.ArgumentParser(prog="python -m verification.explorer", description=__doc__)
    parser.add_argument("names", nargs="*", help="only what contains one of these")
    parser.add_argument("--slice", action="store_true", help="under a minute")
    parser.add_argument("--wide", action="store_true", help="one fault more, one replica more")
    parser.add_argument("--limit", type=int, default=1_500_000, help="states of one scenario")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    asked = parser.parse_args(arguments)
    chosen = tuple(chosen_by(asked.names, is_slice=asked.slice, is_wide=asked.wide))
    if not chosen:
        parser.error("no scenario has such a name")
    began = time.perf_counter()
    say(f"{'scenario':45} {'faults':>6} {'threads':>7} {'states':>9} {'depth':>5} {'time':>8}")
    found = []
    with multiprocessing.Pool(min(len(chosen), multiprocessing.cpu_count())) as pool:
        jobs = [pool.apply_async(explore, (each, asked.limit)) for each in chosen]
        for job in jobs:
            found.append(job.get())
            say(row(found[-1]))
    return report(found, time.perf_counter() - began, asked.json)


def chosen_by(names: Sequence[str], *, is_slice: bool, is_wide: bool) -> list[Scenario]:
    """The scenarios that were asked for."""
    scenarios = list(larger(SCENARIOS)) if is_wide else list(SCENARIOS)
    if is_slice:
        scenarios = [each for each in scenarios if each.in_slice]
    return [each for each in scenarios if not names or any(name in each.name for name in names)]


def row(one: Explored) -> str:
    """A line of the table."""
    asked = one.scenario
    line = f"{asked.name:45} {asked.faults:6} {asked.threads:7} {one.states:9,} {one.depth:5}"
    ending = "" if one.is_whole else "  not whole"
    return f"{line} {one.seconds:6.1f} s{'  BROKEN' if one.broken else ending}"


def report(found: Sequence[Explored], seconds: float, path: Path | None) -> int:
    """The sum, and the ways to what is broken."""
    states = sum(one.states for one in found)
    broken = [one for one in found if one.broken]
    say(f"{states:,} states in {seconds:.0f} s: {len(broken)} scenarios broken")
    for one in broken:
        say(f"\n{one.scenario.name}:")
        for sentence in one.broken:
            say(f"  BROKEN: {sentence}")
        for number, line in enumerate(one.way, 1):
            say(f"  {number:3} {line}")
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps([figures(one) for one in found], indent=1) + "\n")
    return 1 if broken else 0


def figures(one: Explored) -> dict[str, object]:
    """What was found, for machines."""
    return {
        "scenario": one.scenario.name,
        "faults": one.scenario.faults,
        "threads": one.scenario.threads,
        "states": one.states,
        "depth": one.depth,
        "seconds": round(one.seconds, 1),
        "whole": one.is_whole,
        "broken": one.broken,
        "steps": len(one.way),
    }


def say(line: str) -> None:
    """On the standard output, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
