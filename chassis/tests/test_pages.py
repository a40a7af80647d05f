"""Page sizes and page tokens: what they accept, and that nothing else gets through."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from google.cloud.location.locations_pb2 import (  # type: ignore[import-untyped]
    ListLocationsRequest,
)
from google.longrunning.operations_pb2 import ListOperationsRequest
from hypothesis import given
from hypothesis import strategies as st

from chassis.aip.pages import PageTokens, Position, page_size
from chassis.identifiers import uuid7
from chassis.values import InvalidValue

TOKENS = PageTokens(b"k" * 32)
texts = st.text(max_size=20)
places = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
requests = st.builds(ListOperationsRequest, name=texts, filter=texts)


def continued(request: ListOperationsRequest, token: str) -> ListOperationsRequest:
    """The same request, for the page that a token leads to."""
    return ListOperationsRequest(name=request.name, filter=request.filter, page_token=token)


@pytest.mark.parametrize(("asked", "rows"), [(0, 50), (1, 1), (1000, 1000), (1001, 1000)])
def test_a_page_has_50_rows_or_as_many_as_asked_up_to_1000(asked: int, rows: int) -> None:
    assert page_size(asked) == rows


def test_a_negative_page_size_is_refused() -> None:
    with pytest.raises(InvalidValue) as caught:
        page_size(-1)
    assert caught.value.field == "page_size"


@given(requests, places, st.integers(0, 100))
def test_a_token_opens_for_its_own_request_with_any_page_size(
    request: ListOperationsRequest, place: str, size: int
) -> None:
    following = continued(request, TOKENS.seal(request, place))
    following.page_size = size
    assert TOKENS.open(following) == place


def test_a_request_without_a_token_is_for_the_first_page() -> None:
    assert TOKENS.open(ListOperationsRequest(name="a")) == ""


@given(requests, requests, places)
def test_a_token_does_not_open_for_a_request_with_another_field(
    request: ListOperationsRequest, other: ListOperationsRequest, place: str
) -> None:
    if request != other:
        with pytest.raises(InvalidValue) as caught:
            TOKENS.open(continued(other, TOKENS.seal(request, place)))
        assert (caught.value.field, caught.value.rule) == ("page_token", "PAGE_TOKEN")


@given(st.data(), places)
def test_a_token_with_any_character_changed_does_not_open(data: st.DataObject, place: str) -> None:
    request = ListOperationsRequest(filter="f")
    token = TOKENS.seal(request, place)
    at = data.draw(st.integers(0, len(token) - 1))
    character = data.draw(st.characters(exclude_categories=["Cs"]))
    changed = token[:at] + character + token[at + 1 :]
    if changed != token:
        try:
            opened = TOKENS.open(continued(request, changed))
        except InvalidValue:
            return
        # Base64 has two spellings of two letters, and its last may carry bits without a meaning.
        assert token[at] + character in {"-+", "_/"} or at == len(token) - 1
        assert opened == place


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_other_text_is_refused_as_a_token(text: str) -> None:
    with pytest.raises(InvalidValue):
        TOKENS.open(ListOperationsRequest(page_token=text))


def test_the_token_of_another_method_or_installation_does_not_open() -> None:
    with pytest.raises(InvalidValue):
        token = PageTokens(b"x" * 32).seal(ListOperationsRequest(), "1")
        TOKENS.open(ListOperationsRequest(page_token=token))
    with pytest.raises(InvalidValue):
        token = TOKENS.seal(ListLocationsRequest(), "1")
        TOKENS.open(ListOperationsRequest(page_token=token))
    with pytest.raises(ValueError, match="32 bytes"):
        PageTokens(b"short")


@pytest.mark.parametrize("size", [1, 2, 3, 6, 7, 100])
async def test_the_pages_of_a_list_hold_every_row_once(size: int) -> None:
    """Two rows a microsecond, so that a time alone is no position."""
    times = [datetime(2026, 11, 24, tzinfo=UTC) + timedelta(microseconds=n // 2) for n in range(6)]
    rows = [Position(time, uuid7()) for time in times]
    listed: list[Position] = []
    sizes: list[int] = []

    async def read(limit: int, after: Position | None) -> Sequence[Position]:
        assert after == (listed[-1] if listed else None)
        return rows[len(listed) :][:limit]

    request = ListOperationsRequest(page_size=size)
    while request.page_token or not sizes:
        page, request.page_token = await TOKENS.page(request, read)
        listed += page
        sizes.append(len(page))
    assert listed == rows
    assert sizes[:-1] == [size] * (len(sizes) - 1)
    assert sizes[-1] > 0, "no page is promised that is empty"


async def test_an_empty_list_has_one_empty_page() -> None:
    async def read(_limit: int, _after: Position | None) -> Sequence[Position]:
        return []

    assert await TOKENS.page(ListOperationsRequest(), read) == ([], "")
