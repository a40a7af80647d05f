"""The report: every figure on the page is what a tool wrote."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from verification.reliability.__main__ import FIGURES, report
from verification.reliability.figures import quantile, read
from verification.reliability.plot import plot
from verification.reliability.tables import fill, tables


def chaos_run(design: str, **changed: Any) -> dict[str, Any]:
    run = {
        "plan": {"design": design},
        "service_kills": 10,
        "database_kills": 2,
        "payments": {"SUCCEEDED": 290, "FAILED": 10},
        "refunds": {"SUCCEEDED": 3},
        "charged": 290,
        "orders": 310,
        "calls": 900,
        "found": {"double": 0, "lost": 0},
        "findings": [],
        "points": {"insert_payment sent": 4},
        "faults": {"paused for 28 s": 1},
        "decided_during_faults": [0.5, 2.0, 40.0],
        "decided_after_faults": [0.1],
    }
    return {**run, **changed}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    double = {"found": {"double": 3, "lost": 1}, "findings": [{}, {}, {}, {}]}
    runs = [chaos_run("oncepay"), chaos_run("oncepay"), chaos_run("charge_first", **double)]
    for number, run in enumerate(runs):
        (tmp_path / f"chaos-{number}.json").write_text(json.dumps(run))
    return tmp_path


def test_chaos_runs_of_one_design_are_added_up(folder: Path) -> None:
    ours = read(folder).chaos["oncepay"]
    assert (ours.runs, ours.service_kills, ours.payments, ours.refunds) == (2, 20, 600, 6)
    assert ours.points == {"insert_payment sent": 8}
    assert ours.decided_during_faults == [0.5, 2.0, 40.0, 0.5, 2.0, 40.0]


def test_a_design_without_findings_has_a_bound_and_another_its_counts(folder: Path) -> None:
    table = tables(read(folder))["chaos"]
    ours, theirs = table.splitlines()[2:]
    assert ours.endswith("| **0** | **0** | 1 in 200 |")
    assert theirs.endswith("| **3** | **1** | none |")


def test_a_table_replaces_the_one_of_its_name_and_no_other() -> None:
    page = "a\n<!-- one -->\nold\n<!-- / -->\nb\n<!-- two -->\nold\n<!-- / -->\n"
    appendix = "c\n<!-- three -->\nold\n<!-- / -->\n"
    new = "| new |"
    filled = fill([page, appendix], {"one": new, "three": new})
    assert filled == [page.replace("old", new, 1), appendix.replace("old", new)]


@pytest.mark.parametrize("places", [0, 2])
def test_a_table_has_exactly_one_place(places: int) -> None:
    page = "<!-- one -->\nold\n<!-- / -->\n"
    with pytest.raises(ValueError, match=f"{places} pages have a place for the table 'one'"):
        fill([page] * places, {"one": ""})


def test_the_summary_counts_what_each_tool_ran_and_found(folder: Path) -> None:
    lines = tables(read(folder))["summary"].splitlines()
    assert lines[-1] == (
        "| chaos runs | 2 runs, 24 kills, 1,800 calls, 600 payments "
        "| **0** double charges, **0** lost payments |"
    )


def test_a_quantile_is_a_value_of_the_nearest_rank() -> None:
    assert [quantile([3.0, 1.0, 2.0], share) for share in (0, 0.5, 0.99, 1)] == [1.0, 2.0, 3.0, 3.0]


def test_the_picture_is_svg_with_the_figures_of_the_runs(folder: Path) -> None:
    picture = plot(read(folder))
    ElementTree.fromstring(picture)  # noqa: S314 - our own
    assert "10 charged twice" in picture
    assert "0 lost" in picture


def test_the_pages_and_their_picture_agree_with_the_figures() -> None:
    for path, text in report(read(FIGURES)).items():
        assert path.read_text() == text, f"{path.name}: run `make report`"
