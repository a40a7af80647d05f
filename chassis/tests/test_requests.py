"""Page tokens, filters, orders and masks: what they take, and that nothing else gets through."""

from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.type.money_pb2 import Money
from hypothesis import given
from hypothesis import strategies as st

from chassis.aip.field_masks import updated
from chassis.aip.filters import Kind, Restriction, newest_first, parse
from chassis.aip.pages import PageTokens, Position, page_size
from chassis.identifiers import uuid7
from chassis.values import InvalidValue

FIELDS = {
    "state": Kind.TEXT,
    "email": Kind.TEXT,
    "held": Kind.TRUTH,
    "create_time": Kind.TIME,
}
TOKENS = PageTokens(b"k" * 32)
words = st.lists(st.text(max_size=20), max_size=4)


@pytest.mark.parametrize(("asked", "given_"), [(0, 50), (1, 1), (1000, 1000), (1001, 1000)])
def test_a_page_has_50_rows_or_as_many_as_asked_up_to_1000(asked: int, given_: int) -> None:
    assert page_size(asked) == given_


def test_a_negative_page_size_is_refused() -> None:
    with pytest.raises(InvalidValue) as caught:
        page_size(-1)
    assert caught.value.field == "page_size"


@given(words, words)
def test_a_token_opens_for_its_own_query_with_its_position(
    query: list[str], position: list[str]
) -> None:
    assert TOKENS.open(TOKENS.seal(query, position), query) == tuple(position)


def test_the_empty_token_is_the_first_page() -> None:
    assert TOKENS.open("", ["ListCustomers"]) is None


@given(words, words, words)
def test_a_token_does_not_open_for_another_query(
    query: list[str], other: list[str], position: list[str]
) -> None:
    if query != other:
        with pytest.raises(InvalidValue) as caught:
            TOKENS.open(TOKENS.seal(query, position), other)
        assert (caught.value.field, caught.value.rule) == ("page_token", "PAGE_TOKEN")


@given(st.data(), words)
def test_a_token_with_any_character_changed_does_not_open(
    data: st.DataObject, position: list[str]
) -> None:
    token = TOKENS.seal(["q"], position)
    place = data.draw(st.integers(0, len(token) - 1))
    changed = token[:place] + data.draw(st.characters()) + token[place + 1 :]
    if changed != token:
        try:
            opened = TOKENS.open(changed, ["q"])
        except InvalidValue:
            return
        # The last character of Base64 may carry bits that say nothing.
        assert place == len(token) - 1
        assert opened == tuple(position)


@given(st.text())
def test_no_text_at_all_breaks_the_opening_of_tokens(text: str) -> None:
    if text:
        with pytest.raises(InvalidValue):
            TOKENS.open(text, ["q"])


def test_another_installations_token_does_not_open() -> None:
    with pytest.raises(InvalidValue):
        TOKENS.open(PageTokens(b"x" * 32).seal(["q"], ["1"]), ["q"])
    with pytest.raises(ValueError, match="32 bytes"):
        PageTokens(b"short")


@pytest.mark.parametrize("size", [1, 2, 3, 6, 7, 100])
def test_the_pages_of_a_list_hold_every_row_once(size: int) -> None:
    """Two rows a microsecond, so that a time alone is no place."""
    times = [datetime(2026, 11, 24, tzinfo=UTC) + timedelta(microseconds=n // 2) for n in range(6)]
    rows = [Position(time, uuid7()) for time in times]
    seen: list[Position] = []
    sizes: list[int] = []
    token = ""
    while token or not sizes:
        after = TOKENS.after(token, ["q"])
        assert after == (seen[-1] if seen else None)
        found = rows[len(seen) :][: size + 1]
        token = TOKENS.next(["q"], found, size)
        seen += found[:size]
        sizes.append(len(found[:size]))
    assert seen == rows
    assert sizes[:-1] == [size] * (len(sizes) - 1)
    assert sizes[-1] > 0, "no page is promised that is empty"


def test_an_empty_list_has_one_empty_page() -> None:
    assert TOKENS.next(["q"], [], 50) == ""


def test_a_filter_is_read() -> None:
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
def test_what_no_index_serves_or_nobody_can_read_is_refused(text: str, rule: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        parse(text, FIELDS)
    assert (caught.value.field, caught.value.rule) == ("filter", rule)


@given(st.text(max_size=100))
def test_any_text_can_be_compared_when_it_is_quoted(value: str) -> None:
    quoted = "".join("\\" + each if each in '"\\*' else each for each in value)
    try:
        (found,) = parse(f'state = "{quoted}"', FIELDS)
    except InvalidValue as error:
        assert error.rule == "UNPRINTABLE"
    else:
        assert found.value == value


@given(st.text(st.sampled_from("state held=<>! \"'\\ANDOR()*:\n"), max_size=60))
def test_no_text_at_all_breaks_the_reading_of_filters(text: str) -> None:
    try:
        found = parse(text, FIELDS)
    except InvalidValue as error:
        assert error.field == "filter"
    else:
        assert {each.field for each in found} <= FIELDS.keys()


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


MONEY = Money(currency_code="EUR", units=5)
WRITABLE = ("currency_code", "units")


def test_without_a_mask_every_writable_field_with_a_value_changes() -> None:
    assert updated(MONEY, FieldMask(), WRITABLE) == {"currency_code", "units"}
    assert updated(Money(units=5, nanos=1), FieldMask(), WRITABLE) == {"units"}


def test_a_star_replaces_all_and_stands_alone() -> None:
    assert updated(Money(), FieldMask(paths=["*"]), WRITABLE) == set(WRITABLE)
    with pytest.raises(InvalidValue) as caught:
        updated(Money(), FieldMask(paths=["*", "units"]), WRITABLE)
    assert caught.value.rule == "MASK_STAR"


def test_named_fields_change_also_to_nothing() -> None:
    assert updated(Money(), FieldMask(paths=["units", "units"]), WRITABLE) == {"units"}


@pytest.mark.parametrize("path", ["nanos", "other", "", "units.x", "currencyCode", "x" * 9_000])
def test_a_path_that_cannot_be_written_is_refused_and_the_message_says_which_can(path: str) -> None:
    with pytest.raises(InvalidValue, match="it can name currency_code, units, or") as caught:
        updated(MONEY, FieldMask(paths=["units", path]), WRITABLE)
    assert (caught.value.field, caught.value.rule) == ("update_mask", "MASK_PATH")
    assert ("nanos cannot be updated" in caught.value.message) is (path == "nanos")
    assert len(caught.value.message) < 200


@given(st.lists(st.text(max_size=10), max_size=5))
def test_a_mask_never_lets_another_field_through(paths: list[str]) -> None:
    try:
        found = updated(MONEY, FieldMask(paths=paths), WRITABLE)
    except InvalidValue:
        return
    assert found <= set(WRITABLE)
