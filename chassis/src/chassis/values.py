"""The values that all services share, and the error of an invalid one.

A value checks itself when it is made, so that no later layer can hold an invalid one. Standard
library only: domains are built on this module, and a test checks that.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ParamSpec, Self, TypeVar
from uuid import UUID

Arguments = ParamSpec("Arguments")
Made = TypeVar("Made")


class InvalidValue(ValueError):
    """A value breaks a rule; the caller can correct it.

    Attributes:
        field: the path of the value in the request (`payment.amount.currency`); "" is the value
            itself.
        rule: the rule's name in UPPER_SNAKE_CASE, for programs.
        message: what is wrong, why, and what to do, for people. It never repeats the value, which
            may be long, or a secret.
    """

    def __init__(self, field: str, rule: str, message: str) -> None:
        super().__init__(f"{field or 'value'}: {message}")
        self.field = field
        self.rule = rule
        self.message = message

    def inside(self, path: str) -> Self:
        """The same error, as seen from the message that has the value at `path`."""
        joint = "." if path and self.field and not self.field.startswith("[") else ""
        return type(self)(f"{path}{joint}{self.field}", self.rule, self.message)


def with_field_path(
    path: str,
    make: Callable[Arguments, Made],
    *args: Arguments.args,
    **kwargs: Arguments.kwargs,
) -> Made:
    """Calls `make`; an InvalidValue of it gets the path of the value before its field."""
    try:
        return make(*args, **kwargs)
    except InvalidValue as error:
        raise error.inside(path) from None


def from_trusted(kind: type[Made], **content: object) -> Made:
    """Makes a value without its check, for repositories: it was checked before it was stored. A
    check would cost as much again, and fail for old rows when a rule gets stricter.
    """
    value = object.__new__(kind)
    for name, field in content.items():
        object.__setattr__(value, name, field)
    return value


# Control characters break logs, terminals and exports, and NUL cannot be stored in PostgreSQL;
# the bidirectional overrides make a name read as another one (CVE-2021-42574).
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
LINE_BREAKS = str.maketrans("", "", "\t\n\r")


def checked_text(text: str, *, maximum: int, minimum: int = 0, multi_line: bool = False) -> str:
    """Returns `text` if it has `minimum` to `maximum` characters, all of them readable.

    Raises:
        InvalidValue: TOO_SHORT, TOO_LONG or UNPRINTABLE.
    """
    if len(text) < minimum:
        wanted = "must not be empty" if minimum == 1 else f"must have {minimum} characters or more"
        raise InvalidValue("", "TOO_SHORT", f"it {wanted}")
    if len(text) > maximum:
        message = f"it has {len(text)} characters, and at most {maximum} are allowed; shorten it"
        raise InvalidValue("", "TOO_LONG", message)
    if found := UNPRINTABLE.search(text.translate(LINE_BREAKS) if multi_line else text):
        kind = "a line break or tab" if found[0] in "\t\n\r" else "a control character"
        message = f"it holds {kind} (U+{ord(found[0]):04X}), which is not allowed here; remove it"
        raise InvalidValue("", "UNPRINTABLE", message)
    return text


def free_text(text: str, *, maximum: int, minimum: int = 0, multi_line: bool = False) -> str:
    """Returns `text` if `checked_text` does and it holds nothing like a card number.

    A card number in our database or logs would put the whole installation under PCI DSS.

    Raises:
        InvalidValue: as `checked_text`, or CARD_NUMBER.
    """
    checked_text(text, maximum=maximum, minimum=minimum, multi_line=multi_line)
    if holds_card_number(text):
        message = (
            "it holds what looks like a card number, which must never come here: "
            "pay with the card processor's token, and leave the number out"
        )
        raise InvalidValue("", "CARD_NUMBER", message)
    return text


DIGIT_GROUPS = re.compile(r"[0-9]+(?:[ -][0-9]+)*")
# How the numbers of payment cards begin (ISO/IEC 7812; 2221 to 2720 is Mastercard's second range).
# Years and today's epoch seconds begin otherwise.
CARD_PREFIX = re.compile(r"2[2-7]|[3-6]")


def holds_card_number(text: str) -> bool:
    """Whether whole groups of digits in `text`, 13 to 19 in all, are a possible card number."""
    for run in DIGIT_GROUPS.findall(text):
        groups = re.split("[ -]", run)
        for first in range(len(groups)):
            digits = ""
            for group in groups[first:]:
                digits += group
                if len(digits) > 19:
                    break
                if len(digits) >= 13 and CARD_PREFIX.match(digits) and _passes_luhn(digits):
                    return True
    return False


def _passes_luhn(digits: str) -> bool:
    doubled = (int(digit) * 2 for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(n - 9 if n > 9 else n for n in doubled)) % 10 == 0


CANONICAL_UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


@dataclass(frozen=True, slots=True)
class RequestId:
    """The caller's id of one request, so that it may be sent again (AIP-155).

    A UUID of any version in its usual form; kept in lower case, so that one id is one text. The
    nil UUID is refused: it is what a program sends that forgot to make one.
    """

    text: str

    def __post_init__(self) -> None:
        folded = self.text.lower()
        if not re.fullmatch(CANONICAL_UUID, folded) or not UUID(folded).int:
            message = "it must be a UUID like 0192e0c4-5c8e-7d3a-9f6b-2b1c8d4e5f60, not nil"
            raise InvalidValue("", "UUID", message)
        object.__setattr__(self, "text", folded)

    @property
    def uuid(self) -> UUID:
        """The same as a UUID, for databases."""
        return UUID(self.text)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Reference:
    """The caller's own number of a resource: 1 to 128 characters on one line.

    White space around it is refused, because nobody sees it. It is not searched for card numbers:
    one in ten long order numbers would look like one.
    """

    text: str

    def __post_init__(self) -> None:
        checked_text(self.text, minimum=1, maximum=128)
        if self.text != self.text.strip():
            raise InvalidValue("", "SURROUNDING_SPACE", "it has white space around it; trim it")

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a caller wants kept with a resource: at most 50 pairs of text, sorted by key.

    Keys have 1 to 40 characters on one line, values at most 500.
    """

    pairs: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if len(self.pairs) > 50:
            message = f"it has {len(self.pairs)} pairs, and at most 50 are allowed"
            raise InvalidValue("", "TOO_MANY_PAIRS", message)
        for key, value in self.pairs:
            with_field_path("[]", free_text, key, minimum=1, maximum=40)
            with_field_path(f"[{key}]", free_text, value, maximum=500, multi_line=True)
        object.__setattr__(self, "pairs", tuple(sorted(self.pairs)))

    @classmethod
    def of(cls, mapping: Mapping[str, str]) -> Self:
        """Makes it from a mapping."""
        return cls(tuple(mapping.items()))

    def as_dict(self) -> dict[str, str]:
        """The pairs as a new dictionary."""
        return dict(self.pairs)


def resource_ids(pattern: str, name: str) -> tuple[UUID, ...]:
    """Returns the ids in a resource name (AIP-122), one for each `*` of `pattern`.

    `resource_ids("payments/*/refunds/*", "payments/0192…/refunds/0192…")` are two UUIDs.

    Raises:
        InvalidValue: RESOURCE_NAME. The ids must be in their usual, lower-case form: one resource
            has one name.
    """
    match = re.fullmatch(pattern.replace("*", f"({CANONICAL_UUID})"), name)
    if match is None:
        message = f"it must be a resource name {pattern}, with a lower-case UUID for each *"
        raise InvalidValue("", "RESOURCE_NAME", message)
    return tuple(map(UUID, match.groups()))
