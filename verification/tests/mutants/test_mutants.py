"""Mutation testing: every mutant fits the code as it is, and the tools kill planted mistakes.

Here a few mutants show that the tools find mistakes, each in seconds; `make mutants` runs all.
"""

import ast
from pathlib import Path

import pytest

import payment
from verification.explorer.scenarios import SCENARIOS
from verification.mutants.catalogue import MUTANTS
from verification.mutants.mutant import Edit, Mutant, Stale
from verification.mutants.runner import copy_with, run_mutant

MIN_MUTANTS = 83
PRODUCTION = Path(payment.__file__).parent


def edited(before: str, after: str, source: str, folder: Path) -> str:
    (folder / "module.py").write_text(source)
    Edit("module.py", before, after).apply(folder)
    return (folder / "module.py").read_text()


def test_no_mutant_was_lost_and_each_has_a_name_of_its_own() -> None:
    assert len(MUTANTS) >= MIN_MUTANTS
    assert len({mutant.mistake for mutant in MUTANTS}) == len(MUTANTS)


def test_every_scenario_of_a_mutant_exists() -> None:
    names = {scenario.name for scenario in SCENARIOS}
    assert {name for mutant in MUTANTS for name in mutant.scenarios} <= names


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.mistake)
def test_a_mutant_fits_the_code_and_changes_it(mutant: Mutant) -> None:
    with copy_with(mutant) as folder:
        for path in {edit.path for edit in mutant.edits}:
            original = ast.parse((PRODUCTION / path).read_text())
            mutated = ast.parse((folder / "payment" / path).read_text())
            assert ast.dump(mutated) != ast.dump(original)


@pytest.mark.parametrize(
    "mistake",
    [
        "the card is confirmed before the payment is recorded",
        "the loser of a race confirms its own intent",
        "a timeout is taken for a failure",
        "a 500 does not use its idempotency key up",
        "the idempotency counter is read after the intent",
        "a save does not compare versions",
        "the sum of the refunds is not part of the insert",
    ],
)
def test_the_explorer_kills_a_mutant(mistake: str) -> None:
    result = run_mutant(next(each for each in MUTANTS if each.mistake == mistake))
    assert result.tool == "explorer"
    assert result.cost > 1


def test_the_simulator_kills_a_mutant_of_recovery() -> None:
    mistake = "recovery claims no refunds"
    result = run_mutant(next(each for each in MUTANTS if each.mistake == mistake))
    assert result.tool == "simulator"


def test_a_mutant_whose_code_does_not_run_is_stale() -> None:
    edit = Edit("domain/machine.py", "if transition is None:", "if undefined is None:")
    with pytest.raises(Stale, match="NameError"):
        run_mutant(Mutant("old", (edit,), ("automatic capture, keys live",)))


def test_an_edit_does_not_depend_on_formatting(tmp_path: Path) -> None:
    source = "if True:\n    value = call(\n        first,  # why\n        'second',\n    )\n"
    mutated = edited(
        "value = call(first, 'second')", "value = None\nreturned = 1", source, tmp_path
    )
    assert mutated == "if True:\n    value = None\n    returned = 1"


def test_an_edit_of_one_line_may_change_a_part_of_it(tmp_path: Path) -> None:
    assert edited("+ 1", "+ 2", "value = 1 + 1\n", tmp_path) == "value = 1 + 2"


@pytest.mark.parametrize("before", ["other = 1", "value"], ids=["not there", "there twice"])
def test_an_edit_whose_code_is_not_there_once_is_stale(before: str, tmp_path: Path) -> None:
    with pytest.raises(Stale, match="holds"):
        edited(before, "other = 2", "value = 1\nvalue = 2\n", tmp_path)


def test_an_edit_that_makes_no_python_is_stale(tmp_path: Path) -> None:
    with pytest.raises(Stale, match="no Python"):
        edited("value = 1", "value = (", "value = 1\n", tmp_path)


def test_an_edit_of_a_file_that_is_gone_is_stale() -> None:
    mutant = Mutant("old", (Edit("domain/gone.py", "value", ""),))
    with pytest.raises(Stale, match="no file"), copy_with(mutant):
        pass
