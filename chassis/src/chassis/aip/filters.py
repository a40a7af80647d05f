"""The part of AIP-160 that an index can serve: comparisons of named fields, joined by AND.

`state = "BLOCKED" AND create_time >= "2026-01-01T00:00:00Z"`
"""

import operator
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

from chassis.values import InvalidValue, checked_text, with_field_path

MAX_LENGTH = 1_000
MAX_RESTRICTIONS = 10

OPERATORS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


class Comparison(Enum):
    """How a time is compared; the value is the operator, in filters and in SQL."""

    BEFORE = "<"
    UNTIL = "<="
    AFTER = ">"
    FROM = ">="

    def holds(self, time: datetime, bound: datetime) -> bool:
        """Whether a time is before, until, after or from a bound."""
        return bool(OPERATORS[self.value](time, bound))


class Kind(Enum):
    """The type of a field."""

    TEXT = "text"
    BOOLEAN = "boolean"
    TIME = "time"

    @property
    def operators(self) -> tuple[str, ...]:
        """The operators that are served."""
        return tuple(OPERATORS) if self is Kind.TIME else ("=",)


@dataclass(frozen=True, slots=True)
class Restriction:
    """One comparison of a filter: `field operator value`. Times are in UTC."""

    field: str
    operator: str
    value: str | bool | datetime


RESTRICTION = re.compile(
    r"""\s*(?P<field>[a-z][a-z0-9_.]*)
        \s*(?P<operator><=|>=|!=|<|>|=|:)
        \s*(?P<value>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s"'()<>=!]+)
        \s*(?P<joint>$|(?<=\s)AND(?=\s))""",
    re.VERBOSE,
)
# RFC 3339: a time without a zone is refused, not guessed at.
TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def parse(text: str, fields: Mapping[str, Kind]) -> tuple[Restriction, ...]:
    """Reads a filter; all its restrictions must hold. The empty filter restricts nothing.

    Raises:
        InvalidValue: at `filter`; the message names what is served.
    """
    with_field_path("filter", checked_text, text, maximum=MAX_LENGTH, multi_line=True)
    found: dict[tuple[str, str], Restriction] = {}
    position, joint = 0, text.strip()
    while joint:
        match = RESTRICTION.match(text, position)
        if match is None or len(found) == MAX_RESTRICTIONS:
            raise _invalid(
                "FILTER_SYNTAX",
                f'it must be at most {MAX_RESTRICTIONS} comparisons like field = "value", joined '
                "by AND; OR, NOT, parentheses and functions are not served",
            )
        field, operator, value, joint = match.groups()
        kind = fields.get(field)
        if kind is None:
            served = ", ".join(sorted(fields))
            raise _invalid("FILTER_FIELD", f"it can compare only {served}: no index serves others")
        if operator not in kind.operators:
            served = " ".join(kind.operators)
            raise _invalid("FILTER_OPERATOR", f"{field} can be compared with {served} only")
        if (field, operator) in found:
            raise _invalid("FILTER_REPEATED", f"{field} {operator} stands in it twice; keep one")
        found[field, operator] = Restriction(field, operator, _value(field, kind, value))
        position = match.end()
    return tuple(found.values())


def times(restrictions: Iterable[Restriction]) -> tuple[tuple[Comparison, datetime], ...]:
    """The restrictions of times among these, as repositories take them."""
    return tuple(
        (Comparison(restriction.operator), restriction.value)
        for restriction in restrictions
        if isinstance(restriction.value, datetime)
    )


def newest_first(order_by: str) -> bool:
    """Reads `order_by` (AIP-132): `create_time desc`, also where it is empty, or `create_time`.

    Raises:
        InvalidValue: at `order_by`, ORDER_BY.
    """
    words = order_by.split()
    if words in ([], ["create_time", "desc"]):
        return True
    if words == ["create_time"]:
        return False
    message = "it can be create_time or create_time desc: no index serves other orders"
    raise InvalidValue("order_by", "ORDER_BY", message)


def _value(field: str, kind: Kind, text: str) -> str | bool | datetime:
    is_quoted = text[0] in "\"'"
    if kind is not Kind.TIME and re.search(r"(?<!\\)\*", text):
        message = rf"{field} is compared whole; write \* for the character *"
        raise _invalid("FILTER_WILDCARD", message)
    plain = re.sub(r"\\(.)", r"\1", text[1:-1]) if is_quoted else text
    if kind is Kind.TEXT:
        return plain
    if kind is Kind.BOOLEAN:
        if is_quoted or plain not in ("true", "false"):
            raise _invalid("FILTER_VALUE", f"{field} is compared with true or false, unquoted")
        return plain == "true"
    try:
        if not TIME.fullmatch(plain):
            raise ValueError
        return datetime.fromisoformat(plain.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        message = f'{field} is compared with a time like "2026-01-31T12:00:00Z" (RFC 3339)'
        raise _invalid("FILTER_VALUE", message) from None


def _invalid(rule: str, message: str) -> InvalidValue:
    return InvalidValue("filter", rule, message)
