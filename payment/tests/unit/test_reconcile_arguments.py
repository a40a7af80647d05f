"""The arguments of `python -m payment reconcile`."""

from datetime import UTC, datetime, timedelta

import pytest

from chassis.startup_error import StartupError
from payment.reconciliation.command import parse

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("26h", NOW - timedelta(hours=26)),
        ("7d", NOW - timedelta(days=7)),
        ("90m", NOW - timedelta(minutes=90)),
        ("2026-11-23", datetime(2026, 11, 23, tzinfo=UTC)),
        ("2026-11-23T08:30:00Z", datetime(2026, 11, 23, 8, 30, tzinfo=UTC)),
        ("2026-11-23T08:30:00+02:00", datetime(2026, 11, 23, 6, 30, tzinfo=UTC)),
    ],
)
def test_a_time_is_a_date_a_timestamp_or_an_age(text: str, time: datetime) -> None:
    assert parse(["--since", text], NOW).since == time


@pytest.mark.parametrize("text", ["", "yesterday", "26", "h", "99999d9", "2026-13-01"])
def test_anything_else_is_no_time(text: str) -> None:
    with pytest.raises(StartupError, match="is no time"):
        parse(["--since", text], NOW)


@pytest.mark.parametrize("until", [["--until", "2026-11-23"], []], ids=["until", "now"])
def test_a_time_that_ends_before_it_begins_is_refused(until: list[str]) -> None:
    since = "2026-11-24" if until else "2026-11-25"
    with pytest.raises(StartupError, match="must be before"):
        parse(["--since", since, *until], NOW)


def test_every_option_is_off_unless_it_is_given() -> None:
    options = ["--json", "--report-only", "--accept-differences"]

    given = parse(["--since", "7d", "--until", "1d", *options], NOW)
    left_out = parse(["--since", "7d"], NOW)

    assert given.until == NOW - timedelta(days=1)
    assert (given.as_json, given.report_only, given.accept_differences) == (True, True, True)
    assert left_out.until is None
    assert not (left_out.as_json or left_out.report_only or left_out.accept_differences)
