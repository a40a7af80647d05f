"""Runs the explorer or the simulator on a copy of the code that holds a mistake."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import payment
from verification.mutants.mutant import Mutant, Stale

MAX_STATES = 400_000
"""States of a scenario after which the explorer gives up."""
MAX_SEEDS = 5_000
"""Seeds after which the simulator gives up."""
TIMEOUT_SECONDS = 600.0
"""For one tool on one mutant."""
ERRORS_OF_A_WRONG_EDIT = ("NameError", "UnboundLocalError", "AttributeError", "TypeError")
EXPLORE = """
import json, sys
from verification.explorer.scenarios import SCENARIOS
from verification.explorer.search import explore
scenario = next(each for each in SCENARIOS if each.name == sys.argv[1])
found = explore(scenario, int(sys.argv[2]))
print(json.dumps(found.violations and [len(found.trace), found.violations[0]]))
"""
SIMULATE = """
import json, sys
from verification.simulator import find_violation
found = find_violation(range(int(sys.argv[1])))
print(json.dumps(found and [found.seed + 1, found.violations[0]]))
"""


@dataclass(frozen=True, slots=True)
class Result:
    """Which tool killed a mutant, and how; `tool` is empty where the mutant survived.

    Attributes:
        cost: the transitions of the explorer's shortest trace, or the seeds that the simulator ran.
    """

    mutant: Mutant
    tool: str = ""
    where: str = ""
    cost: int = 0
    violation: str = ""


@contextmanager
def copy_with(mutant: Mutant) -> Iterator[Path]:
    """A folder with the package `payment` in it, with the mistake. Raises Stale."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        package = Path(folder, "payment")
        shutil.copytree(Path(payment.__file__).parent, package)
        for edit in mutant.edits:
            edit.apply(package)
        yield Path(folder)


def run_mutant(mutant: Mutant) -> Result:
    """Let the tools find the mistake, each in a process of its own that imports the copy. Raises Stale
    where the copy does not run: that would be found without any rule.
    """
    with copy_with(mutant) as folder:
        result = run_tools(mutant, folder)
    if any(error in result.violation for error in ERRORS_OF_A_WRONG_EDIT):
        raise Stale(f"{mutant.mistake}: {result.violation}")
    return result


def run_tools(mutant: Mutant, folder: Path) -> Result:
    """Explore the mutant's scenarios, or simulate where it has none."""
    for scenario in mutant.scenarios:
        if found := run_tool(folder, EXPLORE, scenario, str(MAX_STATES)):
            return Result(mutant, "explorer", scenario, *found)
    if not mutant.scenarios and (found := run_tool(folder, SIMULATE, str(MAX_SEEDS))):
        return Result(mutant, "simulator", f"seed {found[0] - 1}", *found)
    return Result(mutant)


def run_tool(folder: Path, program: str, *arguments: str) -> tuple[int, str] | None:
    """The cost and the first violation that a program prints which imports the copy; None where it
    found none.
    """
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    found = json.loads(done.stdout.strip().splitlines()[-1])
    return (found[0], found[1]) if found else None
