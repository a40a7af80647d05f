"""Runs, added up."""

from typing import Any

from proof.chaos.summary import total


def report(**more: Any) -> dict[str, Any]:
    nothing: dict[str, Any] = {
        name: {} for name in ("refunds", "found", "points", "faults", "alarms")
    }
    return {
        "plan": {"design": "oncepay"},
        "service_kills": 10,
        "database_kills": 2,
        "orders": 40,
        "payments": {"SUCCEEDED": 30},
        "under_fire": [1.0, 3.0],
        "after": [0.5],
        "rest": {"put_forward": 0, "left": []},
        **nothing,
        **more,
    }


def test_runs_of_one_design_add_up_and_designs_stay_apart() -> None:
    other = report(plan={"design": "charge_first"}, found={"double": 3, "lost": 1})
    totals = total([report(), report(after=[9.0]), other])
    ours = dict(totals["oncepay"].lines())
    assert ours["services killed"] == "20"
    assert ours["so, with 95 % confidence, fewer than"] == "1 in 20"
    assert ours["unknown outcomes decided, from the faults' end"] == (
        "2: p50 9.0 s, p99 9.0 s, max 9.0 s"
    )
    assert dict(totals["charge_first"].lines())["double charges"] == "3"


def test_where_anything_was_found_no_bound_is_given() -> None:
    added = total([report(), report(found={"amount": 1})])["oncepay"]
    assert "so, with 95 % confidence, fewer than" not in dict(added.lines())
