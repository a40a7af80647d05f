"""`python -m verification.mutants [WORD ...] [--json FILE]`: hunt every mutant, or those whose mistake
contains a word. Exit code 1 where one gets away.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from verification.explorer.__main__ import say
from verification.mutants.catalogue import MUTANTS
from verification.mutants.hunting import Catch, hunt

MAX_CONCURRENT_REQUESTS = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Hunt, two at a time, and say who was caught by what."""
    parser = argparse.ArgumentParser(prog="python -m verification.mutants", description=__doc__)
    parser.add_argument("words", nargs="*", help="only mistakes that contain one of these")
    parser.add_argument("--json", type=Path, help="where to write what was found")
    asked = parser.parse_args(arguments)
    chosen = [
        each for each in MUTANTS if not asked.words or any(w in each.mistake for w in asked.words)
    ]
    caught = []
    with ThreadPoolExecutor(MAX_CONCURRENT_REQUESTS) as threads:
        for catch in threads.map(hunt, chosen):
            caught.append(catch)
            say(told(catch))
    if asked.json:
        asked.json.parent.mkdir(parents=True, exist_ok=True)
        asked.json.write_text(json.dumps([figures(catch) for catch in caught], indent=1) + "\n")
    say(summary(caught))
    return 0 if all(catch.tool for catch in caught) else 1


def told(catch: Catch) -> str:
    """One line."""
    if not catch.tool:
        return f"GOT AWAY  {catch.mutant.mistake}"
    unit = "steps" if catch.tool == "explorer" else "seeds"
    how = f"{catch.tool}, {catch.where}: {catch.sentence}"
    return f"{catch.cost:4} {unit}  {catch.mutant.mistake}\n            {how}"


def summary(caught: Sequence[Catch]) -> str:
    """How many of how many, by which tool, at which median cost."""
    lines = [f"{sum(bool(catch.tool) for catch in caught)} of {len(caught)} caught"]
    for tool, unit in (("explorer", "steps"), ("simulator", "seeds")):
        costs = [catch.cost for catch in caught if catch.tool == tool]
        if costs:
            middle = statistics.median(costs)
            lines.append(f"{len(costs)} by the {tool}, median {middle:g} {unit}")
    return "; ".join(lines)


def figures(catch: Catch) -> dict[str, object]:
    """For machines."""
    found = asdict(catch)
    found["mutant"] = catch.mutant.mistake
    return found


if __name__ == "__main__":
    sys.exit(main())
