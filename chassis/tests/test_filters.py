"""Filters and orders: what they accept, and that nothing else gets through."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.aip.filters import Kind, Restriction, newest_first, parse
from chassis.values import InvalidValue

FIELDS = {
    "state": Kind.TEXT,
    "email": Kind.TEXT,
    "held": Kind.BOOLEAN,
    "create_time": Kind.TIME,
}


def test_a_filter_is_read_into_its_restrictions() -> None:
    found = parse(
        """ state="BLOCKED" AND email = 'a\\"b\\*@example.com'   AND held = true
            AND create_time >= "2026-01-01T01:00:00.5+01:00" AND create_time<2026-02-01T00:00:00Z""",
        FIELDS,
    )
    assert found == (
        Restriction("state", "=", "BLOCKED"),
        Restriction("email", "=", 'a"b*@example.com'),
        Restriction("held", "=", True),
        Restriction("create_time", ">=", datetime(2026, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC)),
        Restriction("create_time", "<", datetime(2026, 2, 1, tzinfo=UTC)),
    )
    assert parse("", FIELDS) == parse("  \n", FIELDS) == ()


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("state", "FILTER_SYNTAX"),
        ("state =", "FILTER_SYNTAX"),
        ('state = "A" AND', "FILTER_SYNTAX"),
        ('state = "A" AND ', "FILTER_SYNTAX"),
        ('AND state = "A"', "FILTER_SYNTAX"),
        ('state = "A" held = true', "FILTER_SYNTAX"),
        ('state = "A" and held = true', "FILTER_SYNTAX"),
        ('state = "A" OR held = true', "FILTER_SYNTAX"),
        ('state = "A"AND held = true', "FILTER_SYNTAX"),
        ("state = AANDheld = true", "FILTER_SYNTAX"),
        ('NOT state = "A"', "FILTER_SYNTAX"),
        ('(state = "A")', "FILTER_SYNTAX"),
        ('-state = "A"', "FILTER_SYNTAX"),
        ('state = "A', "FILTER_SYNTAX"),
        ('state = ""A"', "FILTER_SYNTAX"),
        ('state = "A"; DROP TABLE x', "FILTER_SYNTAX"),
        ("amount = 3", "FILTER_FIELD"),
        ('state != "A"', "FILTER_OPERATOR"),
        ("state:A", "FILTER_OPERATOR"),
        ("state < A", "FILTER_OPERATOR"),
        ("create_time = 2026-01-01T00:00:00Z", "FILTER_OPERATOR"),
        ("state = A AND state = B", "FILTER_REPEATED"),
        ("email = *@example.com", "FILTER_WILDCARD"),
        ("held = yes", "FILTER_VALUE"),
        ('held = "true"', "FILTER_VALUE"),
        ("create_time > 2026-01-01", "FILTER_VALUE"),
        ("create_time > 2026-01-01T00:00:00", "FILTER_VALUE"),
        ("create_time > 2026-13-01T00:00:00Z", "FILTER_VALUE"),
        ("create_time > 0001-01-01T00:00:00+23:00", "FILTER_VALUE"),
        ('state = "\x00"', "UNPRINTABLE"),
        ("state = " + "A" * 1_000, "TOO_LONG"),
    ],
)
def test_a_filter_that_no_index_serves_or_that_is_malformed_is_refused(
    text: str, rule: str
) -> None:
    with pytest.raises(InvalidValue) as caught:
        parse(text, FIELDS)
    assert (caught.value.field, caught.value.rule) == ("filter", rule)


@given(st.text(max_size=100))
def test_a_field_can_be_compared_with_any_quoted_text(value: str) -> None:
    quoted = "".join("\\" + character if character in '"\\*' else character for character in value)
    try:
        (found,) = parse(f'state = "{quoted}"', FIELDS)
    except InvalidValue as error:
        assert error.rule == "UNPRINTABLE"
    else:
        assert found.value == value


@given(st.text(st.sampled_from("state held=<>! \"'\\ANDOR()*:\n"), max_size=60))
def test_any_text_is_read_or_refused_at_the_field_filter(text: str) -> None:
    try:
        found = parse(text, FIELDS)
    except InvalidValue as error:
        assert error.field == "filter"
    else:
        assert {restriction.field for restriction in found} <= FIELDS.keys()


@pytest.mark.parametrize(
    ("text", "newest"),
    [
        ("", True),
        ("create_time desc", True),
        ("  create_time   desc ", True),
        ("create_time", False),
    ],
)
def test_lists_are_ordered_by_create_time_both_ways(text: str, newest: bool) -> None:
    assert newest_first(text) is newest


@pytest.mark.parametrize("text", ["amount", "create_time asc", "create_time, name", "desc"])
def test_other_orders_are_refused(text: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        newest_first(text)
    assert (caught.value.field, caught.value.rule) == ("order_by", "ORDER_BY")
