"""Makes the copy of the code that holds a mistake, and lets the tools loose on it."""

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
from verification.mutants.mutant import Mutant

LIMIT = 400_000
"""States of a scenario after which the explorer gives up."""
SEEDS = 5_000
"""Seeds after which the simulator does."""
PATIENCE = 600.0
"""Seconds for one mutant."""


@dataclass(frozen=True, slots=True)
class Catch:
    """What noticed a mutant, and how: empty where nothing did. `cost`: the steps of the shortest way
    for the explorer, the seeds that were tried for the simulator.
    """

    mutant: Mutant
    tool: str = ""
    where: str = ""
    cost: int = 0
    sentence: str = ""


@contextmanager
def copy_with(mutant: Mutant) -> Iterator[Path]:
    """A folder with the package `payment` in it, with the mistake. Raises Stale."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        package = Path(folder, "payment")
        shutil.copytree(Path(payment.__file__).parent, package)
        for edit in mutant.edits:
            edit.make(package)
        yield Path(folder)


def hunt(mutant: Mutant) -> Catch:
    """Let the tools loose on a mutant, each in a process of its own that imports the copy."""
    with copy_with(mutant) as folder:
        for scenario in mutant.scenarios:
            found = explored(folder, scenario)
            if found is not None:
                steps, sentence = found
                return Catch(mutant, "explorer", scenario, steps, sentence)
        found = None if mutant.scenarios else simulated(folder)
        if found is not None:
            seeds, sentence = found
            return Catch(mutant, "simulator", f"seed {seeds}", seeds, sentence)
    return Catch(mutant)


def explored(folder: Path, scenario: str) -> tuple[int, str] | None:
    """The length of the way to the first broken rule, and the rule."""
    lines = run(
        folder,
        "import json, sys\n"
        "from verification.explorer.exploring import explore\n"
        "from verification.explorer.scenarios import SCENARIOS\n"
        "one = next(each for each in SCENARIOS if each.name == sys.argv[1])\n"
        "found = explore(one, int(sys.argv[2]))\n"
        "print(json.dumps([len(found.way), found.broken]))\n",
        scenario,
        str(LIMIT),
    )
    steps, broken = json.loads(lines)
    return (steps, broken[0]) if broken else None


def simulated(folder: Path) -> tuple[int, str] | None:
    """The number of seeds up to the first violation, and what it says."""
    lines = run(
        folder,
        "import json, sys\n"
        "from verification.simulator import find_violation\n"
        "found = find_violation(range(int(sys.argv[1])))\n"
        "print(json.dumps(found and [found.seed + 1, found.broken[0]]))\n",
        str(SEEDS),
    )
    found = json.loads(lines)
    return None if found is None else (found[0], found[1])


def run(folder: Path, program: str, *arguments: str) -> str:
    """The last line that a program prints which imports the copy."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return done.stdout.strip().splitlines()[-1]
