"""What each shared value accepts and refuses, and that a message never repeats the value."""

import ast
import sys
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis import values
from chassis.identifiers import uuid7
from chassis.values import (
    InvalidValue,
    Metadata,
    Reference,
    RequestId,
    checked_text,
    free_text,
    holds_card_number,
    resource_ids,
    with_field_path,
)

ID = "0192e0c4-5c8e-7d3a-9f6b-2b1c8d4e5f60"
CARDS = ["4242424242424242", "4242 4242 4242 4242", "5555-5555-5555-4444", "378282246310005"]


def test_the_module_imports_the_standard_library_only() -> None:
    tree = ast.parse(Path(values.__file__).read_text())
    imported = {
        alias.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    } | {
        (node.module or "").split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
    }
    assert imported <= sys.stdlib_module_names


def test_an_error_names_the_whole_path_of_its_field() -> None:
    error = InvalidValue("", "RULE", "it is wrong")
    assert error.inside("currency").inside("amount").inside("payment").field == (
        "payment.amount.currency"
    )
    assert InvalidValue("[colour]", "R", "m").inside("metadata").field == "metadata[colour]"
    with pytest.raises(InvalidValue, match=r"^customer\.reference: it must not be empty$"):
        with_field_path("customer.reference", Reference, "")


@pytest.mark.parametrize("text", [ID, ID.upper(), "d9428888-122b-11e1-b85c-61cd3cbb3210"])
def test_a_request_id_is_a_uuid_of_any_version_in_lower_case(text: str) -> None:
    assert str(RequestId(text)) == text.lower()
    assert RequestId(text).uuid == UUID(text)
    assert RequestId(text) == RequestId(text.lower())


@pytest.mark.parametrize(
    "text", ["", "x", ID[:-1], ID + "0", "{" + ID + "}", ID.replace("-", ""), str(UUID(int=0))]
)
def test_a_request_id_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        RequestId(text)
    assert caught.value.rule == "UUID"


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "TOO_SHORT"),
        ("x" * 129, "TOO_LONG"),
        ("a\x00b", "UNPRINTABLE"),
        ("a\nb", "UNPRINTABLE"),
        ("a\u202eb", "UNPRINTABLE"),
        (" a", "SURROUNDING_SPACE"),
        ("a\u00a0", "SURROUNDING_SPACE"),
    ],
)
def test_a_reference_is_1_to_128_readable_characters(text: str, rule: str) -> None:
    assert str(Reference("x" * 128)) == "x" * 128
    with pytest.raises(InvalidValue) as caught:
        Reference(text)
    assert caught.value.rule == rule
    assert len(caught.value.message) < 120


def test_length_is_counted_in_characters_not_bytes() -> None:
    assert checked_text("ü" * 10, maximum=10) == "ü" * 10


def test_line_breaks_are_allowed_in_text_of_several_lines_and_nul_never() -> None:
    assert checked_text("a\tb\r\nc", maximum=9, multi_line=True) == "a\tb\r\nc"
    with pytest.raises(InvalidValue, match=r"control character \(U\+0000\)"):
        checked_text("a\x00", maximum=9, multi_line=True)


def test_metadata_is_sorted_and_hashable() -> None:
    metadata = Metadata.of({"b": "2", "a": "1\n"})
    assert metadata.pairs == (("a", "1\n"), ("b", "2"))
    assert metadata == Metadata.of({"a": "1\n", "b": "2"})
    assert hash(metadata) == hash(Metadata(metadata.pairs))
    assert metadata.as_dict() == {"a": "1\n", "b": "2"}
    Metadata.of({f"{n}": "x" * 500 for n in range(50)})


@pytest.mark.parametrize(
    ("pairs", "field", "rule"),
    [
        ({f"{n}": "" for n in range(51)}, "metadata", "TOO_MANY_PAIRS"),
        ({"": "x"}, "metadata[]", "TOO_SHORT"),
        ({"k" * 41: "x"}, "metadata[]", "TOO_LONG"),
        ({"note": "x" * 501}, "metadata[note]", "TOO_LONG"),
        ({"note": CARDS[0]}, "metadata[note]", "CARD_NUMBER"),
        ({CARDS[0]: "x"}, "metadata[]", "CARD_NUMBER"),
    ],
)
def test_metadata_says_which_pair_is_wrong(pairs: dict[str, str], field: str, rule: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        with_field_path("metadata", Metadata.of, pairs)
    assert (caught.value.field, caught.value.rule) == (field, rule)
    assert CARDS[0] not in str(caught.value)


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("around", ["{}", "card {} 12/30", "x{}y", "1 {}", "{} 123", "a\n{}\nb"])
def test_a_card_number_in_free_text_is_refused_however_it_is_written(
    card: str, around: str
) -> None:
    with pytest.raises(InvalidValue) as caught:
        free_text(around.format(card), maximum=100, multi_line=True)
    assert caught.value.rule == "CARD_NUMBER"
    assert card not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "4242424242424241",  # fails Luhn
        "2026-11-24 10-15-00 and 20261124101500",
        "1732442100000",
        "order 4242 of 2026",
        ID,
        "9" * 30,
        "1234567890123452",  # no card number begins with 1
    ],
)
def test_other_numbers_are_no_card_numbers(text: str) -> None:
    assert free_text(text, maximum=100) == text


@given(st.text(st.sampled_from("0123456789 -a"), max_size=60))
def test_any_text_can_be_searched_for_card_numbers(text: str) -> None:
    assert holds_card_number(text) in (True, False)


@given(st.text(max_size=80))
def test_text_that_is_accepted_can_be_stored(text: str) -> None:
    try:
        accepted = checked_text(text, maximum=50, multi_line=True)
    except InvalidValue as error:
        assert len(error.message) < 200
    else:
        assert "\x00" not in accepted
        assert len(accepted) <= 50
        accepted.encode()


def test_the_ids_of_a_resource_name_are_read() -> None:
    assert resource_ids("customers/*", f"customers/{ID}") == (UUID(ID),)
    both = resource_ids("payments/*/refunds/*", f"payments/{ID}/refunds/{ID}")
    assert both == (UUID(ID), UUID(ID))


@pytest.mark.parametrize(
    "name",
    ["", ID, "customers/", f"payments/{ID}", f"customers/{ID}/x", f"customers/{ID.upper()}"],
)
def test_another_resource_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        resource_ids("customers/*", name)
    assert caught.value.rule == "RESOURCE_NAME"


def test_new_ids_are_uuids_of_version_7_in_the_order_of_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ids: list[UUID] = []
    for ms in (1, 2, 1_732_442_100_000, (1 << 48) - 1):
        monkeypatch.setattr("time.time_ns", lambda ms=ms: ms * 1_000_000)
        ids.append(uuid7())
        assert ids[-1].int >> 80 == ms
    assert ids == sorted(ids)
    assert {new_id.version for new_id in ids} == {7}
    assert {new_id.variant for new_id in ids} == {"specified in RFC 4122"}
    assert len({uuid7() for _ in range(1_000)}) == 1_000


def test_a_trusted_value_is_made_without_a_check_since_rules_can_become_stricter() -> None:
    trusted = values.from_trusted(values.Reference, text=" an old one ")
    assert (trusted.text, type(trusted)) == (" an old one ", values.Reference)
    with pytest.raises(values.InvalidValue):
        values.Reference(" an old one ")
