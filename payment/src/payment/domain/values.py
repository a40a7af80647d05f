"""Checked values: money, a payment method, resource names. A wrong one cannot be made:
`chassis.values.InvalidValue` names the field and the rule, so that no later layer checks again.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from enum import Enum
from typing import Self
from urllib.parse import urlsplit
from uuid import UUID

from chassis.values import InvalidValue, checked_text, resource_ids

MAX_MINOR_UNITS = 999_999_999_999  # Stripe takes 12 digits at most (docs: currencies)


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in the minor unit of a currency (ISO 4217): 1050 is EUR 10.50 and JPY 1050."""

    minor_units: int
    currency_code: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Z]{3}", self.currency_code):
            raise InvalidValue(
                "currency_code",
                "CURRENCY_CODE",
                "it must be an ISO 4217 code: three capital letters",
            )
        if not 0 < self.minor_units <= MAX_MINOR_UNITS:
            raise InvalidValue(
                "minor_units",
                "AMOUNT_RANGE",
                f"it must be from 1 to {MAX_MINOR_UNITS}, in the currency's minor unit",
            )


@dataclass(frozen=True, slots=True)
class PaymentMethod:
    """The processor's token for a card. The pattern keeps card numbers out: a token begins with a
    letter.
    """

    token: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{1,254}", self.token):
            raise InvalidValue(
                "",
                "PAYMENT_METHOD_TOKEN",
                "it must be the processor's token: a letter, then letters, digits or underscores, at"
                " most 255 characters; a card number does not belong here",
            )


@dataclass(frozen=True, slots=True)
class ReturnUrl:
    """Where the customer's browser comes back to after 3D Secure."""

    address: str

    def __post_init__(self) -> None:
        checked_text(self.address, maximum=2000)
        try:
            parts = urlsplit(self.address)
            host = parts.hostname
        except ValueError:
            host = None
        if host is None or not re.fullmatch(r"[!-~]+", self.address):
            raise InvalidValue("", "ABSOLUTE_URL", "it must be an absolute https address, in ASCII")
        loopback = host in {"localhost", "127.0.0.1", "::1"}
        if parts.scheme != "https" and not (parts.scheme == "http" and loopback):
            raise InvalidValue("", "HTTPS", "it must be https; http only for the loopback")


@dataclass(frozen=True, slots=True)
class CustomerName:
    """`customers/{uuid}`, the name of a customer of the Customer service."""

    id: UUID

    @classmethod
    def parse(cls, name: str) -> Self:
        return cls(*resource_ids("customers/*", name))

    def __str__(self) -> str:
        return f"customers/{self.id}"


@dataclass(frozen=True, slots=True)
class PaymentName:
    """`payments/{uuid}`."""

    id: UUID

    @classmethod
    def parse(cls, name: str) -> Self:
        return cls(*resource_ids("payments/*", name))

    def __str__(self) -> str:
        return f"payments/{self.id}"


@dataclass(frozen=True, slots=True)
class RefundName:
    """`payments/{uuid}/refunds/{uuid}`."""

    payment_id: UUID
    id: UUID

    @classmethod
    def parse(cls, name: str) -> Self:
        return cls(*resource_ids("payments/*/refunds/*", name))

    def __str__(self) -> str:
        return f"payments/{self.payment_id}/refunds/{self.id}"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a payment or a refund failed, as the processor reports it."""

    code: str
    decline_code: str = ""
    message: str = ""


class RequestPart(Enum):
    """A part of a caller's request that the processor may refuse."""

    PAYMENT_METHOD = "payment_method"
    AMOUNT = "amount"
    CURRENCY = "currency"


def fingerprint(operation: str, *parts: str) -> bytes:
    """The content of a request in 32 bytes: the same request_id with another content is refused.

    It is taken over our own values, not over protobuf's bytes, which may differ between clients.
    """
    return hashlib.sha256(json.dumps(["1", operation, *parts]).encode()).digest()
