"""The explorer: its scenarios hold, its search is complete, and it reports the shortest trace.

That it finds mistakes is the subject of the tests of `verification.mutants`.
"""

import re
import subprocess
import sys
from pathlib import Path

from verification.explorer.scenarios import SCENARIOS, Scenario, copies, request
from verification.explorer.search import explore
from verification.mutants.catalogue import MUTANTS
from verification.mutants.runner import copy_with

SLICE_STATES = range(1_250_000, 1_450_000)
"""States of the slice: a number outside means that worlds have shrunk or grown."""


def scenario(name: str) -> Scenario:
    return next(each for each in SCENARIOS if each.name == name)


def run_explorer(*arguments: str, path: Path | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "verification.explorer", *arguments],
        env={"PYTHONPATH": str(path)} if path else None,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_slice_is_explored_completely_without_a_violation() -> None:
    explored = run_explorer("--slice")
    assert explored.returncode == 0, explored.stdout + explored.stderr
    assert "not complete" not in explored.stdout
    total = re.search(r"^([\d,]+) states in .* 0 scenarios violated$", explored.stdout, re.M)
    assert total is not None, explored.stdout
    assert int(total[1].replace(",", "")) in SLICE_STATES


def test_the_same_scenario_has_the_same_states() -> None:
    first, second = (explore(scenario("automatic capture, keys live")) for _ in range(2))
    assert first.is_complete
    assert (first.states, first.depth) == (second.states, second.depth)


def test_one_more_fault_adds_states() -> None:
    without = explore(Scenario("no fault", copies(2, request(1)), faults=0))
    with_one = explore(Scenario("one fault", copies(2, request(1)), faults=1))
    assert without.is_complete
    assert with_one.is_complete
    assert with_one.states > 10 * without.states


def test_a_search_ends_at_its_limit_and_says_that_it_is_not_complete() -> None:
    explored = explore(scenario("manual capture"), limit=1000)
    assert not explored.is_complete
    assert explored.states < 1100


def test_a_violation_is_reported_with_the_shortest_trace_to_it() -> None:
    mistake = "the card is confirmed before the payment is recorded"
    mutant = next(each for each in MUTANTS if each.mistake == mistake)
    with copy_with(mutant) as folder:
        explored = run_explorer("automatic capture, keys live", path=folder)
    assert explored.returncode == 1
    report = explored.stdout.split("VIOLATION: ")[1]
    assert "was confirmed (succeeded), and no payment is bound to it" in report
    calls = [line.split("]: ")[1] for line in report.splitlines() if "]: " in line]
    assert [call.split("(")[0] for call in calls] == [
        "payments.find_conflicts",
        "processor.create",
        "processor.post",
    ]
