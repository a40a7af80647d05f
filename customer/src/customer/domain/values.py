"""The checked values of a customer. An invalid one cannot be made: `chassis.values.InvalidValue`
names the rule, so that no later layer has to check again.
"""

import re
from dataclasses import dataclass, field
from typing import Self
from unicodedata import normalize
from uuid import UUID

from email_validator import EmailNotValidError, validate_email

from chassis.values import InvalidValue, free_text, resource_ids


@dataclass(frozen=True, slots=True)
class CustomerName:
    """The resource name of a customer, `customers/{uuid}` (AIP-122)."""

    id: UUID

    @classmethod
    def parse(cls, name: str) -> Self:
        """Reads a name; InvalidValue (RESOURCE_NAME) for anything else."""
        (found,) = resource_ids("customers/*", name)
        return cls(found)

    def __str__(self) -> str:
        return f"customers/{self.id}"


@dataclass(frozen=True, slots=True)
class DisplayName:
    """What to call a customer: 1 to 200 characters on one line."""

    text: str

    def __post_init__(self) -> None:
        free_text(self.text, minimum=1, maximum=200)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class EmailAddress:
    """An email address, of at most 254 characters. Its domain need not exist.

    Attributes:
        text: as the caller wrote it.
        key: the one form of all spellings that count as the same. It is folded here and nowhere
            else, so that PostgreSQL and memory cannot disagree (their rules of case differ: ẞ, İ).
    """

    text: str
    key: str = field(init=False)

    def __post_init__(self) -> None:
        # Checked first: the library takes longer for a longer text.
        if len(self.text) > 254:
            message = f"it has {len(self.text)} characters, and an email address has at most 254"
            raise InvalidValue("", "TOO_LONG", message)
        try:
            # NFC, and the domain in lower case and out of its ASCII form (xn--).
            normalized = validate_email(self.text, check_deliverability=False).normalized
        except EmailNotValidError as error:
            raise InvalidValue("", "EMAIL", f"it must be an email address. {error}") from None
        # Folding can decompose a letter again (ΐ), hence NFC once more.
        object.__setattr__(self, "key", normalize("NFC", normalized.casefold()))

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class PhoneNumber:
    """A telephone number in the international form of ITU-T E.164: +4930123456."""

    text: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\+[1-9][0-9]{1,14}", self.text):
            message = (
                "it must be in E.164 form: +, then 2 to 15 digits, the first of them not 0, "
                "without spaces"
            )
            raise InvalidValue("", "E164", message)

    def __str__(self) -> str:
        return self.text
