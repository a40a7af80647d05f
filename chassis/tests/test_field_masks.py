"""Field masks of updates: which fields change, and that no other one does."""

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.type.money_pb2 import Money
from hypothesis import given
from hypothesis import strategies as st

from chassis.aip.field_masks import updated
from chassis.values import InvalidValue

MONEY = Money(currency_code="EUR", units=5)
WRITABLE = ("currency_code", "units")


def test_without_a_mask_every_writable_field_with_a_value_changes() -> None:
    assert updated(MONEY, FieldMask(), WRITABLE) == {"currency_code", "units"}
    assert updated(Money(units=5, nanos=1), FieldMask(), WRITABLE) == {"units"}


def test_a_star_changes_every_writable_field_and_stands_alone() -> None:
    assert updated(Money(), FieldMask(paths=["*"]), WRITABLE) == set(WRITABLE)
    with pytest.raises(InvalidValue) as caught:
        updated(Money(), FieldMask(paths=["*", "units"]), WRITABLE)
    assert caught.value.rule == "MASK_STAR"


def test_a_named_field_changes_although_it_has_no_value() -> None:
    assert updated(Money(), FieldMask(paths=["units", "units"]), WRITABLE) == {"units"}


@pytest.mark.parametrize("path", ["nanos", "other", "", "units.x", "currencyCode", "x" * 9_000])
def test_a_path_that_cannot_be_written_is_refused_with_those_that_can(path: str) -> None:
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
