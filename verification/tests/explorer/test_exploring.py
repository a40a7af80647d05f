"""The explorer: that it explores what it says, and that what is broken does not get past it.

Whatever a rule's wrong version does is in `verification.mutants`; here a few of them show that the tools
see at all, each in seconds. `make mutants` hunts all of them.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import payment
from verification.explorer.exploring import explore
from verification.explorer.scenarios import SCENARIOS, Scenario, request, sent
from verification.mutants.catalogue import MUTANTS
from verification.mutants.hunting import copy_with, hunt
from verification.mutants.mutant import Edit, Mutant, Stale

MOST = 1_500_000
"""States of the slice: more means that something made the worlds grow."""


def named(name: str) -> Scenario:
    return next(each for each in SCENARIOS if each.name == name)


def caught(mistake: str) -> Mutant:
    return next(each for each in MUTANTS if each.mistake == mistake)


def test_no_interleaving_of_the_slice_breaks_a_rule_and_from_every_state_all_comes_to_rest() -> (
    None
):
    explored = subprocess.run(
        [sys.executable, "-m", "verification.explorer", "--slice"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert explored.returncode == 0, explored.stdout + explored.stderr
    assert "not whole" not in explored.stdout
    total = re.search(r"^([\d,]+) states in .* 0 scenarios broken$", explored.stdout, re.M)
    assert total is not None, explored.stdout
    assert int(total[1].replace(",", "")) < MOST


def test_the_same_scenario_has_the_same_states() -> None:
    one, other = (explore(named("automatic, no key dies")) for _ in range(2))
    assert (one.states, one.depth, one.is_whole) == (other.states, other.depth, True)


def test_every_fault_more_is_states_more() -> None:
    calm = explore(Scenario("calm", sent(2, request(1)), faults=0))
    troubled = explore(Scenario("troubled", sent(2, request(1)), faults=1))
    assert calm.is_whole
    assert troubled.is_whole
    assert troubled.states > 10 * calm.states


def test_a_limit_is_kept_and_told() -> None:
    explored = explore(named("manual"), limit=1000)
    assert not explored.is_whole
    assert explored.states < 1100


@pytest.mark.parametrize(
    "mistake",
    [
        "the card is tried before the payment is recorded",
        "a loser confirms its own intent",
        "a time-out is taken for a failure",
        "a 500 is not used up",
        "n is read after the intent was asked for",
        "whoever saves last has the last word",
        "the sum of the refunds is not part of the insert",
    ],
)
def test_a_planted_mistake_is_caught(mistake: str) -> None:
    catch = hunt(caught(mistake))
    assert catch.tool == "explorer"
    assert catch.cost > 1


def test_a_broken_rule_is_told_by_the_shortest_way_to_it_in_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with copy_with(caught("the card is tried before the payment is recorded")) as folder:
        monkeypatch.setenv("PYTHONPATH", str(folder))
        explored = subprocess.run(
            [sys.executable, "-m", "verification.explorer", "automatic, no key dies"],
            capture_output=True,
            text=True,
            check=False,
        )
    assert explored.returncode == 1
    way = explored.stdout.split("BROKEN: ")[1]
    assert "was confirmed (succeeded), and no payment is bound to it" in way
    lines = [line.split("]: ")[1] for line in way.splitlines() if "]: " in line]
    assert [line.split("(")[0] for line in lines] == [
        "payments.look_up",
        "processor.create",
        "processor.post",
    ]


def test_there_are_forty_mutants_and_each_still_fits_the_code_it_changes() -> None:
    assert len(MUTANTS) >= 40
    assert len({mutant.mistake for mutant in MUTANTS}) == len(MUTANTS)
    for mutant in MUTANTS:
        with copy_with(mutant) as folder:
            changed = {edit.path for edit in mutant.edits}
            for path in changed:
                before = Path(payment.__file__).parent / path
                assert (folder / "payment" / path).read_text() != before.read_text()


def test_a_mutant_whose_code_has_changed_says_so() -> None:
    mutant = Mutant("old", (Edit("domain/machine.py", "what is not there", ""),))
    with pytest.raises(Stale, match="holds 0 times"), copy_with(mutant):
        pass
